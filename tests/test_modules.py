"""Each module can be imported alone, and says nothing when it is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("digits", "helpers", "measure", "tools")
MODULES = sorted(f"{package}.{path.stem}" for package in PACKAGES for path in (ROOT / package).glob("[!_]*.py"))


def test_there_are_modules():
    assert len(MODULES) > 15


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_can_be_imported_alone(package):
    """In one process for all modules of a package, which torch's slow start asks for, each as if it were the first."""
    modules = [module for module in MODULES if module.startswith(f"{package}.")]
    script = f"""
import importlib, sys
for name in {modules}:
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] in {PACKAGES}]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
