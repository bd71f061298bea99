"""The command line: one sub-command per rule of the workflow, and a few to look around. Each imports what it needs."""

import gc
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from adkd.base.errors import InputError, RunError

app = typer.Typer(
    help="Reproducibility benchmark suite for attribution-driven knowledge distillation (AD-KD).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Spec = Annotated[Path, typer.Argument(help="Spec file, results/plan/X.json; the result goes to results/X.")]
Grid = Annotated[Path, typer.Argument(help="The plan's list of runs.")]
Config = Annotated[
    list[Path] | None,
    typer.Option("--configfile", "--config", "-c", help="Config file or name, e.g. tiny; later ones go over earlier."),
]
GRID = Path("results/plan/grid.json")


@app.command()
def tasks() -> None:
    """List the tasks."""
    from adkd.data.tasks import TASKS

    for task in TASKS.values():
        kind = "regression" if task.regression else f"{task.outputs} classes"
        typer.echo(
            f"{task.name:<10} {task.title:<14} {kind:<11} {task.rows['train']:>7} train rows  {', '.join(task.metrics)}"
        )


@app.command(name="methods")
def list_methods() -> None:
    """List the methods, their settings and what a sweep searches."""
    import json

    from adkd.methods import registry
    from adkd.plan import space

    for name in registry.names():
        typer.echo(f"{name}: {registry.summary(name)}")
        for setting in registry.fields(name):
            typer.echo(f"    {setting.name}: {setting.allowed}; default {json.dumps(setting.default)}. {setting.doc}")
        for variant in space.VARIANTS:
            typer.echo(f"    {variant} space: {space.text(space.space_of(name, variant, {}))}")


@app.command()
def data(spec: Spec) -> None:
    """Load, check and tokenise one task."""
    _make(spec, "data")


@app.command()
def teacher(spec: Spec) -> None:
    """Train one teacher."""
    _make(spec, "teacher")


@app.command()
def signals(spec: Spec) -> None:
    """Compute one signal of one teacher."""
    _make(spec, "signals")


@app.command()
def student(spec: Spec) -> None:
    """Train one student."""
    _make(spec, "student")


@app.command(name="round")
def next_round(spec: Spec) -> None:
    """Write the specs of the trials of one round of a sweep, from the results of earlier rounds."""
    _make(spec, "round")


@app.command()
def trial(spec: Spec) -> None:
    """Carry out one trial of a sweep with one seed."""
    _make(spec, "trial")


@app.command()
def worker(spec: Spec) -> None:
    """Carry out trials of a sweep beside other workers, until its budget is spent."""
    _make(spec, "worker")


@app.command()
def best(spec: Spec) -> None:
    """Write what a sweep found, from its trials."""
    _make(spec, "sweep")


@app.command()
def explain(spec: Spec) -> None:
    """Ask one model for its reasons: token attributions on the dev set, and how faithful they are."""
    _make(spec, "explanation")


@app.command()
def latency(spec: Spec) -> None:
    """Measure how long one model takes to answer."""
    _make(spec, "latency")


@app.command()
def scores(grid: Grid = GRID) -> None:
    """Collect the scores of every planned run into one file."""
    from adkd.analysis.collect.scores import collect

    collect(grid, _out(grid) / "scores.csv")


@app.command()
def tables(grid: Grid = GRID) -> None:
    """Write the main table and the significance tables."""
    from adkd.analysis.tables import stage as tables

    tables.write(grid, _out(grid) / "scores.csv", _out(grid) / "tables")


@app.command()
def figures(grid: Grid = GRID) -> None:
    """Draw the figures."""
    from adkd.analysis.figures import stage as figures

    figures.write(grid, _out(grid) / "scores.csv", _out(grid) / "tables", _out(grid) / "figures")


@app.command()
def curve(grid: Grid) -> None:
    """Draw the figure of an ablation from its grid, results/plan/ablations/NAME.json."""
    from adkd.analysis.figures import curve

    curve.write(grid, _out(grid) / "scores.csv", _out(grid) / "figures")


@app.command()
def fidelity(grid: Grid = GRID) -> None:
    """Hold students' reasons against their teachers': collect, table and figure."""
    from adkd.analysis.collect import fidelity
    from adkd.analysis.figures import fidelity as fidelity_figure
    from adkd.analysis.tables import fidelity as fidelity_table

    out = _out(grid)
    fidelity.collect(grid, out / "fidelity.csv")
    fidelity_table.write(grid, out / "fidelity.csv", out / "tables")
    fidelity_figure.write(grid, out / "scores.csv", out / "fidelity.csv", out / "figures")


@app.command()
def cost(grid: Grid = GRID) -> None:
    """Write the table and the figure of what every method costs."""
    from adkd.analysis.figures import cost

    cost.write(grid, _out(grid) / "scores.csv", _out(grid) / "tables", _out(grid) / "figures")


@app.command()
def tuning(grid: Grid = GRID) -> None:
    """Write the table and the figure of what sweeps cost and bought."""
    from adkd.analysis.figures import tuning

    tuning.write(grid, _out(grid) / "tables", _out(grid) / "figures")


@app.command()
def report(grid: Grid = GRID) -> None:
    """Write the results page, results/report.html; it opens from disk and needs no network."""
    from adkd.analysis.page import page

    page.write(grid, _out(grid) / "report.html")
    typer.echo(f"wrote {_out(grid) / 'report.html'}")


@app.command()
def summary(
    results: Annotated[Path, typer.Argument(help="Directory of the results.")] = Path("results"),
) -> None:
    """Print the main table and where everything lies."""
    from adkd.analysis.tables.stage import summary

    typer.echo(summary(results / "tables"))


@app.command()
def submission(
    method: Annotated[str, typer.Option(help="A method of the plan, or teacher.")],
    grid: Annotated[Path, typer.Option(help="The plan's list of runs.")] = GRID,
    seeds: Annotated[str, typer.Option(help="best (per task, by dev score) or average (of probabilities).")] = "best",
    out: Annotated[Path | None, typer.Option(help="The zip; results/submissions/METHOD.zip if not given.")] = None,
) -> None:
    """Write the zip of test predictions that the GLUE server takes, and say where each of its files is from."""
    from adkd.analysis import submission

    typer.echo(submission.write(grid, method, out or grid.parents[1] / "submissions" / f"{method}.zip", seeds))


@app.command()
def evaluate(
    model: Annotated[str, typer.Option(help="A sequence classifier: a directory, or OWNER/NAME on the hub.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    config: Config = None,
    data: Annotated[Path | None, typer.Option(help="Directory of GLUE's files, instead of a config's data.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Where its tokenizer is, if not beside the model.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of an example; the config's, or 128.")] = None,
    labels: Annotated[str | None, typer.Option(help="Its classes in the order of its outputs: NAME,NAME,...")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write; without it nothing is written.")] = None,
) -> None:
    """Score any sequence classifier on a task's dev sets; without a config or --data, on those of the hub."""
    from adkd.base import devices
    from adkd.base.files import write_json
    from adkd.plan import plan as planning
    from adkd.plan.config import dev_data

    spec = {"model": model, "tokenizer": tokenizer, "task": task, "labels": labels.split(",") if labels else None}
    chosen = planning.validate(planning.load_config(config) | {"tasks": [task]}) if config else None
    spec |= dev_data(task, chosen, data) | ({} if max_length is None else {"max_length": max_length})
    with devices.lease(spec["device"]):
        from adkd.evaluation import evaluate

        found = evaluate.evaluate(spec)
        typer.echo(evaluate.text(found))
        if out:
            write_json(out, found)
            typer.echo(f"wrote {out}")


@app.command()
def plan(config: Config = None) -> None:
    """Check a config, write the spec of every run it means to results/plan/, and say how many there are."""
    from collections import Counter

    from adkd.plan import plan as planning

    specs = planning.write(planning.validate(planning.load_config(_configs(config)))).specs
    for stage, count in Counter(spec["stage"] for spec in specs.values()).items():
        typer.echo(f"{stage:<12} {count:>5}")


@app.command()
def run(
    method: Annotated[str, typer.Option(help="A method, see `adkd methods`.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    seed: Annotated[int, typer.Option(help="Seed of the student.")] = 1,
    config: Config = None,
) -> None:
    """One run without Snakemake: data, teacher, signals and student, as far as they are not there yet."""
    from adkd.base.files import read_json
    from adkd.plan import plan as planning
    from adkd.runner import make_run

    report = make_run(planning.load_config(_configs(config)), method, task, seed)
    found = read_json(report)
    for split, values in found["scores"].items():
        typer.echo(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in values.items()))
    typer.echo(f"{report} holds the spec, the scores and the history; model and predictions lie beside it")


@app.command()
def sweep(
    method: Annotated[str, typer.Option(help="A method, see `adkd methods`.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    trials: Annotated[int | None, typer.Option(min=1, help="The budget, if not the config's.")] = None,
    config: Config = None,
) -> None:
    """Search one method's settings on one task, without Snakemake; goes on from the trials that are there."""
    from adkd import by_hand
    from adkd.plan import plan as planning

    typer.echo(by_hand.sweep(planning.load_config(_configs(config)), method, task, trials))


@app.command()
def journal(spec: Spec) -> None:
    """Write the trials of a sweep, results/plan/sweeps/METHOD/TASK.json, as a journal that optuna-dashboard opens."""
    from adkd.plan import plan as planning
    from adkd.sweeps import journal

    typer.echo(f"wrote {journal.write(planning.read_spec(spec, 'sweep'), planning.result_of(spec))}")


@app.command()
def bench(
    glue: Annotated[
        Path | None, typer.Option(help="Directory of GLUE's original files, for whole runs on them.")
    ] = None,
    part: Annotated[list[str] | None, typer.Option(help="Measure this part alone; may be given again.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of what is timed.")] = 2,
    results: Annotated[Path, typer.Option(help="Where bench.json and bench.md go.")] = Path("results"),
) -> None:
    """Measure what training and the workflow cost, against the published way of doing it."""
    from adkd.bench.measure import measure

    typer.echo(measure(results, threads, glue, part or ()))


def _out(grid: Path) -> Path:
    from adkd.analysis.grid import read_grid

    return read_grid(grid).out


def _configs(config: list[Path] | None) -> list[Path]:
    from adkd.plan import plan as planning

    return [planning.config_file(path) for path in config or [planning.DEFAULT_CONFIG]]


def _make(path: Path, stage: str) -> None:
    from adkd.runner import make

    make(path, stage)


def main() -> None:
    """Entry point: errors meant for the user are one line, 2 for bad input and 1 for a run that failed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every glyph
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that temporary files go
    try:
        app()
    except (InputError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
