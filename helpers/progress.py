"""Progress bars where somebody sees them."""

import sys

from tqdm import tqdm


def progress(*args, **kwargs) -> tqdm:
    """Returns tqdm's bar, gone when it is full, and silent if stdout is neither a terminal nor a notebook."""
    is_watched = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")
    # On stderr, tqdm's own choice, a bar leaves an empty red line in JupyterLab, which a save keeps.
    return tqdm(*args, leave=False, file=sys.stdout, disable=not is_watched, **kwargs)
