"""Reads a network out of a student's file; the rest of it is not run, such as its download and training."""

import ast
import codeop
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from IPython.core.inputtransformer2 import TransformerManager

ARGUMENT = re.compile(r"(.+\.(?:py|ipynb)):(.+)")  # FILE:EXPRESSION
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)
# Calls that may stand in an assignment: they make values and do nothing else.
HARMLESS = {"dict", "list", "tuple", "set", "range", "len", "int", "float", "str", "min", "max", "sum", "round", "abs"}
HARMLESS |= {"partial", "functools.partial", "namedtuple", "torch.device", "math.ceil", "math.floor", "math.sqrt"}
HARMLESS |= {"torch.cuda.is_available", "torch.backends.mps.is_available", "torch.accelerator.is_available"}


def load(file: str, expression: str, left_out: list[str]) -> object:
    """Returns the value of an expression in terms of what a `.py` file or notebook defines.

    Its imports, definitions, and assignments that have no effects or that the expression needs are run; that is their
    decorators, defaults and class bodies, too, and whole files that are imported.

    Args:
        left_out: receives a line for each statement that was not run, or failed.

    Raises:
        ValueError: the file cannot be read, or the expression fails; the message says why.
    """
    path = Path(file)
    folder = str(path.resolve().parent)
    package = ModuleType("submission")  # in which the file's relative imports look for its neighbors
    package.__path__ = [folder]
    module = ModuleType(f"submission.{path.stem}")
    module.__package__ = "submission"
    if any((path.parent / name).exists() for name in ("helpers.py", "helpers")):  # the student's, not this package
        for name in [name for name in sys.modules if name.split(".")[0] == "helpers"]:
            del sys.modules[name]
    sys.modules |= {"submission": package, module.__name__: module}  # where dataclasses look for it
    sys.path.insert(0, folder)
    arguments, sys.argv = sys.argv, [file]  # ours are none of the file's
    try:
        compiled = codeop.Compile()  # which remembers imports from __future__
        statements = list(_statements(path, left_out))
        needed = _needed_by(expression, [node for node, _ in statements])
        for node, place in statements:
            line = f"{place}: {ast.unparse(node).splitlines()[0]}"
            is_needed = isinstance(node, (ast.Assign, ast.AugAssign)) and not needed.isdisjoint(_names_bound_by(node))
            if not is_needed and not _may_run(node):
                left_out += [] if _is_silent(node) else [line]
                continue
            try:
                exec(compiled(ast.Module([node], type_ignores=[]), str(path), "exec"), module.__dict__)
            except (Exception, SystemExit) as error:
                left_out.append(f"{line.rstrip(':')}: {error}")
        return eval(expression, module.__dict__)
    except MemoryError:
        raise
    except Exception as error:
        name = getattr(error, "name", None) or "[^\\s\\S]"  # of what is not defined; a line above may say why
        why = next((f" ({line})" for line in left_out if re.search(rf"\b{name}\b", line)), "")
        raise ValueError(f"{path.name}:{expression}: {type(error).__name__}: {error}{why}") from error
    finally:
        sys.path.remove(folder)
        sys.argv = arguments


def _statements(path: Path, left_out: list[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Yields the statements at the top of a file or of a notebook's cells, and where they stand; notes the rest."""
    for source, where in _sources(path):
        if "\0" in source:
            raise ValueError("it is no text in UTF-8 or Latin-1; save it as UTF-8")
        try:
            statements = ast.parse(source).body
        except SyntaxError as error:
            line = f"{where}line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
            left_out.append(f"{line}; so nothing of the {'cell' if where else 'file'} is run")
            continue
        for node in statements:
            place = f"{where}line {node.lineno}"
            if isinstance(node, ast.AnnAssign) and node.value is not None:  # its annotation would be run, too
                node = ast.copy_location(ast.Assign([node.target], node.value), node)
            if isinstance(node, ast.Import):  # one by one: some of them may not be installed
                yield from ((ast.copy_location(ast.Import([alias]), node), place) for alias in node.names)
            else:
                yield node, place


def _sources(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the text of a file, or of each code cell, without magics; and how a place in it is named."""
    if path.suffix == ".ipynb":
        import nbformat  # slow to import

        try:
            cells = nbformat.reads(path.read_text(encoding="utf-8-sig"), as_version=4).cells
            sources = [cell.source for cell in cells if cell.cell_type == "code"]
        except (AttributeError, KeyError, TypeError, nbformat.ValidationError, nbformat.reader.NotJSONError) as error:
            raise ValueError(f"it is no notebook, or a damaged one ({type(error).__name__}: {error})"[:300]) from None
        for i, source in enumerate(sources, start=1):
            source = re.sub(r"^\s*%%(time|timeit|capture|writefile)\b.*", "", source)
            yield TransformerManager().transform_cell(source), f"code cell {i}, "
        return
    try:
        with tokenize.open(path) as file:
            yield file.read(), ""
    except (SyntaxError, UnicodeDecodeError):
        yield path.read_text(encoding="latin-1"), ""


def _names_bound_by(node: ast.AST) -> set[str]:
    if hasattr(node, "name"):
        return {node.name}
    return {x.id for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)}


def _needed_by(expression: str, nodes: list[ast.stmt]) -> set[str]:
    """Returns the names that an expression reads, and those that their definitions read."""

    def names_in(node: ast.AST) -> set[str]:
        return {x.id for x in ast.walk(node) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Load)}

    needed, found = set(), names_in(ast.parse(expression.strip(), mode="eval"))
    while found - needed:
        needed |= found
        found = set().union(*(names_in(node) for node in nodes if not needed.isdisjoint(_names_bound_by(node))))
    return needed


def _may_run(node: ast.stmt | ast.ExceptHandler) -> bool:
    """Tells whether a statement, with those inside it, defines something and does nothing else."""
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.If, ast.Try, ast.ExceptHandler)) and not _is_program(node):
        parts = ast.iter_child_nodes(node)
        return all((_may_run if isinstance(x, (ast.stmt, ast.ExceptHandler)) else _is_harmless)(x) for x in parts)
    return isinstance(node, DEFINITIONS)


def _is_program(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _is_harmless(value: ast.AST) -> bool:
    """Tells whether an expression calls nothing but what makes plain values; what stands in a lambda is not run yet."""
    inside = {id(node) for x in ast.walk(value) if isinstance(x, ast.Lambda) for node in ast.walk(x.body)}
    nodes = [node for node in ast.walk(value) if id(node) not in inside]
    calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return set(calls) <= HARMLESS and not any(isinstance(node, (ast.Await, ast.Yield, ast.NamedExpr)) for node in nodes)


def _is_silent(node: ast.stmt) -> bool:
    """Tells whether nobody misses a statement: a docstring, a lone name, or what runs as a program only."""
    return _is_program(node) or (
        isinstance(node, ast.Expr) and not any(isinstance(x, ast.Call) for x in ast.walk(node))
    )
