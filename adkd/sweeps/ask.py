"""The next round of trials, proposed from the results of all previous rounds."""

from typing import Any

from adkd.plan.results import Results
from adkd.plan.space import grid_point
from adkd.plan.specs import RoundSpec
from adkd.plan.studies import trial_at
from adkd.sweeps.trials import as_study, distributions, finished, sampler


def ask(spec: RoundSpec, results: Results) -> None:
    """The stage: write the specs of a round's trials, ``plan/sweeps/METHOD/TASK/round-R/trial-I/seed-S.json``.

    The seed of the sampler depends on the round, and previous results are replayed in the order of their numbers. So
    the same results give the same points, in whatever order and by however many processes they were computed.

    Raises:
        InputError: a previous trial is missing, or belongs to another study.
    """
    study, name = spec.study, spec.result.rpartition("/")[0]
    for number, values in enumerate(points(spec, results), spec.number * spec.batch):
        for seed in study.trials:
            trial = study.trial(f"{name}/{trial_at(number, spec.batch, int(seed))}", seed, values)
            file = results.plan_file(trial.result)
            if not trial.is_in(file):  # the time stamp of the same spec stays
                trial.write(file)


def points(spec: RoundSpec, results: Results) -> list[dict[str, Any]]:
    """The points of a round, one for each trial of the batch."""
    definition, batch = spec.study, spec.batch
    if definition.variant == "grid":
        first = spec.number * batch
        return [grid_point(definition.space, first + i, definition.seed) for i in range(batch)]
    study = as_study(definition, finished(definition, spec.inputs.trial or {}, results))
    study.sampler = sampler(definition, "round", spec.number)
    searched = distributions(definition.space)
    # Optuna counts trials without a result as poor ones (constant liar), which spreads the points of a batch.
    return [study.ask(searched).params for _ in range(batch)]
