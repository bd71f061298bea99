"""The points of a round: what a sampler asks for once it has been told the results of all earlier rounds."""

from pathlib import Path
from typing import Any

from adkd.base.files import write_if_changed
from adkd.plan.space import grid_point
from adkd.plan.specs import Spec
from adkd.plan.studies import trial_at
from adkd.sweeps.trials import as_study, distributions, finished, sampler, trial_spec


def ask(spec: Spec, out: Path) -> None:
    """Write the specs of a round's trials, ``plan/sweeps/METHOD/TASK/round-R/trial-I/seed-S.json``.

    The sampler is seeded by the round, and earlier results are replayed in the order of their numbers: the same results
    give the same points, in whatever order and on however many cores they were made.

    Args:
        spec: number, batch, study (its definition), inputs (the trials of earlier rounds).
        out: ``ROOT/sweeps/METHOD/TASK/round-R``.

    Raises:
        InputError: an earlier trial is missing, or belongs to another study.
    """
    definition, number, batch = spec["study"], spec["number"], spec["batch"]
    study = out.parent
    plan = study.parents[2] / "plan" / study.relative_to(study.parents[2])
    for place, values in enumerate(points(spec), number * batch):
        for seed in definition["trials"]:
            file = plan / f"{trial_at(place, batch, seed)}.json"
            write_if_changed(file, trial_spec(definition, seed, values))


def points(spec: Spec) -> list[dict[str, Any]]:
    """The points of a round, as many as a batch has."""
    definition, number, batch = spec["study"], spec["number"], spec["batch"]
    if definition["variant"] == "grid":
        return [grid_point(definition["space"], number * batch + i, definition["seed"]) for i in range(batch)]
    study = as_study(definition, finished(definition, spec["inputs"]["trial"]))
    study.sampler = sampler(definition, "round", number)
    searched = distributions(definition["space"])
    # Trials that were asked for and not told count as poor ones (constant liar), which spreads a batch out.
    return [study.ask(searched).params for _ in range(batch)]
