"""What tests change on purpose in files of the suite, as if the suite had written them so."""

from pathlib import Path

from adkd.bench.made_up import report
from adkd.methods.settings import Training
from adkd.plan.reports import RunReport
from adkd.plan.results import Results
from adkd.plan.specs import OfData, TeacherSpec


def reported(directory: Path) -> None:
    """Write the report of a run again, for the files that lie in its directory now."""
    file = directory / "metrics.json"
    RunReport.read(file, "").write_last(file)


def modelled(results: Results, name: str, model) -> None:
    """Write a result that has nothing but a model and a report."""
    directory = results.directory(name)
    model.save_pretrained(directory / "model")
    spec = TeacherSpec(
        result=name,
        code="",
        task="mnli",
        device="cpu",
        threads=1,
        seed=0,
        model="tiny_bert",
        training=Training(),
        selection="dev",
        margin=0.0,
        evaluate=(),
        inputs=OfData(data="data/mnli"),
    )
    report(spec, {}).write_last(directory / "metrics.json")
