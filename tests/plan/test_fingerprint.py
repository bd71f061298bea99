"""A fingerprint changes with the code that a root reaches, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from adkd.base.errors import InputError
from adkd.methods import registry
from adkd.plan import fingerprint

FILES = {
    "adkd/__init__.py": "",
    "adkd/run.py": "import json\nfrom adkd import losses\n\n\ndef run():\n    from adkd.deep import inner\n",
    "adkd/losses.py": '"""Losses."""\n\n\ndef loss(x):\n    """A loss."""\n    return x * 2  # twice\n',
    "adkd/deep/__init__.py": "",
    "adkd/deep/inner.py": "from ..losses import loss\nfrom . import beside\n",
    "adkd/deep/beside.py": "A: int = 1\n",
    "adkd/unrelated.py": "B = 1\n",
    "baselines/__init__.py": "",
    "baselines/pkd.py": "import adkd.methods.losses as l\n",
    "baselines/other.py": "C = 1\n",
}


@pytest.fixture
def top(tmp_path):
    for name, text in FILES.items():
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_text(text)
    return tmp_path / "here"


def of_run(top: Path) -> str:
    return fingerprint.code(top / "adkd/run.py")


@pytest.mark.parametrize("file", ["adkd/run.py", "adkd/losses.py", "adkd/deep/inner.py", "adkd/deep/beside.py"])
def test_code_counts_that_is_imported_in_whatever_way(top, file):
    before = of_run(top)
    (top / file).write_text(FILES[file] + "\nNEW = 1\n")
    assert of_run(top) != before


@pytest.mark.parametrize("file", ["adkd/unrelated.py", "baselines/pkd.py", "baselines/other.py"])
def test_other_code_does_not_count(top, file):
    before = of_run(top)
    (top / file).write_text("NEW = 1\n")
    assert of_run(top) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("adkd/losses.py", "# twice", "# two times"),
        ("adkd/losses.py", '"""A loss."""', '"""A better docstring."""'),
        ("adkd/losses.py", '    """A loss."""\n', ""),
        ("adkd/losses.py", "x * 2", "(x\n        * 2)"),
        ("adkd/deep/beside.py", "A: int = 1\n", 'A: int = 1\n"""What it is."""\n'),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(top, file, old, new):
    before = of_run(top)
    assert old in FILES[file]
    (top / file).write_text(FILES[file].replace(old, new))
    assert of_run(top) == before


@pytest.mark.parametrize(("old", "new"), [("x * 2", "x * 3"), ("x * 2", "x + 2"), ("(x)", "(x, y=None)")])
def test_small_changes_count(top, old, new):
    before = of_run(top)
    (top / "adkd/losses.py").write_text(FILES["adkd/losses.py"].replace(old, new))
    assert of_run(top) != before


def test_the_place_does_not_count(top, tmp_path):
    before = of_run(top)
    shutil.copytree(top, tmp_path / "there" / "below")
    assert of_run(tmp_path / "there" / "below") == before


def test_every_root_counts_whatever_the_order(top):
    run, pkd, other = top / "adkd/run.py", top / "baselines/pkd.py", top / "baselines/other.py"
    assert len({fingerprint.code(run), fingerprint.code(run, pkd), fingerprint.code(run, other)}) == 3
    assert fingerprint.code(run, pkd) == fingerprint.code(pkd, run)


def test_a_missing_root_is_an_error(top):
    with pytest.raises(InputError, match="is not a module"):
        fingerprint.code(top / "adkd/nothing.py")


def test_no_method_reaches_another_one():
    files = {name: registry.file(name) for name in registry.names()}
    for name, file in files.items():
        text = file.read_text()
        assert not any(f"baselines.{other}" in text for other in files if other != name)
