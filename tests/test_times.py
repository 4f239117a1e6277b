"""results/times.csv: a recipe that is timed anew replaces its own row and no other."""

import pytest

from measure import results, times


@pytest.fixture
def folder(monkeypatch, tmp_path):
    (tmp_path / "times.csv").write_bytes((results.RESULTS / "times.csv").read_bytes())
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(times, "RESULTS", tmp_path)
    return tmp_path


def test_one_row_is_replaced_and_the_others_stay(monkeypatch, folder):
    before = results.read_table("times")
    monkeypatch.setattr(times, "seconds", lambda *args: 1.5)
    monkeypatch.setattr("sys.argv", ["times", "fastest"])
    times.main()
    after = results.read_table("times")
    assert [row["recipe"] for row in after] == [row["recipe"] for row in before]
    changed = [new for old, new in zip(before, after) if old != new]
    assert [(row["recipe"], row["seconds"]) for row in changed] == [("fastest", "3.0")]


def test_unknown_recipe_is_named_and_nothing_is_written(monkeypatch, capsys, folder):
    before = (folder / "times.csv").read_bytes()
    monkeypatch.setattr("sys.argv", ["times", "fastest", "quickest"])
    with pytest.raises(SystemExit):
        times.main()
    assert "no recipe quickest; there are baseline" in capsys.readouterr().err
    assert (folder / "times.csv").read_bytes() == before
