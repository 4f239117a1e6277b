"""The set-up cell in an empty folder with a stand-in for Colab, and the address in all its places."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest

from measure.machine import PACKAGES
from tools.colab import ADDRESS, BLOCK, ROOT, origin, write_address
from tools.execute import execute

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, and Colab's clone needs it")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def setup_cell(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.source for cell in cells if cell.cell_type == "code" and "REPOSITORY" in cell.source)


def git(*words, cwd):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A bare repository that holds what notebooks import, as its own branch `main`."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    git("init", "--quiet", "--initial-branch=main", cwd=source)
    git("add", "-A", cwd=source)
    git("commit", "--quiet", "-m", "helpers", cwd=source)
    git("clone", "--quiet", "--bare", source, source / "bare.git", cwd=source)
    return f"file://{source / 'bare.git'}"


def run_cell(
    folder: Path, address: str, branch="main", times=1, colab=True, before=(), **environment: str
) -> subprocess.CompletedProcess:
    """Runs the cell in a new process, as a kernel would: several times, then imports `helpers`."""
    line = f'REPOSITORY, BRANCH = "{address}", "{branch}"'
    cell = re.sub(r'REPOSITORY, BRANCH = ".*?", ".*?"', line, setup_cell(NOTEBOOKS[0]))
    assert line in cell
    lines = ["import sys, types"]
    if colab:  # Colab's kernel has imported this before the first cell runs
        lines.append("sys.modules['google.colab'] = types.ModuleType('google.colab')")
    lines += [*before, *[f"exec({cell!r})"] * times]
    lines += ["import helpers.files", "print(helpers.files.__file__)", "print(sys.path.count(str(root)))"]
    command = [sys.executable, "-c", "\n".join(lines)]
    environment = os.environ | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_cell_is_the_same_everywhere():
    assert len({setup_cell(path) for path in NOTEBOOKS}) == 1
    assert len(setup_cell(NOTEBOOKS[0]).splitlines()) <= 25


def test_clones_imports_and_survives_rerun_and_restart(address, tmp_path):
    (tmp_path / "my_notes.txt").write_text("mine")
    for _ in range(2):  # the second time after a restart of the kernel
        done = run_cell(tmp_path, address, times=3)
        assert done.stdout.split() == [str(tmp_path / "repository" / "helpers" / "files.py"), "1"], done.stderr
    (tmp_path / "repository" / "helpers" / "changed.py").write_text("# by the reader")
    assert run_cell(tmp_path, address).returncode == 0
    assert (tmp_path / "repository" / "helpers" / "changed.py").exists()
    assert (tmp_path / "my_notes.txt").read_text() == "mine"
    history = subprocess.run(["git", "rev-list", "--all", "--count"], cwd=tmp_path / "repository", capture_output=True)
    assert history.stdout.strip() == b"1"


def test_a_whole_notebook_runs_alone_in_an_empty_folder(address, tmp_path, monkeypatch):
    stand_in = tmp_path / "stand_in"
    (stand_in / "google" / "colab").mkdir(parents=True)
    for module in ("google/__init__.py", "google/colab/__init__.py"):
        (stand_in / module).touch()
    (stand_in / "sitecustomize.py").write_text("import google.colab")  # before the first cell, as in Colab
    monkeypatch.setenv("PYTHONPATH", str(stand_in))
    alone = tmp_path / "content" / NOTEBOOKS[0].name
    alone.parent.mkdir()
    line = f'REPOSITORY, BRANCH = \\\\"{address}\\\\", \\\\"main\\\\"'
    alone.write_text(ADDRESS.sub(line, NOTEBOOKS[0].read_text(encoding="utf-8")), encoding="utf-8")
    executed = nbformat.read(alone, as_version=4)
    execute(executed, alone.parent)
    assert f'"{address}"' in setup_cell(alone)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    assert sorted(path.name for path in alone.parent.iterdir()) == [alone.name, "repository"]


def test_never_clones_into_a_clone(address, tmp_path):
    run_cell(tmp_path, address)
    for folder in (tmp_path / "repository", tmp_path / "repository" / "helpers"):
        assert run_cell(folder, address).stdout.startswith(str(tmp_path / "repository" / "helpers"))
    assert len(list(tmp_path.rglob(".git"))) == 1


def test_inside_the_repository_nothing_is_cloned():
    before = sorted(ROOT.iterdir())
    done = run_cell(ROOT / "notebooks", "file:///nowhere", colab=False)
    assert done.stdout.split() == [str(ROOT / "helpers" / "files.py"), "1"], done.stderr
    assert sorted(ROOT.iterdir()) == before


@pytest.mark.parametrize(
    ("address_of", "branch", "colab", "message"),
    [
        ("", "main", True, "Set REPOSITORY in this cell, such as"),
        ("file:///nowhere", "main", True, "Is REPOSITORY right, and public.* git says: .*nowhere"),
        (None, "absent", True, "git says: .*absent"),
        (None, "main", False, "Open the repository.s folder, which holds helpers"),
    ],
)
@pytest.mark.fault("Colab's clone fails", "error")
def test_a_failing_set_up_says_what_to_do(address, tmp_path, address_of, branch, colab, message):
    done = run_cell(tmp_path, address if address_of is None else address_of, branch, colab=colab)
    assert done.returncode == 1 and re.search(f"RuntimeError: .*{message}", done.stderr, re.DOTALL)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_left_alone(address, tmp_path):
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "work.txt").write_text("mine")
    done = run_cell(tmp_path, address)
    assert "already exists and is not an empty directory" in done.stderr
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["work.txt"]


@pytest.mark.fault("started beside or above the repository", "helpers found")
@pytest.mark.parametrize("place", ["", "mnist", "mnist/notebooks", "mnist/helpers"])
def test_helpers_are_found_from_the_folders_around(tmp_path, place):
    shutil.copytree(ROOT / "helpers", tmp_path / "mnist" / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "mnist" / "notebooks").mkdir()
    done = run_cell(tmp_path / place, "file:///nowhere", colab=False)
    assert done.stdout.split() == [str(tmp_path / "mnist" / "helpers" / "files.py"), "1"], done.stderr


def test_vs_code_may_start_anywhere_since_it_names_the_notebook(tmp_path):
    line = f"__vsc_ipynb_file__ = {str(NOTEBOOKS[0])!r}"
    done = run_cell(tmp_path, "file:///nowhere", colab=False, before=[line])
    assert done.stdout.split() == [str(ROOT / "helpers" / "files.py"), "1"], done.stderr


@pytest.mark.parametrize(
    "listed", ["fileId=https%3A%2F%2Fgithub.com/a-fork/mnist/blob/main/notebooks/1.ipynb", "1.ipynb"]
)
def test_a_fork_needs_no_editing_if_colab_says_where_the_notebook_is_from(address, tmp_path, listed):
    """What Colab is said to answer, from a server here; git takes the bare repository for the one on GitHub."""

    class Sessions(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps([{"path": listed, "name": "1.ipynb"}]).encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sessions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # The rest of the cell's address, its port among it, becomes a query.
        host = f"import socket; socket.gethostname = lambda: '127.0.0.1:{server.server_port}/?'"
        git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "https://github.com/a-fork/mnist"}
        git["GIT_CONFIG_KEY_0"] = f"url.{address}.insteadOf"
        done = run_cell(tmp_path, "", before=[host], **git)
        server.shutdown()
    if "github" in listed:
        assert done.stdout.split() == [str(tmp_path / "repository" / "helpers" / "files.py"), "1"], done.stderr
    else:
        assert "RuntimeError: Set REPOSITORY in this cell" in done.stderr


def notebooks_in(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("*.ipynb"))


def addresses(root: Path) -> set:
    found = {tuple(ADDRESS.search(path.read_text(encoding="utf-8")).groups()) for path in notebooks_in(root)}
    block = BLOCK.search((root / "README.md").read_text(encoding="utf-8"))[1]
    links = re.findall(r"research\.google\.com/github/([^/]+/[^/]+)/blob/(.+?)/notebooks/", block)
    if not links:
        assert block == ""
        return found
    assert len(links) == len(notebooks_in(root))
    return found | {(f"https://github.com/{repository}", branch) for repository, branch in links}


def test_all_places_agree():
    assert len(addresses(ROOT)) == 1


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_address_is_written_everywhere_replaced_and_taken_out(copy):
    before = {path: path.read_bytes() for path in [*notebooks_in(copy), copy / "README.md"]}
    assert len(write_address("someone/mnist", "main", copy)) == len(before)
    assert addresses(copy) == {("https://github.com/someone/mnist", "main")}
    assert write_address("someone/mnist", "main", copy) == []
    write_address("a-fork/mnist.2", "try/this", copy)
    assert addresses(copy) == {("https://github.com/a-fork/mnist.2", "try/this")}
    for path in notebooks_in(copy):
        nbformat.validate(nbformat.read(path, as_version=4))
    write_address("", "main", copy)
    assert addresses(copy) == {("", "main")}


@pytest.mark.parametrize(
    ("repository", "branch"), [("mnist", "main"), ("a/b/c", "main"), ("a b/c", "main"), ("a/b", 'x"y')]
)
def test_what_is_no_address_is_refused(copy, repository, branch):
    with pytest.raises(ValueError, match=r"owner/name|no name of a branch"):
        write_address(repository, branch, copy)
    assert addresses(copy) == addresses(ROOT)


@pytest.mark.parametrize(
    "url",
    ["https://github.com/someone/mnist.git", "git@github.com:someone/mnist.git", "https://github.com/someone/mnist"],
)
def test_origin_is_the_default(tmp_path, url):
    git("init", "--quiet", cwd=tmp_path)
    with pytest.raises(ValueError, match="REPO=owner/name"):
        origin(tmp_path)
    git("remote", "add", "origin", url, cwd=tmp_path)
    assert origin(tmp_path) == "someone/mnist"
