"""GLUE's metrics for ``evaluate``, without its hub: by scikit-learn and scipy, independent of the suite's formulas."""

from importlib import import_module

import datasets
import evaluate
import numpy as np

from adkd.data.metrics import METRICS, Metric
from adkd.data.tasks import task


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
        labels, answers = np.asarray(references), np.asarray(predictions)
        return {name: library_value(METRICS[name], labels, answers) for name in self.task.metrics}


def library_value(metric: Metric, labels: np.ndarray, predictions: np.ndarray) -> float:
    """A metric by its library's function; 0 for a correlation with a constant.

    Args:
        metric: a record of ``METRICS``.
        labels: [n] class numbers or values.
        predictions: [n], the same.
    """
    module, name = metric.library
    constant = metric.of != "classes" and any(values.min() == values.max() for values in (labels, predictions))
    if constant:
        return 0.0
    value = getattr(import_module(module), name)(labels, predictions)
    return float(getattr(value, "statistic", value))
