"""Files that are whole at every moment."""

import os
import time
from pathlib import Path

PATIENCE = 5  # seconds


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file at once or not at all, so that neither a reader nor a power cut sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _replace(path, part)
    finally:
        part.unlink(missing_ok=True)


def _replace(path: Path, part: Path) -> None:
    """Puts the new file in the place of the old one, which a virus scanner or a cloud folder may hold for a while."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            part.replace(path)
            return
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
