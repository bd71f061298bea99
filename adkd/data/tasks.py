"""The tasks, as a table. Nothing elsewhere in the suite knows a task by its name."""

from dataclasses import dataclass, field

from adkd.base.errors import unknown


@dataclass(frozen=True)
class Task:
    """One task: what its examples look like and how it is scored."""

    name: str
    title: str
    text: tuple[str, ...]
    """Names of the one or two text columns, as in ``datasets``."""
    labels: tuple[str, ...]
    """Class names in the order of their numbers; empty for regression."""
    metrics: tuple[str, ...]
    """The official metrics; the first is the one that tables show and epochs are selected by."""
    rows: dict[str, int] = field(hash=False)
    """Official number of examples in every split."""
    hidden: frozenset[str] = frozenset({"test"})
    """Splits whose labels are not published: predicted, never scored."""
    glue: bool = True
    """False for the tasks that come with the suite and are not part of GLUE."""

    @property
    def regression(self) -> bool:
        return not self.labels

    @property
    def outputs(self) -> int:
        """Number of logits: C classes, or 1 for regression."""
        return max(1, len(self.labels))

    def splits(self, role: str) -> tuple[str, ...]:
        """The splits behind a role: ``validation`` is two splits for MNLI, one elsewhere."""
        names = tuple(split for split in self.rows if split == role or split.startswith(role + "_"))
        if not names:
            raise unknown(f"split of {self.name}", role, self.rows)
        return names


HIDDEN = -1
"""Stands for a label that is not published; -1.0 for regression, as on the hub. No task has it as a real label."""

BINARY = ("negative", "positive")
ENTAILMENT = ("entailment", "not_entailment")
PAIR = ("sentence1", "sentence2")
ACCURACY = ("accuracy",)


def _rows(train: int, validation: int, test: int) -> dict[str, int]:
    return {"train": train, "validation": validation, "test": test}


_ALL = (
    Task(
        "cola",
        "CoLA",
        ("sentence",),
        ("unacceptable", "acceptable"),
        ("matthews_correlation",),
        _rows(8551, 1043, 1063),
    ),
    Task("sst2", "SST-2", ("sentence",), BINARY, ACCURACY, _rows(67349, 872, 1821)),
    Task("mrpc", "MRPC", PAIR, ("not_equivalent", "equivalent"), ("f1", "accuracy"), _rows(3668, 408, 1725)),
    Task("stsb", "STS-B", PAIR, (), ("spearmanr", "pearsonr"), _rows(5749, 1500, 1379)),
    Task(
        "qqp",
        "QQP",
        ("question1", "question2"),
        ("not_duplicate", "duplicate"),
        ("accuracy", "f1"),
        _rows(363846, 40430, 390965),
    ),
    Task(
        "mnli",
        "MNLI",
        ("premise", "hypothesis"),
        ("entailment", "neutral", "contradiction"),
        ACCURACY,
        {
            "train": 392702,
            "validation_matched": 9815,
            "validation_mismatched": 9832,
            "test_matched": 9796,
            "test_mismatched": 9847,
        },
        hidden=frozenset({"test_matched", "test_mismatched"}),
    ),
    Task("qnli", "QNLI", ("question", "sentence"), ENTAILMENT, ACCURACY, _rows(104743, 5463, 5463)),
    Task("rte", "RTE", PAIR, ENTAILMENT, ACCURACY, _rows(2490, 277, 3000)),
    Task("wnli", "WNLI", PAIR, ENTAILMENT[::-1], ACCURACY, _rows(635, 71, 146)),
    # The suite's own tasks: their splits are made by ``adkd.data.embedded``, so these counts are official here.
    Task(
        "movies",
        "Movie reviews",
        ("sentence",),
        BINARY,
        ACCURACY,
        _rows(8566, 1000, 1000),
        hidden=frozenset(),
        glue=False,
    ),
    Task(
        "privacyqa",
        "PrivacyQA",
        ("question", "context"),
        ("irrelevant", "relevant"),
        ACCURACY,
        _rows(7880, 1202, 1841),
        hidden=frozenset(),
        glue=False,
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def task(name: str) -> Task:
    """The task of that name.

    Raises:
        InputError: no task has that name.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]
