"""The house: which module may import which, that each can be imported alone, and that the lesson stays small."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("helpers", "measure", "tools")  # each may import itself and those before it


def module_of(path: Path) -> str:
    """Returns a module's name, which is its folder's if it is a package: "helpers.own_digit.photo", "helpers.plot"."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
# What the rooms of helpers may import beside themselves. Whatever else is in helpers is the lesson, which has no door
# to any of them.
ROOMS = {"own_network": {"lesson"}, "own_digit": {"lesson", "own_network"}, "beyond": {"lesson"}}
# What a module of helpers may import of the others, where the lesson depends on how little that is.
DOORS = {
    "backprop": set(),
    "data": {"download"},
    "exercises": set(),
    "files": set(),
    "model": set(),
    "recipes": {"data", "model", "train"},
    "train": {"checkpoint", "cores", "progress"},
    "own_network.receptive_field": {"own_network.trace"},
    "own_network.trace": set(),
    "beyond.muon": set(),
    "beyond.shared": {"model"},
}


def place_of(module: str) -> str:
    """Returns the part of the house that a module is in: "tools", "measure", a room of helpers, or "lesson"."""
    package, *rest = module.split(".")
    if package != "helpers":
        return package
    folder = rest[0] if rest and (ROOT / package / rest[0]).is_dir() else ""
    return folder if folder not in ("", "plot") else "lesson"


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
    assert len(MODULES) > 40 and {place_of(module) for module in MODULES} == {"lesson", *ROOMS, "measure", "tools"}
    assert {"helpers.plot", "helpers.plot.curves", "helpers.own_digit.photo", "measure.results"} <= MODULES.keys()
    assert {f"helpers.{name}" for name in DOORS} <= MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_have_one_direction(module):
    inside, place = {"lesson": set()} | ROOMS, place_of(module)
    above = {"measure": inside.keys(), "tools": {"measure", *inside}}
    allowed = {place} | (inside | above)[place]
    assert {name for name in imports_of(module) if place_of(name) not in allowed} == set()


def test_there_are_no_cycles():
    rest = {module: imports_of(module) for module in MODULES}
    while rest:
        free = {module for module, needed in rest.items() if not needed & rest.keys()}
        assert free, f"these import each other: {sorted(rest)}"
        rest = {module: needed for module, needed in rest.items() if module not in free}


@pytest.mark.parametrize("module", DOORS)
def test_a_door_stays_as_narrow_as_it_is(module):
    assert imports_of(f"helpers.{module}") == {f"helpers.{name}" for name in DOORS[module]}


@pytest.mark.parametrize("module", [module for module in MODULES if f"{module}.".startswith("helpers.plot.")])
def test_figures_are_drawn_from_plain_data(module):
    assert all(f"{name}.".startswith("helpers.plot.") for name in imports_of(module) - {"helpers"})


@pytest.mark.parametrize("number", [1, 2])
def test_the_assignment_imports_helpers_and_quotes_recorded_rows(number):
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    source = "\n".join(line for cell in code for line in cell.splitlines() if not line.startswith("%"))
    others = {name for name in imports(source) if name not in PACKAGES and not name.startswith("helpers.")}
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


def test_the_lesson_is_few_files_and_lines():
    files = list((ROOT / "helpers").glob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert len(files) <= 12 and lines <= 1400


@pytest.mark.parametrize("module", MODULES)
def test_a_module_begins_with_what_it_is_for(module):
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))
