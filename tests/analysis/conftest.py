"""Small result trees, written as real files: what training would have left."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from adkd.base.files import write_json
from adkd.data.tasks import Task, task

Tree = Callable[..., Path]

EXAMPLES = 60
COSTS = {"seconds": 12.5, "peak_memory_bytes": 3 * 2**29, "flops": 4 * 10**12, "parameters": 11_000_000}
SCORES = {
    "accuracy": accuracy_score,
    "f1": f1_score,
    "matthews_correlation": matthews_corrcoef,
    "spearmanr": lambda y, z: spearmanr(y, z)[0],
    "pearsonr": lambda y, z: pearsonr(y, z)[0],
}


def outputs(one: Task, skill: float, rng: np.random.Generator) -> pd.DataFrame:
    """Labels that are always the same, and logits that are the better the higher ``skill``."""
    fixed = np.random.default_rng(0)
    classes = fixed.integers(0, max(2, one.outputs), EXAMPLES)
    labels = classes + fixed.random(EXAMPLES).round(1) if one.regression else classes
    noise = rng.normal(size=(EXAMPLES, one.outputs))
    logits = labels[:, None] * skill + noise if one.regression else np.eye(one.outputs)[classes] * skill + noise
    columns = {f"logit_{number}": logits[:, number].astype("float32") for number in range(one.outputs)}
    return pd.DataFrame({"idx": np.arange(EXAMPLES), "label": labels.astype(float)} | columns)


def score(one: Task, table: pd.DataFrame) -> dict[str, float]:
    logits = table.filter(like="logit_").to_numpy()
    labels = table["label"] if one.regression else table["label"].astype(int)
    predicted = logits[:, 0] if one.regression else logits.argmax(1)
    return {metric: float(SCORES[metric](labels, predicted)) for metric in one.metrics}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a tree and returns its ``results``; ``skill`` of each method, the higher the better."""

    def make(
        tasks: tuple[str, ...] = ("stsb", "rte"),
        skill: dict[str, float] | None = None,
        seeds: tuple[int, ...] = (1, 2, 3),
        skipped: tuple[tuple[str, str], ...] = (),
        **more: object,
    ) -> Path:
        skill = skill or {"finetune": 1.0, "vanilla_kd": 1.3, "adkd": 1.5}
        results, rng = tmp_path / "results", np.random.default_rng(7)
        roles = more.get("score", ["validation"])

        def run(place: str, spec: dict[str, object], ability: float) -> str:
            one, found = task(str(spec["task"])), {}
            write_json(results / "plan" / f"{place}.json", spec)
            for split in (split for role in roles for split in one.splits(role)):
                table = outputs(one, ability, rng)
                path = results / place / "predictions" / f"{split}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                table.to_parquet(path, index=False)
                if split not in one.hidden:
                    found[split] = score(one, table)
            write_json(results / place / "metrics.json", {"spec": spec, "scores": found} | COSTS)
            return f"results/{place}"

        teachers = [
            {"task": t, "seed": "shared", "result": run(f"teachers/{t}/seed-shared", {"task": t, "settings": {}}, 3)}
            for t in tasks
        ]
        runs = [
            {"method": m, "task": t, "seed": s}
            | {
                "result": run(
                    f"students/{m}/{t}/seed-{s}",
                    {"method": m, "task": t, "seed": s, "settings": {"alpha": 0.9}},
                    skill[m],
                )
            }
            for t in tasks
            for m in skill
            for s in seeds
            if (m, t) not in skipped
        ]
        grid = {
            "tasks": list(tasks),
            "methods": list(skill),
            "labels": {method: method for method in skill},
            "seeds": list(seeds),
            "reference": "adkd",
            "score": ["validation"],
            "selection": "dev",
            "source": "embedded",
            "teacher_model": "minilm_l6",
            "student": {"from_teacher_layers": [0, 1, 4]},
            "absent": {},
            "notes": ["A note of the plan."],
            "runs": runs,
            "teachers": teachers,
            "skipped": [{"method": m, "task": t, "reason": "needs classes"} for m, t in skipped],
        }
        write_json(results / "plan" / "grid.json", grid | more)
        return results

    return make
