"""Config files: read as plain values, or refused with the line of what is wrong."""

import pytest

from adkd.base.errors import InputError
from adkd.base.yaml_file import read


def doubled(levels: int) -> bytes:
    """Aliases of aliases: nine times as many values on every level."""
    lines = [b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, levels + 1)]
    return b"a0: &a0 [1]\n" + b"".join(lines)


WRONG = {
    "a section twice": (b"seeds: [1]\ntasks: [rte]\nseeds: [2]\n", 3, "seeds stands twice", "first in line 1"),
    "a setting twice": (
        b"settings:\n adkd:\n  all:\n   beta: 1.0\n   beta: 1.0\n",
        5,
        "settings.adkd.all.beta stands twice",
        "first in line 4",
    ),
    "twice in flow style": (b"data: {rows: 1,\n rows: 2}", 2, "data.rows stands twice", "first in line 1"),
    "twice in a list": (b"x:\n- {a: 1,\n   a: 2}", 3, "x[0].a stands twice", "first in line 2"),
    "twice in JSON": (b'{"x": {"a": 1e-5,\n\t"a": 1}}', 2, "x.a stands twice", "first in line 1"),
    "once between quotes": (b"threads: 1\n'threads': 2", 2, "threads stands twice", "first in line 1"),
    "a number and its text": (b"points:\n 1: a\n '1': b", 3, "points.1 stands twice", "first in line 2"),
    "twice in what is merged": (b"x: &x {a: 1,\n a: 2}\ny: {<<: *x}", 2, "x.a stands twice", "first in line 1"),
    "UTF-16": ("a: 1".encode("utf-16"), 1, "byte 0xff is not UTF-8 text", "save the file as UTF-8"),
    "UTF-16, unmarked": ("# x\na: 1".encode("utf-16-be"), 1, "byte 0x00 is not UTF-8 text", "save the file as UTF-8"),
    "latin-1": ("a: 1\nb: 'é'".encode("latin-1"), 2, "byte 0xe9 is not UTF-8 text", "save the file as UTF-8"),
    "no YAML": (b"a: 1\nb: [", 2, "not YAML: ", None),
    "a tab": (b"a:\n\tb: 1", 2, "not YAML: ", None),
    "a control character": (b"a: 1\nb: \x07", 2, "not YAML: the character", None),
    "two documents": (b"a: 1\n---\nb: 1", 2, "not YAML: ", None),
    "no mapping": (b"[1]", None, "{}", None),
    "nothing": (b"", None, "{}", None),
    "too deep": (b"a: " + b"[" * 1000, None, "{} is nested too deeply", None),
    "itself": (b"a: &a [*a]", None, "{} is nested too deeply", None),
    "aliases of aliases": (doubled(8), None, "{} has more than 100000 values", "remove aliases of aliases"),
    "half a character": (rb'a: "\ud800"', 1, "a is not text: it has half a character", None),
    "a tag": (
        b"a: !!python/name:os.system",
        1,
        "a cannot be read as YAML's python/name:os.system",
        "write it without a tag or between quotes",
    ),
    "a tagged set": (b"a: !!set {b}", 1, "a has the YAML tag tag:yaml.org,2002:set", "write it without a tag"),
    "a number of another kind": (
        b"a: !!int x",
        1,
        "a cannot be read as YAML's int",
        "write it without a tag or between quotes",
    ),
    "digits without end": (
        b"a: 1" + b"0" * 5000,
        1,
        "a cannot be read as YAML's int",
        "write it without a tag or between quotes",
    ),
    "octal": (b"seeds: [1,\n 010]", 2, "seeds[1]: YAML reads 010 as 8", "write a number to the base of 10"),
    "to the base of 60": (b"a: 1:30", 1, "a: YAML reads 1:30 as 90", "write a number to the base of 10"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_cannot_be_read_as_it_stands_is_refused_with_the_line(tmp_path, case):
    content, line, what, remedy = WRONG[case]
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    error = caught.value
    assert error.what.startswith(what) if what.startswith("not YAML") else error.what == what.format(path)
    assert (error.where, error.remedy) == ((f"{path}:{line}",) if line else (), remedy)
    assert "\n" not in str(error)


def test_a_path_that_is_no_file_is_named(tmp_path):
    for path, what in ((tmp_path / "nowhere.yaml", "no such config file"), (tmp_path, "is a directory")):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(path) in caught.value.what
        assert what in caught.value.what


def test_a_file_may_have_a_mark_anchors_and_the_numbers_of_json(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes("\ufeffx: &x {a: 1, b: [1.5, ~, yes]}\ny: {<<: *x, a: 2}\n".encode())
    assert read(path) == {"x": {"a": 1, "b": [1.5, None, True]}, "y": {"a": 2, "b": [1.5, None, True]}}
    path.write_text('{"rate":1e-5,\n\t"title": "\\ud83d\\ude00 \\/", "n": [null, true, -2]}')
    assert read(path) == {"rate": 1e-5, "title": "😀 /", "n": [None, True, -2]}
