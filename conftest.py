"""What `pytest --nbval` needs on other people's machines, and what several workers need: `pytest --nbval -n 2`."""

import os

# Before torch is imported: workers with as many threads as there are cores would fight over them.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))

from tools.execute import give_home


def pytest_configure(config):
    give_home()
    # The cells of a notebook need one worker; by default they would be dealt out one by one.
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadscope"
        config.option.loadscopereorder = False
