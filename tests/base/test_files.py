"""Files are written whole or not at all, wherever they go, and read only as they were written."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from adkd.base.checked import checked_bytes, checksum_file, new_checked_file
from adkd.base.disk import check_room, check_writable
from adkd.base.errors import InputError, RunError
from adkd.base.files import (
    new_directory,
    new_file,
    write_json,
    write_text,
)
from adkd.base.stage_records import Report, Spec


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def filled(folder: Path, text: str) -> None:
    """Write a directory of two files."""
    with new_directory(folder) as new:
        (new / "one").write_text(text)
        (new / "two").write_text(text)


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk; skips the test where that is not permitted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(options: str) -> Path:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
        if done.returncode:
            pytest.skip("this user may not mount a disk")
        return folder

    try:
        yield mounted
    finally:
        subprocess.run(["umount", folder], capture_output=True)


def test_a_link_is_followed_and_stays(tmp_path):
    filled(tmp_path / "elsewhere/run", "old")
    (tmp_path / "run").symlink_to("elsewhere/run")
    filled(tmp_path / "run", "new")
    write_text(tmp_path / "elsewhere/file", "old")
    (tmp_path / "file").symlink_to("elsewhere/file")
    write_text(tmp_path / "file", "new")
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "file").is_symlink()
    assert (tmp_path / "elsewhere/run/one").read_text() == (tmp_path / "elsewhere/file").read_text() == "new"
    assert listed(tmp_path / "elsewhere") == ["file", "run"]


def test_a_link_into_nowhere_is_refused(tmp_path):
    (tmp_path / "run").symlink_to("unmounted/run")
    for refused in (check_writable, lambda path: filled(path, "new")):
        with pytest.raises(InputError) as caught:
            refused(tmp_path / "run")
        assert caught.value.what == f"{tmp_path}/run is a link to {tmp_path}/unmounted/run, which does not exist"
    assert listed(tmp_path) == ["run"]


def test_what_dead_writers_left_is_removed_and_what_living_ones_write_stays(tmp_path):
    code = "import sys, os; from pathlib import Path; from adkd.base.files import new_directory\n"
    code += "with new_directory(Path(sys.argv[1])) as new: print(new.name, flush=True); os.kill(os.getpid(), 9)"
    dead = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], capture_output=True, text=True)
    assert listed(tmp_path) == [dead.stdout.strip()]
    with new_directory(tmp_path / "run") as new:
        other = tmp_path / dead.stdout.strip().replace(".run.", ".run.another-host.")
        other.mkdir()
        (tmp_path / ".run.mine").mkdir()
        filled(tmp_path / "run", "inner")
        assert listed(tmp_path) == sorted([".run.mine", "run", new.name, other.name])
        os.utime(other, (0, 0))
    filled(tmp_path / "run", "last")
    assert listed(tmp_path) == [".run.mine", "run"]


def test_writers_of_one_directory_never_fail_and_never_mix(tmp_path):
    def write(number: int) -> None:
        filled(tmp_path / "run", str(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(100)))
    assert len({(tmp_path / "run" / name).read_text() for name in ("one", "two")}) == 1
    assert listed(tmp_path) == ["run"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_whoever_may_read_a_directory_may_read_what_libraries_have_written_there(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with new_directory(tmp_path / "new") as new:
            (new / "model").mkdir()
            save_file({"a": np.zeros(2)}, new / "model/weights.safetensors")
            (new / "report.json").write_text("{}")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o777 for path in files} == {mode}


def test_a_directory_where_a_file_goes_is_refused_and_a_file_where_a_directory_goes_is_replaced(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(InputError) as caught:
        write_text(tmp_path / "place", "")
    assert caught.value.what.startswith(f"{tmp_path}/place is a directory")
    write_text(tmp_path / "run", "a file")
    filled(tmp_path / "run", "new")
    assert listed(tmp_path / "run") == ["one", "two"]


CONTENT = np.random.default_rng(0).random(100_000)


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(CONTENT.tobytes()),
        lambda file: pq.write_table(pa.table({"a": CONTENT}), file),
        lambda file: save_file({"a": CONTENT}, file),
    ],
    ids=["python", "arrow", "safetensors"],
)
def test_a_full_disk_is_one_line_and_the_old_file_stays(disk, write):
    folder = disk("size=64k")
    write_text(folder / "file", "old")
    with (
        pytest.raises(RunError, match=f"{folder}/file cannot be written: No space left on device"),
        new_file(folder / "file") as temporary,
    ):
        write(temporary)
    assert (folder / "file").read_text() == "old"
    assert listed(folder) == ["file"]


def test_a_read_only_disk_is_refused_before_work_and_one_line_after(disk):
    folder = disk("ro")
    with pytest.raises(InputError) as caught:
        check_writable(folder / "students/adkd/rte/seed-1")
    assert "Read-only file system" in caught.value.what
    with pytest.raises(RunError, match="Read-only file system"):
        write_json(folder / "plan/grid.json", {})


def test_room_is_compared_with_what_is_needed(tmp_path):
    check_room(tmp_path / "not/yet/there", 1000)
    with pytest.raises(InputError) as caught:
        check_room(tmp_path / "not/yet/there", 10**18)
    assert "needs about 1,000,000,000,000 MB" in caught.value.what


def test_a_file_in_the_way_is_refused_before_work(tmp_path):
    write_text(tmp_path / "results", "")
    with pytest.raises(InputError) as caught:
        check_writable(tmp_path / "results/students")
    assert "Not a directory" in caught.value.what


def damages(path: Path):
    """Changes of a file; after the last it is a directory."""
    content = path.read_bytes()
    yield lambda: path.write_bytes(content[:5] + bytes([content[5] ^ 1]) + content[6:])
    yield lambda: path.write_bytes(content[:-1])
    yield lambda: path.write_bytes(b"")
    yield lambda: path.write_bytes(b"\xff\xfe")
    yield path.unlink
    yield lambda: (path.unlink(), path.mkdir())


def test_a_checked_file_is_read_only_as_it_was_written(tmp_path):
    path = tmp_path / "scores.csv"
    with new_checked_file(path) as temporary:
        temporary.write_text("method,value\nadkd,0.5\n")
    assert checked_bytes(path, "adkd scores") == b"method,value\nadkd,0.5\n"
    assert (
        subprocess.run(["sha256sum", "-c", checksum_file(path).name], cwd=tmp_path, capture_output=True).returncode == 0
    )
    for file in (path, checksum_file(path)):
        kept = file.read_bytes()
        for change in damages(file):
            change()
            with pytest.raises(InputError) as caught:
                checked_bytes(path, "adkd scores")
            assert "scores.csv" in caught.value.what
            assert caught.value.remedy.endswith("with: adkd scores")
            if file.is_dir():
                file.rmdir()
            file.write_bytes(kept)


def test_a_file_is_stale_when_what_it_was_made_from_has_changed(tmp_path):
    source, path = tmp_path / "results/plan/grid.json", tmp_path / "results/tables/main.csv"
    source.parent.mkdir(parents=True)
    source.write_text("{}")
    with new_checked_file(path, [source]) as temporary:
        temporary.write_text("adkd,0.5\n")
    check = ["sha256sum", "--check", "--strict", checksum_file(path).name]
    assert subprocess.run(check, cwd=path.parent, capture_output=True).returncode == 0
    moved = tmp_path / "elsewhere"
    (tmp_path / "results").rename(moved)
    (tmp_path / "results").symlink_to(moved)
    assert checked_bytes(path, "adkd tables") == b"adkd,0.5\n"
    source.write_text("{ }")
    with pytest.raises(InputError) as caught:
        checked_bytes(path, "adkd tables")
    assert f"{path} is stale: {source} was changed" in caught.value.what
    source.unlink()
    assert checked_bytes(path, "adkd tables") == b"adkd,0.5\n"
    source.mkdir()
    with pytest.raises(InputError, match="cannot be read") as caught:
        checked_bytes(path, "adkd tables")
    assert str(source) in caught.value.what


def test_no_byte_of_a_report_can_change_unnoticed(tmp_path):
    directory, path = tmp_path / "results/data/rte", tmp_path / "results/data/rte/data.json"
    report = Report[Spec](spec=Spec(stage="data", result="data/rte", code="c" * 8))
    with new_directory(directory) as new:
        (new / "train.arrow").write_bytes(b"rows")
        report.write_last(new / "data.json")
    content = path.read_bytes()
    assert Report[Spec].read(path, "adkd data").file(directory, "train.arrow").read_bytes() == b"rows"
    for place in range(0, len(content), 3):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InputError) as caught:
            Report[Spec].read(path, "adkd data")
        assert str(path) in str(caught.value)
        assert caught.value.remedy.endswith("with: adkd data")


def test_a_file_of_a_result_is_read_only_as_it_was_written(tmp_path):
    directory = tmp_path / "results/data/rte"
    write_json(tmp_path / "results/plan/data/rte.json", {})
    with new_directory(directory) as new:
        (new / "model").mkdir()
        (new / "model/weights").write_bytes(b"0123456789")
        Report[Spec](spec=Spec(stage="data", result="data/rte", code="")).write_last(new / "data.json")
    report = Report[Spec].read(directory / "data.json", "")
    path = directory / "model/weights"
    assert report.folder(directory, "model") == directory / "model"
    for change in damages(path):
        change()
        with pytest.raises(InputError) as caught:
            report.folder(directory, "model")
        assert str(path) in caught.value.what
        assert caught.value.remedy.endswith(f"with: adkd data {tmp_path}/results/plan/data/rte.json")
        if path.is_dir():
            path.rmdir()
        path.write_bytes(b"0123456789")
