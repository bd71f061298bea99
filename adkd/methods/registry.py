"""Finds methods by file name. Lists them and checks their settings without importing torch.

A method is a file ``NAME.py`` in one of ``PACKAGES`` that defines ``Config`` and ``Method``. Only the class ``Config``
of such a file, and what that class names, is taken from its syntax tree and executed; ``load`` imports the whole file.
"""

import ast
import builtins
import importlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, is_dataclass
from dataclasses import fields as dataclass_fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adkd.base.errors import InputError, unknown
from adkd.methods import settings
from adkd.methods.method_config import MethodConfig

if TYPE_CHECKING:
    from adkd.methods.contract import Method

_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("adkd.methods", "baselines")
"""Where methods lie, in the order in which they are listed."""
MODULES = ("__future__", "dataclasses", "typing", "annotated_types", "adkd.methods.method_config", "adkd.data.tasks")
"""What a ``Config`` may be made of."""


@dataclass(frozen=True)
class Setting:
    """One setting of a method, for documentation."""

    name: str
    allowed: str
    """What it can be, in words."""
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
    if name not in names():
        raise unknown("method", name, names())
    if name in settings.RESERVED or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f'"{name}" cannot name a method: a lower-case identifier, not {settings.RESERVED}')
    return _files()[name]


def outline(name: str) -> type[MethodConfig]:
    """The class ``Config`` of a method, made without importing the method's file.

    Raises:
        InputError: the file has no ``Config``, or one that does not stand alone.
    """
    path = file(name)
    return _outline(name, path, path.read_text())


def summary(name: str) -> str:
    """The first line of a method's docstring."""
    return (ast.get_docstring(ast.parse(file(name).read_text())) or "").partition("\n")[0]


def fields(name: str) -> list[Setting]:
    """The settings of a method, in the order of its file."""
    config, body = outline(name), _config(file(name), ast.parse(file(name).read_text())).body
    known = {field.name: field for field in dataclass_fields(config)}
    return [
        Setting(node.target.id, settings.allowed(field.type), _default(field), _text(after))
        for node, after in zip(body, [*body[1:], None], strict=True)
        if isinstance(node, ast.AnnAssign) and (field := known.get(node.target.id))
    ]


def literal(name: str, variable: str) -> Any | None:
    """The value of a module-level variable of a method's file, read without importing it; None if there is none.

    Raises:
        InputError: it is not a plain value.
    """
    path = file(name)
    for node in ast.parse(path.read_text(), str(path)).body:
        if isinstance(node, ast.Assign) and variable in _binds(node):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise InputError(f"{path}:{node.lineno}: {variable} is computed; allowed is a plain value") from None
    return None


def configure(name: str, values: Mapping[str, Any]) -> MethodConfig:
    """A method's settings from those a config or a spec gives; the others keep their defaults.

    Training keys may stand among ``values``; they are not the method's and are left out.

    Raises:
        InputError: an unknown setting, or a value that is not allowed.
    """
    return settings.make(outline(name), values, name, also=settings.TRAINING)


def load(name: str) -> "type[Method]":
    """The class ``Method`` of a method. Imports the file, and torch with it.

    Raises:
        InputError: the file has no ``Method`` on ``adkd.methods.contract.Method``.
    """
    path = file(name)
    module = importlib.import_module(_module(path))
    base = importlib.import_module("adkd.methods.contract").Method
    method = getattr(module, "Method", None)
    if not (isinstance(method, type) and issubclass(method, base) and method.Config is module.Config):
        raise InputError(f"{path}: needs a class Method(contract.Method) with Config = Config")
    return method


def _files() -> dict[str, Path]:
    """Name -> file of every method. ``adkd.methods`` holds other modules as well: those without a ``Config``."""
    files = [
        file
        for package in PACKAGES
        for file in sorted(_ROOT.joinpath(*package.split(".")).glob("*.py"))
        if not file.name.startswith("_") and (package != __package__ or _has_config(file, file.stat().st_mtime_ns))
    ]
    return {file.stem: file for file in files}


@lru_cache
def _has_config(file: Path, changed: int) -> bool:
    return any(isinstance(node, ast.ClassDef) and node.name == "Config" for node in ast.parse(file.read_text()).body)


def _module(path: Path) -> str:
    """The dotted name of a method's file."""
    return ".".join(path.relative_to(_ROOT).with_suffix("").parts)


@lru_cache
def _outline(name: str, path: Path, source: str) -> type[MethodConfig]:
    try:
        tree = ast.parse(source, str(path))
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: {error.msg}") from error
    needed = _needed(path, tree)
    space: dict[str, Any] = {"__name__": _module(path)}
    try:
        # Without the file's `from __future__ import annotations`: types are wanted as objects, not as text.
        exec(compile(ast.Module(needed, []), str(path), "exec", dont_inherit=True), space)
    except Exception as error:
        raise InputError(f"{path}: Config does not stand alone: {error}") from error
    config = space["Config"]
    if not (is_dataclass(config) and issubclass(config, MethodConfig) and "__dataclass_params__" in vars(config)):
        raise InputError(f"{path}: Config is not a frozen dataclass on adkd.methods.method_config.MethodConfig")
    for field in dataclass_fields(config):
        if field.name in settings.TRAINING:
            raise InputError(f'{path}: "{field.name}" is a training key; a setting of Config needs another name')
        if field.default is MISSING and field.default_factory is MISSING:
            raise InputError(f'{path}: setting "{field.name}" needs a default')
    return config


def _config(path: Path, tree: ast.Module) -> ast.ClassDef:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Config":
            return node
    raise InputError(f"{path}: no class Config; a method's file defines Config and Method")


def _needed(path: Path, tree: ast.Module) -> list[ast.stmt]:
    """The statements of a file that its ``Config`` stands on, in order: found by the names they use."""
    bound = {name: node for node in tree.body for name in _binds(node)}
    needed: dict[ast.stmt, None] = {}
    waiting: list[ast.stmt] = [_config(path, tree)]
    while waiting:
        node = waiting.pop()
        if node in needed:
            continue
        if isinstance(node, ast.Import | ast.ImportFrom) and not _allowed(node):
            raise InputError(
                f"{path}:{node.lineno}: Config does not stand alone: it uses `{ast.unparse(node)}` "
                f"(allowed: {', '.join(MODULES)})"
            )
        needed[node] = None
        waiting += [bound[name] for name in sorted(_used(node)) if name in bound and not hasattr(builtins, name)]
    return [node for node in tree.body if node in needed]


def _used(node: ast.AST) -> set[str]:
    """The names that a piece of code takes from around it."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    found = set().union(*map(_used, ast.iter_child_nodes(node)))
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        found -= {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}
        found -= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def _binds(node: ast.stmt) -> list[str]:
    """The module-level names that a statement gives a value to."""
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.partition(".")[0] for alias in names]
        case ast.FunctionDef(name) | ast.ClassDef(name):
            return [name]
        case ast.Assign(targets):
            return [t.id for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)]
        case ast.AnnAssign(ast.Name(id)):
            return [id]
    return []


def _allowed(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES for alias in node.names)
    return node.level == 0 and node.module in MODULES


def _default(field: Field) -> Any:
    return field.default if field.default is not MISSING else field.default_factory()


def _text(node: ast.stmt | None) -> str:
    match node:
        case ast.Expr(ast.Constant(str(text))):
            return " ".join(text.split())
    return ""
