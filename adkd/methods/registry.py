"""Finds methods by file name. Lists them and checks their settings without importing torch.

A method is a file ``NAME.py`` in one of ``PACKAGES`` that defines ``Config`` and ``Method``. Only the class ``Config``
of such a file, and what that class names, is taken from its syntax tree and executed; ``load`` imports the whole file.
"""

import ast
import builtins
import importlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass
from dataclasses import fields as dataclass_fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adkd.base import source
from adkd.base.errors import InputError, unknown
from adkd.methods import settings
from adkd.methods.method_config import OUTPUTS, MethodConfig

if TYPE_CHECKING:
    from adkd.methods.contract import Method

_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("adkd.methods", "baselines")
"""Where methods lie, in the order in which they are listed."""
MODULES = ("__future__", "dataclasses", "typing", "annotated_types", "adkd.methods.method_config", "adkd.data.tasks")
"""The modules that a ``Config`` may import from."""


@dataclass(frozen=True)
class Setting:
    """One setting of a method, for documentation."""

    name: str
    allowed: str
    """Its type in words."""
    default: Any
    doc: str


def names() -> list[str]:
    """All methods, by folder and name."""
    return list(_files())


def file(name: str) -> Path:
    """The file of a method.

    Raises:
        InputError: there is no such method, or its name cannot be one.
    """
    files = _files()
    if name not in files:
        raise unknown("method", name, files)
    if name in settings.RESERVED or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        other = " or ".join(settings.RESERVED)
        raise InputError("the name of a method", value=name, allowed=f"a lower-case identifier other than {other}")
    return files[name]


def outline(name: str) -> type[MethodConfig]:
    """The class ``Config`` of a method, made without importing the method's file.

    Raises:
        InputError: the file has no ``Config``, or one that cannot be used: it needs other modules than ``MODULES``, has
            a setting without a default, or ``needs`` an output that does not exist.
    """
    path = file(name)
    return _outline(name, path, path.read_text(encoding="utf-8"))


def summary(name: str) -> str:
    """The first line of a method's docstring."""
    return (ast.get_docstring(source.parsed(file(name))) or "").partition("\n")[0]


def fields(name: str) -> list[Setting]:
    """The settings of a method, in the order of its file."""
    known = {field.name: field for field in dataclass_fields(outline(name))}
    path = file(name)
    return [
        Setting(setting, settings.allowed(known[setting].type), _default(known[setting]), doc)
        for setting, doc in source.field_docstrings(_config(path, source.parsed(path)).body).items()
        if setting in known
    ]


def literal(name: str, variable: str) -> Any | None:
    """The value of a module-level variable of a method's file, read without importing it; None if there is none.

    Raises:
        InputError: it is not a plain value.
    """
    return source.plain_value(file(name), variable)


def configure(name: str, values: Mapping[str, Any]) -> MethodConfig:
    """A method's settings from those a config or a spec gives; the others keep their defaults.

    Training keys may stand among ``values``; they are not the method's and are left out.

    Raises:
        InputError: an unknown setting, or a value that is not allowed.
    """
    return settings.make(outline(name), values, name, also=settings.TRAINING)


def load(name: str) -> "type[Method[Any]]":
    """The class ``Method`` of a method. Imports the file, and torch with it.

    Raises:
        InputError: the file has no ``Method`` on ``adkd.methods.contract.Method``.
    """
    path = file(name)
    method = getattr(importlib.import_module(_module(path)), "Method", None)
    base = importlib.import_module("adkd.methods.contract").Method
    if not (isinstance(method, type) and issubclass(method, base)):
        raise InputError(f"{path} has no class Method(contract.Method[Config])")
    return method


def _files() -> dict[str, Path]:
    """Name -> file of every method. In this package, modules without a ``Config`` are not methods."""
    return {
        path.stem: path
        for package in PACKAGES
        for path in sorted(_ROOT.joinpath(*package.split(".")).glob("*.py"))
        if not path.name.startswith("_") and (package != __package__ or _has_config(path, path.stat().st_mtime_ns))
    }


@lru_cache
def _has_config(path: Path, changed: int) -> bool:
    return source.class_named(source.parsed(path), "Config") is not None


def _module(path: Path) -> str:
    """The dotted name of a method's file."""
    return ".".join(path.relative_to(_ROOT).with_suffix("").parts)


@lru_cache
def _outline(name: str, path: Path, text: str) -> type[MethodConfig]:
    needed = _needed(path, source.parsed(path, text))
    space: dict[str, Any] = {"__name__": _module(path)}
    try:
        # Without the file's `from __future__ import annotations`: types are wanted as objects, not as text.
        exec(compile(ast.Module(needed, []), str(path), "exec", dont_inherit=True), space)
    except Exception as error:
        raise InputError(f"{path}: Config cannot be made on its own: {error}") from error
    config: type[MethodConfig] = space["Config"]
    if not (issubclass(config, MethodConfig) and "__dataclass_params__" in vars(config)):
        raise InputError(f"{path}: Config", allowed="a frozen dataclass on adkd.methods.method_config.MethodConfig")
    for field in dataclass_fields(config):
        if field.name in settings.TRAINING:
            raise InputError(
                f"{path}: {field.name} is a training key", remedy="give the setting of Config another name"
            )
        if field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f"{path}: the setting {field.name} has no default")
    _check_needs(name, path, config.needs)
    return config


def _check_needs(name: str, path: Path, needs: object) -> None:
    if not isinstance(needs, frozenset):
        raise InputError(f"{path}: needs", value=needs, allowed="a frozenset of names of outputs")
    for output in sorted(needs - OUTPUTS, key=str):
        raise unknown(f"output in needs of {name}", output, sorted(OUTPUTS)).within(str(path))


def _config(path: Path, tree: ast.Module) -> ast.ClassDef:
    config = source.class_named(tree, "Config")
    if config is None:
        raise InputError(f"{path} has no class Config; a method's file defines Config and Method")
    return config


def _needed(path: Path, tree: ast.Module) -> list[ast.stmt]:
    """The statements of a file that its ``Config`` depends on, in order, found by the names they use."""
    bound = {name: node for node in tree.body for name in source.bound_names(node)}
    needed: dict[ast.stmt, None] = {}
    waiting: list[ast.stmt] = [_config(path, tree)]
    while waiting:
        node = waiting.pop()
        if node in needed:
            continue
        if isinstance(node, ast.Import | ast.ImportFrom) and not _allowed(node):
            raise unknown("module that Config imports", ast.unparse(node), MODULES).within(f"{path}:{node.lineno}")
        needed[node] = None
        names = source.free_names(node)
        waiting += [bound[name] for name in sorted(names) if name in bound and not hasattr(builtins, name)]
    return [node for node in tree.body if node in needed]


def _allowed(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES for alias in node.names)
    return node.level == 0 and node.module in MODULES


def _default(field: Field) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
