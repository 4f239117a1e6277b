"""The figures of what accuracy costs hold what they say."""

from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure

from helpers.beyond.recipes import ALL_RECIPES
from measure import frontier
from measure.results import finished, read_table


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the figures that are drawn while the test runs."""
    figures = []

    @contextmanager
    def drawing(width, height, title, path):
        figures.append(Figure().subplots())
        yield figures[-1]

    monkeypatch.setattr(frontier, "drawing", drawing)
    return figures


def legend_of(axis):
    return [text.get_text() for text in axis.get_legend().texts]


def test_every_submission_is_a_gray_dot_with_one_entry_in_the_legend(drawn):
    frontier.show_parameters()
    (axis,) = drawn
    (dots,) = [line for line in axis.lines if "submissions" in str(line.get_label())]
    rows = read_table("submissions")
    assert len(rows) == 65
    assert [tuple(point) for point in dots.get_xydata()] == [
        (float(row["parameters"]), float(row["final_accuracy"])) for row in rows
    ]
    assert dots.get_color() == frontier.GRAY
    assert legend_of(axis).count("65 public submissions") == 1


@pytest.mark.parametrize("show", [frontier.show_parameters, frontier.show_seconds])
def test_our_measured_recipes_are_named_and_the_others_too(drawn, show):
    show()
    names = {text.get_text() for text in drawn[0].texts} | set(legend_of(drawn[0]))
    measured = {name for name in ALL_RECIPES if name != "baseline" and finished(name)}
    assert len(measured) >= 4
    timed = measured & {row["recipe"] for row in read_table("times")}
    assert names >= (measured if show is frontier.show_parameters else timed) and "lesson" in names
    column, largest = ("parameters", frontier.LARGEST) if show is frontier.show_parameters else ("seconds", 1e9)
    others = {row["name"] for row in read_table("published") if row[column] and float(row[column]) < largest}
    assert names >= others and others


def test_a_recipe_that_is_not_finished_is_not_shown(drawn, monkeypatch):
    monkeypatch.setattr(frontier, "finished", lambda name: name != "lesson")
    frontier.show_parameters()
    assert "smallest" in legend_of(drawn[0]) and not {"lesson", "baseline"} & set(legend_of(drawn[0]))


def test_times_have_no_submissions(drawn):
    frontier.show_seconds()
    assert not any("submissions" in name for name in legend_of(drawn[0]))


def test_submissions_name_where_they_are_from():
    for row in read_table("submissions"):
        assert row["repository"].count("/") == 1 and float(row["final_accuracy"]) <= float(row["best_accuracy"]) <= 100
        assert int(row["parameters"]) > 0 and int(row["epochs"]) > 0
