"""Reads YAML and JSON files as plain values, with the line of every key; refuses what they would silently lose."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode
from yaml.constructor import SafeConstructor

from adkd.base.errors import InputError
from adkd.base.keys import Keys

LARGEST = 100_000
"""Most values of a file. Aliases of aliases make billions of a few lines."""
_TAG = "tag:yaml.org,2002:"
_TEXTS = {_TAG + name for name in ("str", "timestamp", "value", "merge")}
_PLAIN = {_TAG + name for name in ("null", "bool", "int", "float")}
_OTHER_BASE = re.compile(r"[-+]?(0[0-7_]*[0-7]|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""Numbers of YAML 1.1 to the base of 8 or 60: 010 is 8, and 1:30 is 90."""


def read(path: Path) -> Keys:
    """The mapping in a file.

    Raises:
        InputError: the file cannot be read, is not UTF-8, YAML or JSON, or not a mapping, or a key stands in it twice;
            names file and line.
    """
    try:
        return _Reader(path).keys()
    except RecursionError:
        raise InputError(f"{path} is nested too deeply") from None


class _Reader:
    def __init__(self, path: Path):
        self.path = _shown(path)
        self.places = {"": self.path}
        text = _text(path, self.path)
        self.is_json = _is_json(text)
        # The YAML of JSON: tabs can only stand between its values.
        self.text = text.replace("\t", " ") if self.is_json else text

    def keys(self) -> Keys:
        try:
            node = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(filter(None, [error.context, error.problem])).replace("\n", " ")
            raise self._error(f"not YAML: {problem}", mark.line if mark else 0) from None
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position)
            raise self._error(f"not YAML: the character {chr(error.character)!r} is not allowed", line) from None
        if not isinstance(node, MappingNode):
            raise InputError(self.path, allowed="a mapping of keys to values")
        return Keys(self._mapping(node, ""), self.places)

    def _value(self, node: Node, name: str) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node, name)
        if node.tag not in (_TAG + "map", _TAG + "seq"):
            raise self._error(f"{name} has the YAML tag {node.tag}", node.start_mark.line, "write it without a tag")
        if isinstance(node, MappingNode):
            return self._mapping(node, name)
        assert isinstance(node, SequenceNode)
        return [self._item(item, f"{name}[{index}]") for index, item in enumerate(node.value)]

    def _item(self, node: Node, name: str) -> Any:
        self._place(name, node)
        return self._value(node, name)

    def _mapping(self, node: MappingNode, name: str) -> dict[str, Any]:
        """What ``<<`` merges, below the mapping's own keys."""
        values: dict[str, Any] = {}
        own = [(key, value) for key, value in node.value if key.tag != _TAG + "merge"]
        for merged in reversed([value for key, value in node.value if key.tag == _TAG + "merge"]):
            values |= self._merged(merged, name)
        first: dict[Any, int] = {}
        for key_node, value_node in own:
            key = self._key(key_node, name)
            inner = f"{name}.{key}" if name else key
            line = key_node.start_mark.line
            if key in first:
                raise self._error(f"{inner} stands twice", line, f"first in line {first[key] + 1}")
            first[key] = line
            self._place(inner, key_node)
            values[key] = self._value(value_node, inner)
        return values

    def _merged(self, node: Node, name: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for one in reversed(node.value if isinstance(node, SequenceNode) else [node]):
            if not isinstance(one, MappingNode):
                raise self._error("<< does not stand before a mapping", one.start_mark.line)
            values |= self._mapping(one, name)
        return values

    def _key(self, node: Node, name: str) -> str:
        """A key as JSON has it: text."""
        if not isinstance(node, ScalarNode):
            raise self._error(f"a key of {name or 'the file'} is not a word", node.start_mark.line)
        value = self._scalar(node, f"a key of {name or 'the file'}")
        return value if isinstance(value, str) else json.dumps(value)

    def _scalar(self, node: ScalarNode, name: str) -> Any:
        line = node.start_mark.line
        try:
            if self.is_json and node.style is None:
                return json.loads(node.value)
            if node.tag in _TEXTS:
                # JSON writes a character beyond 16 bits as two escapes; alone, neither of them is one.
                return node.value.encode("utf-16", "surrogatepass").decode("utf-16")
            value = SafeConstructor().construct_object(node) if node.tag in _PLAIN else None
        except UnicodeDecodeError:
            raise self._error(f"{name} is not text: it has half a character", line) from None
        except (ValueError, LookupError, yaml.YAMLError):
            value = None
        if node.tag not in _PLAIN or (value is None and node.tag != _TAG + "null"):
            kind = node.tag.removeprefix(_TAG)
            raise self._error(
                f"{name} cannot be read as YAML's {kind}", line, "write it without a tag or between quotes"
            )
        if isinstance(value, int | float) and _OTHER_BASE.fullmatch(node.value):
            raise self._error(f"{name}: YAML reads {node.value} as {value}", line, "write a number to the base of 10")
        return value

    def _place(self, name: str, node: Node) -> None:
        self.places[name] = f"{self.path}:{node.start_mark.line + 1}"
        if len(self.places) > LARGEST:
            raise InputError(f"{self.path} has more than {LARGEST} values", remedy="remove aliases of aliases")

    def _error(self, what: str, line: int, remedy: str | None = None) -> InputError:
        return InputError(what, remedy=remedy, where=(f"{self.path}:{line + 1}",))


def _shown(path: Path) -> str:
    """A path as a user would type it: Snakemake makes all of them absolute."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _text(path: Path, shown: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such config file: {shown}") from None
    except IsADirectoryError:
        raise InputError(f"{shown} is a directory, not a config file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        text = content.decode("utf-8-sig")
        position = content.find(b"\0")
    except UnicodeDecodeError as error:
        text, position = "", error.start
    if position >= 0:
        line = content.count(b"\n", 0, position) + 1
        what, where = f"byte {content[position]:#04x} is not UTF-8 text", (f"{shown}:{line}",)
        raise InputError(what, remedy="save the file as UTF-8", where=where)
    return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
