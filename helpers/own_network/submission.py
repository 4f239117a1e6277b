"""Reads a network out of a student's file; the rest of it is not run, such as its download and training."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

DEFINITIONS = (ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def load(file: str, expression: str) -> object:
    """Returns the value of an expression in terms of what a `.py` file or notebook defines.

    Its imports, definitions and plain constants are executed, and nothing else, as it prints. What fails among
    them is left out, with a line on stderr.

    Raises:
        ValueError: the file cannot be read, or the expression fails; the message says why.
    """
    path = Path(file)
    print(f"Of {path.name}, imports, definitions and plain constants are executed, and nothing else.\n")
    names = {"__name__": path.stem}
    sys.path.insert(0, str(path.resolve().parent))
    try:
        for node in _statements(path):
            code = compile(ast.Module([node], type_ignores=[]), str(path), "exec")
            try:
                exec(code, names)
            except Exception as error:
                print(f"left out: {ast.unparse(node).splitlines()[0]}: {error}", file=sys.stderr)
        return eval(expression, names)
    except Exception as error:
        raise ValueError(f"{path.name}:{expression}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)


def _statements(path: Path) -> Iterator[ast.stmt]:
    """Yields what is an import, a definition or a plain constant, at the top of a file or of a notebook's cells."""
    sources = [path.read_text(encoding="utf-8")]
    if path.suffix == ".ipynb":
        cells = nbformat.reads(sources[0], as_version=4).cells
        sources = [TransformerManager().transform_cell(cell.source) for cell in cells if cell.cell_type == "code"]
    for source in sources:
        try:
            statements = ast.parse(source).body
        except SyntaxError as error:
            print(f"left out: {source.strip().splitlines()[0]} ...: {error.msg}", file=sys.stderr)
            continue
        for node in statements:
            if isinstance(node, ast.Import):  # one by one: some of them may not be installed
                yield from (ast.copy_location(ast.Import([alias]), node) for alias in node.names)
            elif isinstance(node, DEFINITIONS) or _is_constant(node):
                yield node


def _is_constant(node: ast.stmt) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError):
        return False
    return True
