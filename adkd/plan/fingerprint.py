"""A fingerprint of the code that a run depends on: equal for equal syntax trees, whatever the comments say."""

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from adkd.base import source
from adkd.base.errors import InputError

PACKAGES = ("adkd", "baselines")
SEARCHED = ("SPACE", "GRID")
"""Names of search spaces at the top of a module: no run depends on them, for its spec has every setting."""


def code(*roots: Path) -> str:
    """sha256 over the syntax trees of ``roots`` and of all that they import from the suite's own packages.

    Comments, docstrings, formatting, search spaces and where the files lie do not count. Imports are read, not
    executed: absolute and relative ones, also inside functions. A module that is loaded by a computed name has to be a
    root itself.

    Raises:
        InputError: a root does not exist.
    """
    for root in roots:
        if not root.is_file():
            raise InputError(f"{root} is not a module")
    waiting = [(_top(root.resolve()), root.resolve()) for root in roots]
    trees: dict[str, str] = {}
    looked_up: set[tuple[Path, str]] = set()
    while waiting:
        top, path = waiting.pop()
        name = path.relative_to(top)
        if name.as_posix() not in trees:
            trees[name.as_posix()], imported = _parsed(name, path.read_text())
            new = {(top, module) for module in imported} - looked_up
            looked_up |= new
            waiting += [(top, file) for _, module in new for file in _files(top, module)]
    return hashlib.sha256("\n".join(f"{name} {trees[name]}" for name in sorted(trees)).encode()).hexdigest()


def _top(path: Path) -> Path:
    """The directory that a file's outermost package lies in."""
    top = path.parent
    while (top / "__init__.py").exists():
        top = top.parent
    return top


def _files(top: Path, module: str) -> Iterator[Path]:
    """The files that importing a dotted name of the suite runs: its packages, and itself."""
    path = top
    for part in module.split("."):
        path = path / part
        if (file := path / "__init__.py").is_file():
            yield file
        elif (file := path.with_suffix(".py")).is_file():
            yield file
            return  # what follows is a name inside of it


@lru_cache(maxsize=1024)
def _parsed(path: Path, text: str) -> tuple[str, tuple[str, ...]]:
    """The digest of a module's syntax tree, and the dotted names that it imports from the suite."""
    tree = source.parsed(path, text)
    tree.body = [node for node in tree.body if not _searched(node)]
    imported = source.imported_modules(tree, path.parent.parts)
    ours = (name for name in imported if name.partition(".")[0] in PACKAGES)
    return hashlib.sha256(_text(tree).encode()).hexdigest(), tuple(dict.fromkeys(ours))


def _text(node: object) -> str:
    """A syntax tree as text. Not ``ast.dump``: what that leaves out differs from one Python to the next."""
    if isinstance(node, list):
        return "[" + ",".join(_text(item) for item in node if source.docstring(item) is None) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [f"{name}={_text(value)}" for name, value in ast.iter_fields(node) if value not in (None, [], ())]
    return f"{type(node).__name__}({','.join(parts)})"


def _searched(node: ast.stmt) -> bool:
    """Whether a statement of a module defines a search space."""
    return isinstance(node, ast.Assign) and any(name in SEARCHED for name in source.bound_names(node))
