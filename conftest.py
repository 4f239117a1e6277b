"""What `pytest --nbval` needs on other people's machines, and what several workers need: `pytest --nbval -n 2`."""

import os

import torch

from helpers.cores import available_cores
from tools.execute import give_home

# Workers, and the kernels of their notebooks, with as many threads as there are cores would fight over them.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    threads = os.environ.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // int(workers))))
    torch.set_num_threads(int(threads))


def pytest_configure(config):
    give_home()
    # The cells of a notebook need one worker; by default they would be dealt out one by one.
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadscope"
        config.option.loadscopereorder = False
    # pytest-randomly, where it is installed, would shuffle the cells of a notebook.
    config.option.randomly_reorganize = False
