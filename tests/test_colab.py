"""The set-up cell in an empty folder, as in Colab and on Kaggle, and the address in all its places."""

import re
import shutil
import subprocess
import sys
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


def run_cell(folder: Path, address: str, branch: str = "main", times: int = 1) -> subprocess.CompletedProcess:
    """Runs the cell in a new process, as a kernel would: several times, then imports `helpers`."""
    line = f'REPOSITORY, BRANCH = "{address}", "{branch}"'
    cell = re.sub(r'REPOSITORY, BRANCH = ".*?", ".*?"', line, setup_cell(NOTEBOOKS[0]))
    assert line in cell
    lines = [*[f"exec({cell!r})"] * times, "import helpers.files", "print(helpers.files.__file__)"]
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_cell_is_the_same_everywhere_and_short():
    assert len({setup_cell(path) for path in NOTEBOOKS}) == 1
    assert len(setup_cell(NOTEBOOKS[0]).splitlines()) <= 8


def test_clones_imports_and_survives_rerun_and_restart(address, tmp_path):
    (tmp_path / "my_notes.txt").write_text("mine")
    for _ in range(2):  # the second time after a restart of the kernel
        done = run_cell(tmp_path, address, times=3)
        assert done.stdout.strip() == str(tmp_path / "repository" / "helpers" / "files.py"), done.stderr
    (tmp_path / "repository" / "helpers" / "changed.py").write_text("# by the reader")
    assert run_cell(tmp_path, address).returncode == 0
    assert (tmp_path / "repository" / "helpers" / "changed.py").exists()
    assert (tmp_path / "my_notes.txt").read_text() == "mine"
    history = subprocess.run(["git", "rev-list", "--all", "--count"], cwd=tmp_path / "repository", capture_output=True)
    assert history.stdout.strip() == b"1"


def test_a_whole_notebook_runs_alone_in_an_empty_folder(address, tmp_path):
    alone = tmp_path / "content" / NOTEBOOKS[0].name
    alone.parent.mkdir()
    line = f'REPOSITORY, BRANCH = \\\\"{address}\\\\", \\\\"main\\\\"'
    alone.write_text(ADDRESS.sub(line, NOTEBOOKS[0].read_text(encoding="utf-8")), encoding="utf-8")
    executed = nbformat.read(alone, as_version=4)
    execute(executed, alone.parent)
    assert f'"{address}"' in setup_cell(alone)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    assert sorted(path.name for path in alone.parent.iterdir()) == [alone.name, "repository"]


@pytest.mark.fault("a student's own helpers.py beside the notebook", "the repository's helpers are found")
def test_the_repositorys_helpers_come_first(address, tmp_path):
    (tmp_path / "helpers.py").write_text("raise ImportError('not this one')")
    done = run_cell(tmp_path, address)
    assert done.stdout.strip() == str(tmp_path / "repository" / "helpers" / "files.py"), done.stderr


@pytest.mark.parametrize("place", ["notebooks", ""])  # VS Code may start in the folder that is open
def test_inside_the_repository_nothing_is_cloned(place):
    before = sorted(ROOT.iterdir())
    done = run_cell(ROOT / place, "file:///nowhere")
    assert done.stdout.strip() == str(ROOT / "helpers" / "files.py"), done.stderr
    assert sorted(ROOT.iterdir()) == before


@pytest.mark.parametrize(
    ("address_of", "branch", "message"),
    [
        ("", "main", r'AssertionError: No helpers/ here: write the repository address between the first ""'),
        ("file:///nowhere", "main", "nowhere.*AssertionError: git could not clone it"),
        (None, "absent", "absent.*AssertionError: git could not clone it"),
    ],
)
@pytest.mark.fault("Colab's clone fails", "error")
def test_a_failing_set_up_says_what_to_do(address, tmp_path, address_of, branch, message):
    done = run_cell(tmp_path, address if address_of is None else address_of, branch)
    assert done.returncode == 1 and re.search(message, done.stderr, re.DOTALL), done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_left_alone(address, tmp_path):
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "work.txt").write_text("mine")
    done = run_cell(tmp_path, address)
    assert "already exists and is not an empty directory" in done.stderr
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["work.txt"]


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
