"""A fingerprint of the code that a run depends on: equal for equal syntax trees, whatever the comments say."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from adkd.base import source
from adkd.base.errors import InputError
from adkd.base.files import sha256
from adkd.methods import registry
from adkd.plan.stages import STAGES

PACKAGES = ("adkd", "baselines")
SEARCHED = ("SPACE", "GRID")
"""Names of search spaces at the top of a module: no run depends on them, for its spec has every setting."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """What a fingerprint takes from one file."""

    name: str
    """Its path below the directory that its outermost package lies in."""
    digest: str
    """Of its syntax tree."""
    imported: tuple[Path, ...]
    """The files of the suite that importing it runs."""


Modules = dict[Path, Module]


class Codes:
    """Fingerprints of the code of stages, each computed once; every file is read once."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str | None], str] = {}
        self._modules: Modules = {}

    def __call__(self, stage: str, method: str | None = None) -> str:
        """The fingerprint of a stage's code; of a stage that runs a method with that method's file.

        Raises:
            InputError: code that a result depends on is missing.
        """
        method = method if STAGES[stage].per_method else None
        if (stage, method) not in self._codes:
            files = [_module(stage)]
            files += [registry.file(method)] if method else []
            self._codes[stage, method] = code(*files, known=self._modules)
        return self._codes[stage, method]


def files(stage: str) -> dict[str, str]:
    """sha256 of the files beside a stage's module that it reads."""
    return {name: sha256(_module(stage).with_name(name)) for name in STAGES[stage].files}


def _module(stage: str) -> Path:
    return _ROOT.joinpath(*STAGES[stage].module.split(".")).with_suffix(".py")


def code(*roots: Path, known: Modules | None = None) -> str:
    """sha256 over the syntax trees of ``roots`` and of all that they import from the suite's own packages.

    Comments, docstrings, formatting, search spaces and where the files lie do not count. Imports are read, not
    executed: absolute and relative ones, also inside functions. A module that is loaded by a computed name has to be a
    root itself.

    Args:
        known: modules that were read before; what is read is added.

    Raises:
        InputError: a root does not exist.
    """
    for root in roots:
        if not root.is_file():
            raise InputError(f"{root} is not a module")
    known = {} if known is None else known
    waiting = [root.resolve() for root in roots]
    reached: Modules = {}
    while waiting:
        path = waiting.pop()
        if path not in reached:
            if path not in known:
                known[path] = _read(path)
            reached[path] = known[path]
            waiting += reached[path].imported
    lines = sorted(f"{module.name} {module.digest}" for module in reached.values())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read(path: Path) -> Module:
    top = _top(path)
    name = path.relative_to(top)
    digest, imported = _parsed(name, path.read_text())
    return Module(name.as_posix(), digest, tuple({file for module in imported for file in _files(top, module)}))


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
    return hashlib.sha256(_text(tree).encode()).hexdigest(), tuple(ours)


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
