"""What a figure depends on besides the recipe: the device and the code. And how long something takes there."""

import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("helpers", "measure")  # what a run depends on


def best_device() -> torch.device:
    """Returns the GPU if there is one, else the CPU."""
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")


def find_device(name: str) -> torch.device | None:
    """Returns the device that a row names; None if it is a GPU that this machine does not have."""
    if name.startswith("cpu"):
        return torch.device("cpu")
    here = best_device()
    return here if name_of(here) == name else None


def of_devices_here(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Returns the rows whose device is in this machine, and says how many are left out: a GPU's draws are its own."""
    here, away = [], []
    for row in rows:
        (away if find_device(row["device"]) is None else here).append(row)
    if away:
        names = ", ".join(sorted({row["device"] for row in away}))
        print(f"left out: {len(away)} runs of {names}, which is not in this machine", flush=True)
    return here


def name_of(device: torch.device) -> str:
    """Returns the name of a GPU, or the kind of a processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} {platform.machine()}"


def describe(device: torch.device) -> dict[str, object]:
    """Returns the columns of a row that say on what it was made.

    Numbers repeat to the last digit only with the same instruction set, versions and number of threads.
    """
    return {
        "device": name_of(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "versions": f"python {platform.python_version()} torch {torch.__version__}",
        "commit": commit(),
    }


def commit() -> str:
    """Returns the commit of the code, marked if it was changed since, or "unknown" outside git."""
    try:
        head, changes = (
            subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in [("rev-parse", "--short", "HEAD"), ("status", "--porcelain", *PACKAGES)]
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("-changed" if changes else "")


def seconds(function: Callable, *args: object, **more: object) -> float:
    """Times one call, until the device has finished."""
    wait()
    start = time.perf_counter()
    function(*args, **more)
    wait()
    return time.perf_counter() - start


def wait() -> None:
    """Waits until the GPU, if there is one, has done all that it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
