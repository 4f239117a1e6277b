"""A recipe's time beside that of an earlier commit, with code that only counts in the place of training."""

from pathlib import Path

import pytest

from measure import compare, results

STUB = {
    "helpers/__init__.py": "",
    "helpers/data.py": "from collections import namedtuple\nSplit = namedtuple('Split', 'images labels')\n"
    "load_mnist = lambda: (Split([0], [1]), None)\nmean_and_std = lambda images: (0, 1)\n",
    "helpers/recipes.py": "class Recipe:\n    num_epochs = 3\n"
    "    set_up = lambda self, *given: given[:4]\nRECIPES = {'fastest': Recipe()}\n",
    "helpers/train.py": "import time\nseconds = 0\ntime.perf_counter = lambda: seconds\n"
    "def train_epoch(*given):\n    global seconds\n    seconds += {step}\n",
}


def stub(folder: Path, step: float) -> Path:
    for name, text in STUB.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("{step}", str(step)))
    return folder


@pytest.mark.parametrize("room", ["helpers", "helpers/beyond"])
def test_a_run_is_timed_by_the_code_of_its_folder_without_the_warm_up(tmp_path, room):
    """Whether its recipes are where an earlier commit keeps them, or where they are now."""
    stub(tmp_path, 0.5)
    if room != "helpers":
        (tmp_path / room).mkdir()
        text = (tmp_path / "helpers/recipes.py").read_text()
        (tmp_path / room / "recipes.py").write_text(text.replace("RECIPES", "ALL_RECIPES"))
        (tmp_path / "helpers/recipes.py").write_text("RECIPES = {}")
    assert compare.seconds_of_run(tmp_path, "fastest", "cpu") == 1.5


def test_code_that_cannot_train_is_named_with_its_error(tmp_path):
    (stub(tmp_path, 1) / "helpers/train.py").write_text("raise SystemError('too old')")
    with pytest.raises(RuntimeError, match=r"(?s)fastest cannot be trained with the code of .*too old"):
        compare.seconds_of_run(tmp_path, "fastest", "cpu")


def test_runs_take_turns_and_each_pair_is_a_row(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["compare", "HEAD", "fastest", "--runs", "3"])
    times = iter([10.0, 5.0, 10.0, 4.0, 8.0, 8.0])
    folders = []
    monkeypatch.setattr(compare, "seconds_of_run", lambda folder, *given: folders.append(folder) or next(times))
    compare.main()
    rows = results.read_table("comparisons")
    assert [(row["earlier_seconds"], row["seconds"]) for row in rows] == [
        ("10.00", "5.00"),
        ("10.00", "4.00"),
        ("8.00", "8.00"),
    ]
    assert folders[1::2] == [compare.ROOT] * 3 and set(folders[::2]) == {folders[0]} != {compare.ROOT}
    line = "earlier 10.0 s (8.0 to 10.0), now 5.0 s (4.0 to 8.0), ratio 0.50 (0.40 to 1.00), n = 3"
    assert line in capsys.readouterr().out


def test_a_commit_that_git_does_not_know_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["compare", "no-such-commit", "fastest"])
    with pytest.raises(SystemExit):
        compare.main()
    assert "git knows no commit no-such-commit" in capsys.readouterr().err


def test_another_recipe_takes_the_place_of_a_commit(monkeypatch, tmp_path):
    """The best known sprint of others is a recipe here, trained by the code of today."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["compare", "sprint", "fastest", "--runs", "1"])
    runs = []
    monkeypatch.setattr(compare, "seconds_of_run", lambda *run: runs.append(run) or 1.0)
    compare.main()
    assert runs == [(compare.ROOT, "sprint", "cpu"), (compare.ROOT, "fastest", "cpu")]
    assert [(row["earlier"], row["recipe"]) for row in results.read_table("comparisons")] == [("sprint", "fastest")]
