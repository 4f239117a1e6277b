"""Files that are whole at every moment."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replaces the file at once or not at all, so that neither a reader nor a power cut sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
