"""Reads a module's syntax tree without running it: imports, names, plain values, docstrings."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adkd.base.errors import InputError


def parsed(path: Path, source: str | None = None) -> ast.Module:
    """The syntax tree of a module.

    Raises:
        InputError: it is not valid Python; names the file and the line.
    """
    try:
        return ast.parse(path.read_text(encoding="utf-8") if source is None else source, str(path))
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: {error.msg}") from error


def imported_modules(tree: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    """The dotted names that a module of ``package`` imports, also inside functions.

    ``from a import b`` gives ``a`` and ``a.b``: ``b`` may be a module of its own.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def bound_names(node: ast.stmt) -> list[str]:
    """The module-level names that a statement gives a value to."""
    match node:
        case ast.Import(names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.partition(".")[0] for alias in names]
        case ast.FunctionDef(name) | ast.ClassDef(name):
            return [name]
        case ast.Assign(targets):
            return [t.id for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)]
        case ast.AnnAssign(ast.Name(name)):
            return [name]
    return []


def free_names(node: ast.AST) -> set[str]:
    """The names that a piece of code takes from around it."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    names: set[str] = set().union(*map(free_names, ast.iter_child_nodes(node)))
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        names -= {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}
        names -= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names


def plain_value(path: Path, variable: str) -> Any | None:
    """The value of a module-level variable; None if the module does not define it.

    Raises:
        InputError: the value is computed.
    """
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and variable in bound_names(node):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise InputError(f"{path}:{node.lineno}: {variable}", allowed="a plain value, not computed") from None
    return None


def class_named(tree: ast.Module, name: str) -> ast.ClassDef | None:
    """The class of that name at the top level of a module."""
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def field_docstrings(body: list[ast.stmt]) -> dict[str, str]:
    """The annotated fields of a class in order, each with the string that follows it ("" without one)."""
    return {
        node.target.id: " ".join((docstring(after) or "").split())
        for node, after in zip(body, [*body[1:], None], strict=True)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def docstring(node: object) -> str | None:
    """The text of a statement that is a bare string: a docstring, or the description of a field."""
    match node:
        case ast.Expr(ast.Constant(str(text))):
            return text
    return None
