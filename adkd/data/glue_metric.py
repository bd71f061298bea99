"""GLUE's metrics for ``evaluate``, without its hub: by scikit-learn and scipy, independent of the suite's formulas."""

import datasets
import evaluate
import numpy as np

from adkd.data.metrics import answers, library
from adkd.data.tasks import Task, task


class GlueMetric(evaluate.Metric):
    """The official metrics of the task whose name is the ``config_name``.

    ``evaluate.load("glue", "mrpc")`` returns the same numbers, but downloads the metric from the hub.
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
        return library(self.task, np.asarray(predictions), np.asarray(references))


def glue_scores(task: Task, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's metrics by ``GlueMetric``; arguments and errors as for ``adkd.data.metrics.scores``."""
    metric = GlueMetric(config_name=task.name, keep_in_memory=True)
    return metric.compute(predictions=answers(task, logits, labels), references=labels)
