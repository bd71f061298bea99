"""Every file of a results tree damaged in eight ways, each read by the command that consumes it.

``python -m tests.workflow.damage FOLDER`` makes a small tree in FOLDER, unless it is there, and prints what happened.
It uses nothing of the suite but its commands, so that older versions can be tried as well. Whether damage was used in
silence is found by comparing outputs with those of a whole tree.
"""

import ctypes
import hashlib
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.forked import exit_status, import_stages

KINDS = ("flipped", "truncated", "emptied", "deleted", "directory", "html", "unreadable", "another")
OUTCOMES = ("named", "rebuilt", "harmless", "traceback", "unnamed", "silent")
HTML = b"<html><head><title>503</title></head><body>Service Unavailable</body></html>\n"

CONFIG = """
data: {source: generated, rows: {train: 128, validation: 64, test: 16}, max_length: 32}
teacher: {model: tiny_bert, batch_size: 8, epochs: 6, learning_rate: 2.0e-3}
student: {from_teacher_layers: [1, 3]}
tasks: [sst2]
methods: [vanilla_kd, adkd]
seeds: [1, 2]
reference: adkd
settings: {training: {all: {batch_size: 8, epochs: 1, learning_rate: 2.0e-3}}}
explanations: {rows: 6, steps: {teacher: 4, student: 4}}
ablations: {beta: {title: Weight, method: adkd, tasks: [sst2], setting: beta, values: [0.0]}}
sweeps: {trials: 2, batch: 2, seeds: [1], startup: 2, space: {training: {epochs: {low: 1, high: 2}, batch_size: null}}}
"""
TUNED = "settings_from: sweeps\n"

GRID, ABLATION = "results/plan/grid.json", "results/plan/ablations/beta.json"
SPEC = "results/plan/{}.json"
CONSUMERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"data/sst2/(?!test)", ("student", SPEC.format("students/vanilla_kd/sst2/seed-1"))),
    (r"teachers/sst2/seed-shared/model/", ("signals", SPEC.format("signals/sst2/seed-shared/logits"))),
    (r"students/adkd/sst2/seed-1/model/", ("explain", SPEC.format("explanations/students/adkd/sst2/seed-1"))),
    (r"(teachers/sst2/seed-shared|students/adkd/sst2/seed-1)/(metrics|predictions/(?!test))", ("scores", GRID)),
    (r"signals/sst2/seed-shared/logits/", ("student", SPEC.format("students/vanilla_kd/sst2/seed-1"))),
    (r"signals/sst2/seed-shared/maps-all-1/", ("student", SPEC.format("students/adkd/sst2/seed-1"))),
    (r"explanations/(teachers/sst2/seed-shared|students/adkd/sst2/seed-1)/", ("fidelity", GRID)),
    (r"latency/", ("cost", GRID)),
    (r"\.?scores\.csv", ("tables", GRID)),
    (r"tables/\.?main\.txt", ("summary", "results")),
    (r"(ablations/beta/)?tables/[^/]*\.csv", ("report", GRID)),
    (r"(ablations/beta/)?figures/[^/]*\.svg", ("report", GRID)),
    (r"plan/grid\.json", ("tables", GRID)),
    (r"plan/ablations/beta\.json", ("tables", ABLATION)),
    (r"plan/students/adkd/sst2/seed-1\.json", ("student", SPEC.format("students/adkd/sst2/seed-1"))),
    (r"plan/signals/sst2/seed-shared/logits\.json", ("signals", SPEC.format("signals/sst2/seed-shared/logits"))),
    (r"sweeps/vanilla_kd/sst2/.*trial\.json", ("study", SPEC.format("sweeps/vanilla_kd/sst2"))),
    (r"sweeps/vanilla_kd/sst2/(sweep\.json|best\.yaml)", ("plan", "-c", "config.yaml", "-c", "tuned.yaml")),
    (r"cache/tiny_bert[^/]*/", ("teacher", SPEC.format("teachers/sst2/seed-shared"))),
)  # fmt: skip
"""What lies where, below ``results`` or beside it -> the command that reads it."""


@dataclass(frozen=True)
class Case:
    """One damaged file and what became of it."""

    path: str
    kind: str
    outcome: str
    said: str


def run(folder: Path, *arguments: str, limit: int = 0) -> tuple[int, str]:
    """Carry out ``adkd`` in a fork of this process, in ``folder``; its exit status and what it printed.

    File permissions count there, also for root. After ``limit`` seconds, if not 0, it is stopped by a signal.
    """
    with tempfile.TemporaryFile() as output:
        if not (process := os.fork()):
            try:
                os.chdir(folder)
                signal.alarm(limit)
                for descriptor in (1, 2):
                    os.dup2(output.fileno(), descriptor)
                # pytest has put files of its own in their place
                sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
                sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
                os.environ |= {"ADKD_CACHE": "cache", "ADKD_LEASE_DIR": str(folder / "leases")}
                heed_permissions()
                sys.argv = ["adkd", *arguments]
                os._exit(exit_status(import_module("adkd.__main__").main))
            finally:
                os._exit(70)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        output.seek(0)
        return status, output.read().decode(errors="replace")


def heed_permissions() -> None:
    """Give up the right of root to ignore the permissions of files."""
    if os.geteuid() == 0:
        override = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.capget(header, data)
        for word in (0, 1):  # effective, permitted
            data[word] &= ~override
        if libc.capset(header, data):
            raise OSError(ctypes.get_errno(), "capset")


def made(folder: Path) -> None:
    """Make a small tree with one of everything, in ``folder``."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "tuned.yaml").write_text(TUNED)

    def must(*arguments: str) -> None:
        status, said = run(folder, *arguments)
        assert status == 0, (arguments, said[-3000:])

    must("plan", "-c", "config.yaml")
    plan = folder / "results/plan"
    order = (("data", "data"), ("teachers", "teacher"), ("signals", "signals"), ("students", "student"))
    for room, stage in (*order, ("explanations", "explain"), ("latency", "latency")):
        for spec in sorted((plan / room).rglob("*.json")):
            must(stage, spec.relative_to(folder).as_posix())
    for method in ("vanilla_kd", "adkd"):
        must("sweep", "--method", method, "--task", "sst2", "-c", "config.yaml")
    must("plan", "-c", "config.yaml")
    for stage in ("scores", "tables", "curve"):
        must(stage, ABLATION)
    for stage in ("scores", "tables", "figures", "fidelity", "cost", "report"):
        must(stage, GRID)


def consumed(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every file that a command reads, relative to ``folder``, and the command."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        short = name.removeprefix("results/")
        for pattern, command in CONSUMERS:
            if path.is_file() and re.match(pattern, short):
                yield name, command


def damage(folder: Path, name: str, kind: str) -> None:
    """Damage one file of a copy of a tree; the copy may share its content with the tree."""
    path = folder / name
    content, mode = path.read_bytes(), path.stat().st_mode
    other = another(folder, path) if kind == "another" else b""
    path.unlink()
    if kind == "deleted":
        return
    if kind == "directory":
        path.mkdir()
        return
    middle = len(content) // 2
    path.write_bytes({
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else b"\1",
        "truncated": content[:middle],
        "emptied": b"",
        "html": HTML,
        "unreadable": content,
        "another": other,
    }[kind])  # fmt: skip
    path.chmod(0 if kind == "unreadable" else stat.S_IMODE(mode))


def another(folder: Path, path: Path) -> bytes:
    """The valid content of another file of the same kind, from the nearest place."""
    content = path.read_bytes()

    def distance(other: Path) -> tuple:
        mine, theirs = path.relative_to(folder).parts, other.relative_to(folder).parts
        return other.name != path.name, len(set(mine) ^ set(theirs)), theirs

    for other in sorted(folder.rglob(f"*{path.suffix}"), key=distance):
        if other.is_file() and other.read_bytes() != content:
            return other.read_bytes()
    return content.replace(b"\n", b"\n\n", 1)


def outputs(folder: Path, damaged: str) -> dict[str, str]:
    """The digests of all that does not hold times, the damaged file aside."""
    suffixes = {".parquet", ".safetensors", ".arrow", ".csv", ".md", ".html", ".svg", ".txt"}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results").rglob("*"))
        if path.suffix in suffixes and path.is_file() and not path.name.startswith(".")
        if (name := path.relative_to(folder).as_posix()) != damaged and os.access(path, os.R_OK)
    }


@contextmanager
def copied(tree: Path) -> Iterator[Path]:
    """A copy of a tree, which shares the content of its files, until the end of the block."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as temporary:
        yield Path(shutil.copytree(tree, Path(temporary, "tree"), copy_function=os.link))


class Tried:
    """Damages copies of a tree, and says what a command makes of it."""

    def __init__(self, tree: Path):
        self.tree = tree
        self._undamaged: dict[tuple[str, ...], dict[str, str]] = {}

    def __call__(self, name: str, kind: str, command: tuple[str, ...]) -> Case:
        """What became of one damaged file."""
        status, said, after, mended = self._run(command, lambda folder: damage(folder, name, kind), name)
        last = (said.strip().splitlines() or [""])[-1]
        if "Traceback" in said:
            outcome = "traceback"
        elif status:
            outcome = "named" if name.removeprefix("results/") in last else "unnamed"
        else:
            if command not in self._undamaged:
                self._undamaged[command] = self._run(command, lambda folder: None)[2]
            expected = {path: digest for path, digest in self._undamaged[command].items() if path != name}
            outcome = "harmless" if after == expected else "silent"
            if outcome == "harmless" and mended:
                outcome = "rebuilt"
        return Case(name, kind, outcome, last[-400:])

    def _run(
        self, command: tuple[str, ...], change: Callable[[Path], None], name: str = ""
    ) -> tuple[int, str, dict[str, str], bool]:
        with copied(self.tree) as folder:
            change(folder)
            status, said = run(folder, *command)
            file, whole = folder / name, self.tree / name
            mended = file.is_file() and file.stat().st_mode == whole.stat().st_mode
            mended = mended and file.read_bytes() == whole.read_bytes()
            return status, said, outputs(folder, name), mended


def prepared(folder: Path) -> Path:
    """The tree below ``folder``, made unless it is there."""
    import_stages()
    if not (folder / "tree/results/report.html").exists():
        (folder / "tree").mkdir(parents=True, exist_ok=True)
        made(folder / "tree")
    return folder / "tree"


def main(folder: Path) -> None:
    """Try all kinds on all files, and print a table and every case that is not as it should be."""
    tree = prepared(folder.absolute())
    tried, counts, cases = Tried(tree), Counter(), []
    for name, command in consumed(tree):
        for kind in KINDS:
            case = tried(name, kind, command)
            place = "cache" if name.startswith("cache") else "plan" if "results/plan/" in name else "results"
            counts[place, case.outcome] += 1
            cases.append(case)
            if case.outcome not in ("named", "rebuilt"):
                print(f"{case.outcome:<10} {kind:<10} {name}: {case.said}", flush=True)
    for place in ("results", "plan", "cache"):
        total = sum(count for (where, _), count in counts.items() if where == place)
        print(f"{place}: {total} cases; " + ", ".join(f"{counts[place, o]} {o}" for o in OUTCOMES))


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    main(Path(sys.argv[1]))
