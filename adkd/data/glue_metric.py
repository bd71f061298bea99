"""GLUE's metrics as ``evaluate`` has them, without its hub: by scikit-learn and scipy, not the suite's own formulas."""

import datasets
import evaluate
import numpy as np
from scipy import stats
from sklearn import metrics

from adkd.data.tasks import task

FORMULAS = {
    "accuracy": metrics.accuracy_score,
    "f1": lambda y, p: metrics.f1_score(y, p, zero_division=0.0),
    "matthews_correlation": metrics.matthews_corrcoef,
    "spearmanr": lambda y, p: stats.spearmanr(y, p).statistic,
    "pearsonr": lambda y, p: stats.pearsonr(y, p).statistic,
}
"""Name -> function of references and predictions. F1 is that of class 1, as in GLUE."""


class GlueMetric(evaluate.Metric):
    """The official metrics of the task whose name is the ``config_name``.

    ``evaluate.load("glue", "mrpc")`` gives the same numbers, and asks the hub for them.
    """

    def _info(self) -> evaluate.MetricInfo:
        self.task = task(self.config_name)
        value = datasets.Value("float32" if self.task.regression else "int64")
        return evaluate.MetricInfo(
            description=f"The official metrics of {self.task.title}: {', '.join(self.task.metrics)}; fractions.",
            citation="Wang et al. 2019, GLUE, arXiv:1804.07461",
            features=datasets.Features({"predictions": value, "references": value}),
        )

    def _compute(self, predictions: list, references: list) -> dict[str, float]:
        given = np.asarray(references), np.asarray(predictions)
        return {name: float(FORMULAS[name](*given)) for name in self.task.metrics}
