"""The command line: what people call, and one verb for every stage of the workflow. Each imports what it needs."""

import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adkd.base.errors import InputError, RunError, one_line
from adkd.base.files import REFUSED

if TYPE_CHECKING:
    from adkd.base.keys import Keys

CHECK, STAGES_PANEL = "Look around and check", "Steps of the workflow"

app = typer.Typer(
    help="Reproducibility benchmark suite for attribution-driven knowledge distillation (AD-KD).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

Config = Annotated[
    list[Path] | None,
    typer.Option("--configfile", "--config", "-c", help="Config file or name, e.g. tiny; later ones go over earlier."),
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Directory of the results; by default $ADKD_RESULTS, else results.")
]
Planned = Annotated[
    str | None, typer.Option("--planned", metavar="DIGEST", help="Stop if the file is not the one of this digest.")
]
GridFile = Annotated[Path | None, typer.Argument(readable=False, help="Grid, RESULTS/plan/grid.json by default.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"adkd {version('adkd')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Reproducibility benchmark suite for attribution-driven knowledge distillation (AD-KD)."""


@app.command()
def run(
    method: Annotated[str, typer.Option(help="A method, see `adkd methods`.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    seed: Annotated[int, typer.Option(help="Seed of the student.")] = 1,
    config: Config = None,
    root: Root = None,
) -> None:
    """Make one student without Snakemake, and what is missing of its data, teacher and signals."""
    from adkd.by_hand import run_student

    results = _results(root)
    report = run_student(_config(config), method, task, seed, results)
    for split, values in report.scores.items():
        typer.echo(f"{split}: " + ", ".join(f"{name} {value:.4f}" for name, value in values.items()))
    file = results.report_file(report.spec.result, report.spec.stage)
    typer.echo(f"{file} holds the spec, the scores and the history; model and predictions lie beside it")


@app.command()
def sweep(
    method: Annotated[str, typer.Option(help="A method, see `adkd methods`.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    trials: Annotated[int | None, typer.Option(min=1, help="The budget, if not the config's.")] = None,
    config: Config = None,
    root: Root = None,
) -> None:
    """Search one method's settings on one task without Snakemake; continues from the trials that exist."""
    from adkd.by_hand import run_study

    typer.echo(run_study(_config(config), method, task, trials, _results(root)))


@app.command()
def evaluate(
    model: Annotated[str, typer.Option(help="A sequence classifier: a directory, or OWNER/NAME on the hub.")],
    task: Annotated[str, typer.Option(help="A task, see `adkd tasks`.")],
    config: Config = None,
    data: Annotated[Path | None, typer.Option(help="Directory of GLUE's files, instead of a config's data.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Where its tokenizer is, if not beside the model.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of an example; the config's, or 128.")] = None,
    labels: Annotated[str | None, typer.Option(help="Its classes in the order of its outputs: NAME,NAME,...")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write; by default none is written.")] = None,
) -> None:
    """Score any sequence classifier on a task's dev sets; without a config or --data, on those of the hub."""
    from adkd.base import devices
    from adkd.base.files import write_json
    from adkd.plan.checks import validate
    from adkd.plan.config import dev_data

    chosen = validate(_config(config) | {"tasks": [task]}) if config else None
    spec: dict[str, Any] = {
        "model": model,
        "tokenizer": tokenizer,
        "task": task,
        "labels": labels.split(",") if labels else None,
    }
    spec |= dev_data(task, chosen, data) | ({} if max_length is None else {"max_length": max_length})
    with devices.lease(spec["device"]):
        from adkd.evaluation import evaluate

        scores = evaluate.evaluate(spec)
        typer.echo(evaluate.text(scores))
        if out:
            write_json(out, scores)
            typer.echo(f"wrote {out}")


@app.command()
def submission(
    method: Annotated[str, typer.Option(help="A method of the plan, or teacher.")],
    grid: Annotated[Path | None, typer.Option(help="Grid, RESULTS/plan/grid.json by default.")] = None,
    seeds: Annotated[str, typer.Option(help="best (per task, by dev score) or average (of probabilities).")] = "best",
    out: Annotated[Path | None, typer.Option(help="The zip; RESULTS/submissions/METHOD.zip by default.")] = None,
) -> None:
    """Write the zip of test predictions that the GLUE server takes, and where each of its files is from."""
    from adkd.analysis import submission
    from adkd.plan.grid import Grid

    runs = Grid.load(grid or _grid())
    target = out or runs.results.root / "submissions" / f"{method}.zip"
    typer.echo(submission.write(runs, method, target, seeds))


@app.command()
def summary(
    results: Annotated[Path | None, typer.Argument(readable=False, help="Directory of the results.")] = None,
) -> None:
    """Print the main table and where everything lies."""
    from adkd.analysis.tables.stage import summary

    typer.echo(summary(_results(results).root / "tables"))


@app.command(rich_help_panel=CHECK)
def plan(
    config: Config = None,
    root: Root = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Write nothing.")] = False,
) -> None:
    """Check a config, write the spec of every run that it asks for, and count them."""
    from collections import Counter

    from adkd.base.locks import claimed
    from adkd.plan.checks import validate
    from adkd.plan.plan import build

    planned = build(validate(_config(config)), _results(root))
    if not dry_run and (any(planned.changes()) or planned.unplanned()):
        with claimed(planned.results.root, beside_jobs=True):
            planned.write()
    for stage, count in Counter(spec.stage for spec in planned.specs.values()).items():
        typer.echo(f"{stage:<12} {count:>5}")


@app.command(rich_help_panel=CHECK)
def tasks() -> None:
    """List the tasks."""
    from adkd.data.tasks import TASKS

    for task in TASKS.values():
        kind = "regression" if task.regression else f"{task.outputs} classes"
        typer.echo(
            f"{task.name:<10} {task.title:<14} {kind:<11} {task.rows['train']:>7} train rows  {', '.join(task.metrics)}"
        )


@app.command(name="methods", rich_help_panel=CHECK)
def list_methods() -> None:
    """List the methods, their settings and the space that a sweep searches."""
    import json

    from adkd.methods import registry
    from adkd.plan import space

    for name in registry.names():
        typer.echo(f"{name}: {registry.summary(name)}")
        for setting in registry.fields(name):
            typer.echo(f"    {setting.name}: {setting.allowed}; default {json.dumps(setting.default)}. {setting.doc}")
        for variant in space.VARIANTS:
            typer.echo(f"    {variant} space: {space.text(space.space_of(name, variant, {}))}")


@app.command(rich_help_panel=CHECK)
def bench(
    glue: Annotated[
        Path | None, typer.Option(help="Directory of GLUE's original files, for whole runs on them.")
    ] = None,
    part: Annotated[list[str] | None, typer.Option(help="Measure only this part; can be repeated.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of what is timed.")] = 2,
    results: Annotated[Path | None, typer.Option(help="Where bench.json and bench.md go.")] = None,
) -> None:
    """Measure the cost of training and of the workflow, against the published way of doing it."""
    from adkd.bench.measure import measure

    typer.echo(measure(_results(results).root, threads, glue, part or ()))


@app.command(rich_help_panel=CHECK)
def journal(
    spec: Annotated[
        Path, typer.Argument(readable=False, help="Spec of a study, RESULTS/plan/sweeps/METHOD/TASK.json.")
    ],
) -> None:
    """Write the trials of a study as a journal that optuna-dashboard opens."""
    from adkd.plan.results import Results
    from adkd.plan.specs import StudySpec
    from adkd.sweeps import journal

    results, name = Results.of(spec)
    typer.echo(f"wrote {journal.write(results.spec(name, StudySpec), results)}")


def _add_stage(name: str, text: str) -> None:
    """Add the verb of a stage that makes a result from its spec."""

    def verb(
        spec: Annotated[
            Path, typer.Argument(readable=False, help="Spec file, RESULTS/plan/X.json; the result goes to RESULTS/X.")
        ],
        planned: Planned = None,
    ) -> None:
        from adkd.runner import run_file

        run_file(spec, name, planned)

    app.command(name=name, help=text, rich_help_panel=STAGES_PANEL)(verb)


def _add_analysis(name: str, text: str) -> None:
    """Add the verb of a stage that makes tables or figures of a grid."""

    def verb(grid: GridFile = None, planned: Planned = None) -> None:
        from adkd.runner import analyse

        analyse(grid or _grid(), name, planned)

    def scores(
        grid: GridFile = None,
        incomplete: Annotated[
            bool, typer.Option("--incomplete", help="Go on without the runs that failed; every table marks them.")
        ] = False,
        planned: Planned = None,
    ) -> None:
        from adkd.runner import analyse

        analyse(grid or _grid(), name, planned, **({"incomplete": True} if incomplete else {}))

    app.command(name=name, help=text, rich_help_panel=None if name == "report" else STAGES_PANEL)(
        scores if name == "scores" else verb
    )


def _results(root: Path | None):
    from adkd.plan.results import Results

    return Results(root) if root else Results.default()


def _grid() -> Path:
    from adkd.plan.grid import MAIN

    return _results(None).plan_file(MAIN)


def _config(files: list[Path] | None) -> "Keys":
    from adkd.plan.config import DEFAULT_CONFIG, config_file, load_config

    return load_config([config_file(file) for file in files or [DEFAULT_CONFIG]])


def _add_stages() -> None:
    from adkd.plan.stages import ANALYSES, RESULTS

    for stage in RESULTS:
        _add_stage(stage.name, stage.help)
    for stage in ANALYSES:
        _add_analysis(stage.name, stage.help)


_add_stages()


def main() -> None:
    """Entry point: errors meant for the user are one line, 2 for bad input and 1 for a run that failed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports every glyph
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that temporary files go
    try:
        app()
    except (InputError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except BrokenPipeError:  # the reader, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        place = error.filename or "a file"
        print(f"error: {one_line(f'{place}: {error.strerror}')}", file=sys.stderr)
        sys.exit(1)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
