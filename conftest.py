"""What `pytest --nbval` needs on other people's machines, and what several workers need: `pytest --nbval -n 2`."""

import contextlib
import os
from pathlib import Path


def available_cores(quota_file: str = "/sys/fs/cgroup/cpu.max") -> int:
    """Returns how many cores this process may use: its affinity and, in a container, its quota of time limit them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        quota, period = map(int, Path(quota_file).read_text().split())
        cores = min(cores, quota // period)
    return max(1, cores)


# Before torch is imported: workers with as many threads as there are cores would fight over them.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // int(workers))))

from tools.execute import give_home  # noqa: E402


def pytest_configure(config):
    give_home()
    # The cells of a notebook need one worker; by default they would be dealt out one by one.
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadscope"
        config.option.loadscopereorder = False
    # pytest-randomly, where it is installed, would shuffle the cells of a notebook.
    config.option.randomly_reorganize = False
