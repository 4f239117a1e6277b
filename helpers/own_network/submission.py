"""Reads a network out of a student's file; the rest of it is not run, such as its download and training."""

import ast
import codeop
import re
import symtable
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ARGUMENT = re.compile(r"(.+\.(?:py|ipynb)):(.+)")  # FILE:EXPRESSION
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)
BUILDS = {"append", "extend", "insert", "add", "add_module", "register_buffer", "update"}  # methods that do, too


def load(file: str, expression: str, left_out: list[str]) -> object:
    """Returns the value of an expression in terms of what a `.py` file or notebook defines.

    Its imports and definitions are run, and what makes or changes a value that the expression needs; that is
    decorators, defaults and class bodies, too, and whole files that are imported.

    Args:
        left_out: receives a line for each statement that was not run, or failed; but none for what calls nothing.

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
            if needed.isdisjoint(_names_bound_by(node)) and not isinstance(node, DEFINITIONS):
                acts = any(isinstance(x, (ast.Call, ast.Raise)) for x in ast.walk(node))
                left_out += [line] * (acts and "__name__" not in ast.unparse(node))  # others nobody misses
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
        import nbformat  # slow to import, both
        from IPython.core.inputtransformer2 import TransformerManager

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
    """Returns the names that a statement defines or changes, those in its branches included."""
    if isinstance(node, DEFINITIONS) and hasattr(node, "name"):
        return {node.name}
    targets = [x for x in ast.walk(node) if isinstance(getattr(x, "ctx", None), ast.Store)]
    calls = [x.func for x in ast.walk(node) if isinstance(x, ast.Call) and isinstance(x.func, ast.Attribute)]
    targets += [x.value for x in calls if x.attr in BUILDS]
    names = {x.id for target in targets for x in ast.walk(target) if isinstance(x, ast.Name)}  # a in a.b = 1, too
    named = [getattr(x, "asname", None) or getattr(x, "name", None) for x in ast.walk(node)]  # imports, definitions
    return names | {name.split(".")[0] for name in named if name}


def _names_read_by(node: ast.AST) -> set[str]:
    """Returns the names of the file that a node reads; the x of a function's arguments is another one."""
    tables = [symtable.symtable(ast.unparse(node), "", "exec")]
    for table in tables:  # which grows
        tables += table.get_children()
    return {x.get_name() for table in tables for x in table.get_symbols() if x.is_referenced() and x.is_global()}


def _needed_by(expression: str, nodes: list[ast.stmt]) -> set[str]:
    """Returns the names that an expression reads, and those that their definitions read."""

    needed, found = set(), _names_read_by(ast.parse(expression.strip()))
    while found - needed:
        needed |= found
        found = set().union(*(_names_read_by(node) for node in nodes if not needed.isdisjoint(_names_bound_by(node))))
    return needed
