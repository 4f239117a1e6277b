"""Imports matplotlib with the backend that MPLBACKEND names, for the reader's own figures, if it exists.

Our figures need none: they are drawn on their own canvas, and shown as pictures.
"""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec


def import_matplotlib() -> None:
    """Imports matplotlib, which would fail while MPLBACKEND names an unknown backend."""
    if "matplotlib" in sys.modules:
        return
    name = os.environ.pop("MPLBACKEND", "")
    import matplotlib

    with suppress(ValueError, ImportError):  # no backend, or a module that is not installed here
        if name and (not name.startswith("module://") or find_spec(name.removeprefix("module://"))):
            matplotlib.rcParams["backend"] = name
            os.environ["MPLBACKEND"] = name


import_matplotlib()
