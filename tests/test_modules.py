"""The house: which module may import which, and that each can be imported alone."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("helpers", "measure", "tools")  # each may import itself and those before it
MODULES = {f"{package}.{path.stem}": path for package in PACKAGES for path in (ROOT / package).glob("[!_]*.py")}
# What a module of helpers may import of the others, where the lesson depends on how little that is.
DOORS = {"shared": set(), "model": {"shared"}, "muon": set(), "backprop": set(), "plot": set(), "files": set()}
DOORS |= {"data": {"download"}}
DOORS |= {"train": {"checkpoint", "progress"}, "trace": set(), "receptive_field": {"trace"}}
DOORS |= {"exercises": set()}


def imports(source: str) -> set[str]:
    """Returns the modules of this repository that a source imports, wherever in it: "helpers.data"."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "no relative imports"
            # `from helpers import plot` names a module behind the import, too.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name in MODULES}


def imports_of(module: str) -> set[str]:
    return imports(MODULES[module].read_text(encoding="utf-8"))


def test_there_are_modules():
    assert len(MODULES) > 20 and {name.split(".")[0] for name in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_have_one_direction(module):
    allowed = PACKAGES[: PACKAGES.index(module.split(".")[0]) + 1]
    assert {name for name in imports_of(module) if name.split(".")[0] not in allowed} == set()


def test_there_are_no_cycles():
    rest = {module: imports_of(module) for module in MODULES}
    while rest:
        free = {module for module, needed in rest.items() if not needed & rest.keys()}
        assert free, f"these import each other: {sorted(rest)}"
        rest = {module: needed for module, needed in rest.items() if module not in free}


@pytest.mark.parametrize("module", DOORS)
def test_a_door_stays_as_narrow_as_it_is(module):
    assert imports_of(f"helpers.{module}") == {f"helpers.{name}" for name in DOORS[module]}


@pytest.mark.parametrize("number", [1, 2])
def test_the_assignment_imports_helpers_and_quotes_recorded_rows(number):
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    source = "\n".join(line for cell in code for line in cell.splitlines() if not line.startswith("%"))
    others = {name for name in imports(source) if not name.startswith("helpers.")}
    assert others <= {"measure.results", "measure.weights"}


def test_every_module_can_be_imported_alone_and_says_nothing():
    """In one process, which torch's slow start asks for, each as if it were the first of this repository."""
    script = f"""
import importlib, sys
for name in {list(MODULES)}:
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] in {PACKAGES}]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
