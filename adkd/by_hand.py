"""One study from its config to its best settings, without Snakemake: the same specs, the same files."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from adkd.analysis import study as outcome
from adkd.base import devices
from adkd.base.errors import InputError
from adkd.base.files import read_json, write_if_changed
from adkd.base.stale import refuse_another
from adkd.plan import plan
from adkd.plan.specs import Spec
from adkd.plan.tuned import best_of
from adkd.runner import is_up_to_date, make, make_all
from adkd.sweeps.ask import ask
from adkd.sweeps.trials import trial_spec, values_of


def sweep(config: Mapping[str, Any], method: str, task: str, trials: int | None, root: Path = Path("results")) -> str:
    """Carry out a study, as far as it is not there yet; returns what it found, in words.

    Args:
        config: not yet validated; its methods, tasks and seeds do not count.
        trials: the budget; that of the config if None.

    Raises:
        InputError: the config has a mistake, the budget is spent, or trials of another study are there.
        RunError: a run failed, or no trial has a score.
    """
    asked = {"methods": [method], "tasks": [task], "reference": method, "ablations": {}, "settings_from": "config"}
    sweeps = (config.get("sweeps") or {}) | ({} if trials is None else {"trials": trials})
    planned = plan.build(plan.validate({**config, **asked, "sweeps": sweeps}), root)
    (name,) = planned.sweeps or [None]
    if name is None:
        raise InputError(f"{method} has no meaning on {task}: {planned.main['skipped'][0]['reason']}")
    spec, out = planned.specs[name], root / name
    _refuse_another(spec, out)
    _refuse_spent(spec, out)
    make_all({one: planned.specs[one] for one in planned.needed(name, "shared")}, root)
    for result, one in planned.specs.items():
        if one["stage"] in ("round", "worker", "sweep"):
            write_if_changed(root / "plan" / f"{result}.json", one)
    if spec["mode"] == "workers":
        make(root / "plan" / name / "worker-0.json", "worker")
    else:
        _rounds(spec, [one for one in planned.specs.values() if one["stage"] == "round"], root, out)
    outcome.write(spec, out)
    found = best_of(root, name)
    return f"{found.read_text()}\n{found} holds this; trials.csv, importance.csv and figures/ lie beside it"


def _rounds(spec: Spec, rounds: list[Spec], root: Path, out: Path) -> None:
    """Round after round, the trials that are not there yet, one after the other on one device."""
    places = iter(spec["inputs"]["trial"].values())
    scores: list[float | None] = []
    with (
        devices.lease(next(iter(spec["study"]["trials"].values()))["device"]),
        logging_redirect_tqdm(),
        _bar(len(spec["inputs"]["trial"])) as bar,
    ):
        from adkd.training import trial  # imports torch, which has to see the leased device alone

        for one in rounds:
            ask(one, out / f"round-{one['number']}")
            for _ in range(one["batch"] * len(spec["study"]["trials"])):
                if (place := next(places, None)) is None:
                    return
                told = read_json(root / "plan" / f"{Path(place).relative_to(root)}.json")
                if not is_up_to_date(told, Path(place)):
                    trial.run(told, Path(place))
                bar.update()
                scores.append(read_json(Path(place) / "trial.json")["score"])
                bar.set_postfix(best=max((score for score in scores if score is not None), default="none"))


def _bar(total: int) -> tqdm:
    return tqdm(total=total, desc="trials and seeds", unit="run", disable=not sys.stderr.isatty())


def _refuse_another(spec: Spec, out: Path) -> None:
    """Refuse to put trials over those of another study."""
    definition, remedy = spec["study"], f"put the config back, or move {out} away"
    if (report := out / "sweep.json").is_file():
        refuse_another(str(out), read_json(report)["spec"]["study"], definition, remedy)
    for report in sorted(out.glob("round-*/trial-*/seed-*/trial.json")):
        told = read_json(report)["spec"]
        if str(told["seed"]) in definition["trials"]:
            asked = trial_spec(definition, told["seed"], values_of(definition, told))
            refuse_another(str(report), told, asked, remedy)


def _refuse_spent(spec: Spec, out: Path) -> None:
    """Refuse a budget that leaves nothing to do."""
    report = out / "sweep.json"
    if not report.is_file():
        return
    there = read_json(report)["spec"]
    if there["study"] == spec["study"] and there["mode"] == spec["mode"] and there["trials"] >= spec["trials"]:
        raise InputError(
            f"the budget of {spec['trials']} trials is spent: {out} holds {there['trials']} of them; "
            f"allowed are more than that, such as --trials {there['trials'] + spec['batch']}"
        )
