"""What a budget of trials buys."""

from math import comb

import numpy as np
from numpy.typing import NDArray


def expected_best(scores: list[float]) -> NDArray[np.float64]:
    """[N] the mean of the best score of n = 1..N trials drawn without replacement from these N (Tang et al. 2020,
    arXiv:2004.13705): what a smaller budget would have found, had the trials come in another order."""
    ordered, count = np.sort(scores), len(scores)
    ranks = range(1, count + 1)
    # Of all subsets of n trials, comb(i - 1, n - 1) have the i-th smallest score as their best.
    shares = [[comb(i - 1, n - 1) / comb(count, n) for i in ranks] for n in ranks]
    return np.array(shares) @ ordered
