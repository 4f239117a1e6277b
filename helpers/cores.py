"""How many threads training should use: half of the cores, so that it is fast on a busy machine too."""

import contextlib
import os
from pathlib import Path

import torch


def available_cores(quota_file: str = "/sys/fs/cgroup/cpu.max") -> int:
    """Returns how many cores this process may use: its affinity and, in a container, its quota of time limit them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        quota, period = map(int, Path(quota_file).read_text().split())
        cores = min(cores, quota // period)
    return max(1, cores)


def use_half_of_the_cores() -> None:
    """Gives torch a thread for every second core, unless the user set OMP_NUM_THREADS.

    Layers this small gain little from more threads. And threads wait for each other by spinning: as soon as another
    program needs one of the cores, a step of all of them takes more than twice as long (`python -m measure.busy`).
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, available_cores() // 2))
