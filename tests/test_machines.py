"""Other people's machines, each tried for real, in a copy of the repository without git, as a zip download has it.

Its path has spaces and umlauts in it, and its notebook was saved under the name of a kernel that is not here.
"""

import dataclasses
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient.exceptions import DeadKernelError
from nbformat import v4

from helpers import cores
from helpers.data import Batches, Split
from helpers.download import data_root
from measure.machine import ROOT
from tools.execute import lean, main

FIGURE = r"""
from helpers import plot

plot.show_curves({"a line": [(0, 0), (1, 1)]}, "y", title="A figure")
print("an arrow \u2192 and 2 \u00d7 2")
"""
TRAINING = """
import torch
from helpers.data import Batches, Split
from helpers.beyond.recipes import ConvNetRecipe
from helpers.train import History, fit

torch.set_num_threads(1)
split = Split(torch.zeros(4000, 28, 28, dtype=torch.uint8), torch.zeros(4000, dtype=torch.int64))
recipe = ConvNetRecipe(stages=((4,), (8,)), num_epochs=500, lr=0.1)
model, batches, *parts = recipe.set_up(split, 0.13, 0.31, seed=0, device="cpu")
history = History()
fit(model, batches, Batches(split, 1000, 0.13, 0.31), 500, *parts, history=history)
"""
RELOADING = (
    """
%load_ext autoreload
%autoreload 2
import os
from helpers import files
from pathlib import Path
module = Path(files.__file__)
text = module.read_text(encoding="utf-8")
""",
    """
module.write_text(text + "\\n\\ndef added():\\n    return 'new'\\n", encoding="utf-8")
os.utime(module, (2e9, 2e9))
""",
    """
print(files.added())
module.write_text(text, encoding="utf-8")
""",
)


def setup_cell() -> str:
    notebook = nbformat.read(ROOT / "notebooks" / "1_backpropagation.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if "REPOSITORY" in cell.source and cell.cell_type == "code")


def write(path: Path, *sources: str) -> None:
    """Writes a notebook of the set-up cell and these, which another kernel has saved."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source.strip()) for source in (setup_cell(), *sources)])
    notebook.metadata.kernelspec = {"display_name": "conda env: other", "language": "python", "name": "conda-other"}
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine") / "Übung 1 (Ärger mit Pfaden)"
    for package in ("helpers", "measure", "tools", "results"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", ".locks"))
    for file in ("conftest.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, folder)
    (folder / "notebooks").mkdir()
    (folder / "tests").mkdir()
    write(folder / "notebooks" / "long.ipynb", *RELOADING, TRAINING, "print('a later cell')")
    write(folder / "notebooks" / "figure.ipynb", FIGURE)
    return folder


def start(copy: Path, *words: object, **environment: str) -> subprocess.Popen:
    """Starts a Python module in the copy."""
    variables = os.environ | {"MNIST_DATA": str(data_root().resolve())} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    return subprocess.Popen([sys.executable, "-m", *map(str, words)], cwd=copy, env=variables, **pipes)


def finish(process: subprocess.Popen) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    return out, err


@pytest.mark.fault("a foreign kernel named python3", "runs in its own environment")
@pytest.mark.fault("a notebook of another kernel's name", "runs in its own environment")
@pytest.mark.fault("a Windows code page", "runs, ? for what it lacks")
@pytest.mark.fault("MPLBACKEND unusable", "runs, figures inline")
@pytest.mark.fault("HOME cannot be written", "runs, caches elsewhere")
@pytest.mark.fault("path with spaces and umlauts", "runs")
@pytest.mark.fault("two runs of a notebook at once", "both whole")
def test_notebooks_run_on_other_peoples_machines(copy, tmp_path):
    """As `make run` and as `pytest --nbval` run them, with all troubles at once: each start takes seconds."""
    kernel = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["no-such-python", "{connection_file}"], "display_name": "x", "language": "python"}')
    troubles = {"JUPYTER_PATH": str(tmp_path / "foreign"), "JUPYTER_PREFER_ENV_PATH": "0"}
    troubles |= {"PYTHONIOENCODING": "cp1252", "MPLBACKEND": "garbage", "HOME": "/dev/null/home"}
    notebook, output = Path("notebooks") / "figure.ipynb", tmp_path / "output"
    runs = [start(copy, "tools.execute", notebook, "--output", output, **troubles) for _ in range(2)]
    for out, err in map(finish, runs):
        assert "an arrow ? and " in out and "Traceback" not in err
    assert sorted(path.name for path in output.iterdir()) == ["figure.html", "figure.ipynb"]
    executed = nbformat.read(output / "figure.ipynb", as_version=4)
    nbformat.validate(executed)
    assert executed.metadata.kernelspec.name == "python3" and executed.cells[1].outputs[0].data["image/png"]
    assert executed.cells[1].outputs[1].text == "an arrow \u2192 and 2 \u00d7 2\n"

    executed.metadata.kernelspec = nbformat.read(copy / notebook, as_version=4).metadata.kernelspec
    nbformat.write(executed, copy / "notebooks" / "compared.ipynb")
    test = start(copy, "pytest", "--nbval", "-p", "no:cacheprovider", "notebooks/compared.ipynb", **troubles)
    assert "2 passed" in finish(test)[0]


@pytest.fixture(scope="module")
def interrupted(copy, tmp_path_factory):
    """A notebook that was interrupted while its last cell but one trained: the exit status, stderr, what was kept."""
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGINT for one process")
    folder = tmp_path_factory.mktemp("kept")
    run = start(copy, "tools.execute", "notebooks/long.ipynb", "--output", folder)
    for line in run.stdout:
        if line.startswith("epoch  1/500") and "Accuracy" in line:
            run.send_signal(signal.SIGINT)
    err = run.stderr.read()
    return run.wait(), err, folder / "long.ipynb"


@pytest.mark.fault("Ctrl-C while a notebook runs", "stops there, what ran is kept, one line")
def test_an_interrupt_stops_the_notebook_and_keeps_what_ran(interrupted):
    status, err, path = interrupted
    lines = ["notebooks/long.ipynb was interrupted.", f"What ran until then is in {path}."]
    assert status == 130 and err.splitlines()[-2:] == lines and "Traceback" not in err
    training, later = nbformat.read(path, as_version=4).cells[-2:]
    text = "".join(output.text for output in training.outputs if output.output_type == "stream")
    assert text.startswith("epoch  1/500") and re.search(r"Interrupted in epoch \d+: the history holds \d+ whole", text)
    assert later.execution_count is None and not later.outputs


@pytest.mark.fault("a helper edited while the kernel runs", "the new one runs")
def test_an_edited_helper_is_loaded_again(interrupted):
    *_, path = interrupted
    assert nbformat.read(path, as_version=4).cells[len(RELOADING)].outputs[0].text == "new\n"


@pytest.mark.fault("a kernel that runs out of memory", "one line, what ran is kept")
def test_a_kernel_that_dies_leaves_what_ran(tmp_path, monkeypatch, capsys):
    def die(notebook, folder):
        notebook.cells[0].outputs = [v4.new_output("stream", text="so far")]
        raise DeadKernelError("Kernel died")

    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell("...")]), tmp_path / "work.ipynb")
    monkeypatch.setattr("tools.execute.execute", die)
    monkeypatch.setattr("sys.argv", ["execute", str(tmp_path / "work.ipynb"), "--output", str(tmp_path / "build")])
    assert main() == 1 and "work.ipynb stopped:\nKernel died" in capsys.readouterr().err
    assert nbformat.read(tmp_path / "build" / "work.ipynb", as_version=4).cells[0].outputs[0].text == "so far"


@pytest.mark.fault("no git, a zip download", "runs; what needs git says so")
def test_without_git_everything_else_works(copy, tmp_path):
    made = start(copy, "measure.sweep", "fastest", "--seeds", "0-1", "--split", "test", PATH=str(tmp_path))
    assert "| fastest | 18,810 | 1 |" in finish(made)[0]  # recorded already, nothing to do
    colab = start(copy, "tools.colab", PATH=str(tmp_path))
    assert "make colab REPO=owner/name" in colab.communicate()[1] and colab.returncode == 1


def code(part: str) -> list[str]:
    """Returns the code cells of a section of Part 2's notebook, as a kernel without magics could run them."""
    cells = nbformat.read(ROOT / "notebooks" / "2_mnist.ipynb", as_version=4).cells
    starts = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and cell.source.startswith("## ")]
    (start,) = [i for i in starts if cells[i].source.startswith(f"## {part}. ")]
    end = next((i for i in starts if i > start), len(cells))
    sources = [cell.source for cell in cells[start:end] if cell.cell_type == "code"]
    return ["\n".join(line for line in source.splitlines() if not line.startswith("%")) for source in sources]


@pytest.fixture(scope="module")
def after_setup_and_data():
    """What a kernel knows after sections 1 and 2 of Part 2, with fewer images."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "notebooks")
        for source in code("1") + code("2"):
            exec(source, names)
    for split in ("train", "test"):
        names[split] = Split(*(x[:1000] for x in names[split]))
    names["test_batches"] = Batches(names["test"], 1000, names["mean"], names["std"])
    names["recipe"] = dataclasses.replace(names["recipe"], num_epochs=1)
    return names


@pytest.mark.fault("a restart, then only a training cell", "one message, which says what to run first")
@pytest.mark.parametrize("part", ["5", "7", "11"])
def test_a_training_cell_needs_setup_and_data_only(after_setup_and_data, part, monkeypatch):
    (training,) = [cell for cell in code(part) if "fit(" in cell and "def " not in cell]
    with pytest.raises(AssertionError, match=r"^After a restart, run the cells of sections 1 and 2 first\.$"):
        exec(training, {})
    monkeypatch.chdir(ROOT / "notebooks")
    names = dict(after_setup_and_data)
    for source in code(part)[: code(part).index(training) + 1] if part == "11" else [training]:
        exec(source, names)
    if part == "7":  # what the cell writes out is what the recipe says
        probe = names["recipe"].optimizer(names["LessonNet"]())
        schedule = names["recipe"].scheduler(probe, names["num_steps"])
        assert names["optimizer"].defaults == probe.defaults
        assert names["scheduler"].state_dict().keys() == schedule.state_dict().keys()
        assert names["scheduler"]._schedule_phases == schedule._schedule_phases


@pytest.mark.fault("a restart, then any section", "runs after sections 1 and 2, with recorded weights")
@pytest.mark.parametrize("part", ["3", "4", "6", "7", "8", "9", "10", "12"])  # 5 and 11 train and score in one cell
def test_a_section_needs_setup_and_data_only(after_setup_and_data, part, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    names = dict(after_setup_and_data)
    for source in code(part):
        exec(source, names)


def stream(text: str, name: str = "stdout"):
    return v4.new_output("stream", name=name, text=text)


@pytest.mark.fault("a notebook saved by JupyterLab", "leaned, no red test")
def test_what_editors_and_bars_leave_is_taken_out():
    bar = "epoch  1/7:  34%|███▍      | 160/469 [00:03<00:06, 50.1it/s, loss=0.12]"
    cells = [
        v4.new_code_cell(outputs=[stream(f"\r{bar}\r{' ' * len(bar)}\repoch  1/7  3.0 s\n")], execution_count=1),
        v4.new_code_cell(outputs=[stream(f"\r{bar[:20]}"), stream(f"{bar[20:]}\r{' ' * len(bar)}\rdone\n")]),
        v4.new_code_cell(
            outputs=[
                stream(bar, "stderr"),
                stream("\n"),
                stream(f"{bar}Interrupted\n"),
                stream("a warning\n", "stderr"),
            ]
        ),
        v4.new_code_cell(outputs=[stream("\r   \r", "stderr"), stream("100%|██████████| 9.91M/9.91M [00:00<00:00]\n")]),
        v4.new_code_cell(outputs=[v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})]),
        v4.new_code_cell("x", metadata={"tags": ["kept"], "scrolled": True, "editable": True}),
    ]
    notebook = v4.new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "conda-other", "display_name": "Python 3 (ipykernel)", "language": "python"},
            "language_info": {"name": "python", "version": "3.13.1"},
            "widgets": {},
        }
    )
    once = lean(notebook)
    streams = [[(output.name, output.text) for output in cell.outputs] for cell in once.cells]
    assert streams[:2] == [[("stdout", "epoch  1/7  3.0 s\n")], [("stdout", "done\n")]]
    assert streams[2:] == [[("stdout", "\nInterrupted\n"), ("stderr", "a warning\n")], [], [], []]
    assert once.cells[5].metadata == {"tags": ["kept"]}
    assert once.metadata == {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    assert lean(nbformat.from_dict(dict(once))) == once


@pytest.mark.fault("pytest -n 2", "each notebook stays with one worker, workers share the cores")
@pytest.mark.parametrize(("dist", "kept"), [("load", "loadscope"), ("no", "no"), ("worksteal", "worksteal")])
def test_workers_get_whole_notebooks(dist, kept):
    config = types.SimpleNamespace(option=types.SimpleNamespace(dist=dist, loadscopereorder=True))
    runpy.run_path(str(ROOT / "conftest.py"))["pytest_configure"](config)
    assert (config.option.dist, config.option.loadscopereorder) == (kept, dist != "load")


@pytest.mark.parametrize(("workers", "threads"), [(None, None), ("2", "4"), ("3", "2"), ("16", "1")])
def test_workers_share_the_cores(monkeypatch, workers, threads):
    given = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    for name in ("PYTEST_XDIST_WORKER_COUNT", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "to be restored")
        monkeypatch.delenv(name)
    if workers:
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    runpy.run_path(str(ROOT / "conftest.py"))
    assert os.environ.get("OMP_NUM_THREADS") == threads
    assert given == ([int(threads)] if threads else [])


@pytest.mark.fault("a container with a quota of cores", "as many threads as it may use")
@pytest.mark.parametrize(("quota", "count"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), (None, 8)])
def test_a_quota_of_cores_counts(monkeypatch, tmp_path, quota, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert cores.available_cores(str(tmp_path / "cpu.max")) == count


@pytest.mark.fault("other programs need the cores", "half of them are used, unless the user says how many")
@pytest.mark.parametrize(
    ("num_cores", "own", "threads"), [(8, None, [4]), (5, None, [2]), (1, None, [1]), (8, "3", [])]
)
def test_half_of_the_cores_are_used(monkeypatch, num_cores, own, threads):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(cores, "available_cores", lambda: num_cores)
    monkeypatch.setenv("OMP_NUM_THREADS", own or "")
    if own is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    cores.use_half_of_the_cores()
    assert given == threads


def test_who_trains_leaves_half_of_the_cores_free():
    """Whether torch was imported before or not."""
    code = "import torch; torch.set_num_threads(7); import helpers.train; print(torch.get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [str(max(1, cores.available_cores() // 2))], done.stderr


@pytest.mark.fault("pytest-randomly is installed", "cells keep their order")
def test_cells_are_not_shuffled():
    config = types.SimpleNamespace(option=types.SimpleNamespace(dist="no", randomly_reorganize=True))
    runpy.run_path(str(ROOT / "conftest.py"))["pytest_configure"](config)
    assert config.option.randomly_reorganize is False


BACKEND = """
import os
from helpers import plot
import matplotlib
print(os.environ.get("MPLBACKEND", "none"))
"""


@pytest.mark.fault("MPLBACKEND of Kaggle", "kept, for the reader's own figures")
@pytest.mark.parametrize(
    ("backend", "kept"),
    [("module://ipykernel.pylab.backend_inline", True), ("garbage", False)],
)
def test_a_backend_that_works_is_kept(backend, kept):
    environment = os.environ | {"MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", BACKEND], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [backend if kept else "none"], done.stderr
