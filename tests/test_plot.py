"""Figures draw what they say; what they look like is seen in the notebooks."""

from contextlib import contextmanager

import pytest
import torch
from matplotlib.figure import Figure

from helpers import plot
from helpers.plot import curves, diagrams, images
from helpers.plot.figure import BLUE, GRAY, ORANGE


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn while the test runs."""
    figures = []

    @contextmanager
    def drawing(width, height, title, path=None, **grid):
        figures.append(Figure())
        yield figures[-1].subplots(**grid)

    for module in (curves, diagrams, images):
        monkeypatch.setattr(module, "drawing", drawing)
    return figures


@pytest.mark.parametrize(
    ("factor", "marker", "color", "fill"),
    [(1.09, "o", GRAY, "none"), (1.11, ">", ORANGE, "full"), (0.92, "o", GRAY, "none")] + [(0.90, "<", BLUE, "full")],
)
def test_a_mean_within_the_noise_is_hollow_and_others_point_where_they_lie(drawn, factor, marker, color, fill):
    runs = [1.5 * factor, 2 * factor, 2.5 * factor]
    plot.show_dots({"ours": [2.0], "changed": runs}, "loss", reference=2, noise=0.1)
    (axis,) = drawn[0].axes
    mean, dots = [line for line in axis.lines if list(line.get_ydata()) in ([1], [1, 1, 1])]
    assert mean.get_xdata() == pytest.approx([2 * factor]) and list(dots.get_xdata()) == runs
    assert (mean.get_marker(), mean.get_color(), mean.get_fillstyle()) == (marker, color, fill)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ours", "changed"]


@pytest.mark.parametrize(
    "curves", [{}, {"train": [], "test": []}, {"train": [(1, 0.5)], "test": []}, {"alone": [(1, 0.5)]}]
)
@pytest.mark.fault("training interrupted in its first epoch, then its curves", "empty axes, no warning")
@pytest.mark.parametrize("log", [False, True])
def test_curves_may_be_empty(tmp_path, curves, log, recwarn):
    """Drawn for real: some warnings come when a figure is laid out."""
    plot.show_curves(curves, "loss", target=0.1, log=log, path=tmp_path / "curves.png")
    # What libraries of matplotlib's call deprecated depends on their versions, and no reader sees it.
    assert not [warning for warning in recwarn if "Deprecation" not in warning.category.__name__]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_curves_that_have_points_are_named(drawn):
    plot.show_curves({"train": [(1, 0.5)], "validation": [], "test": [(1, 0.25), (2, 0.125)]}, "loss")
    plot.show_curves({"alone": [(1, 0.5)]}, "loss")
    first, second = (figure.axes[0] for figure in drawn)
    assert [text.get_text() for text in first.get_legend().texts] == ["train", "test"] and not second.get_legend()
    assert [line.get_xydata().tolist() for line in first.lines] == [[[1, 0.5]], [[1, 0.25], [2, 0.125]]]


def test_each_panel_has_its_curves_and_the_line_to_compare_with(drawn):
    panels = {name: {"healthy": [(0, 2), (1, 1)], "broken": [(0, 2), (1, float("nan"))]} for name in "abcd"}
    plot.show_panels(panels, "step", "loss", ylim=(0, 16), target=2.3, target_name="ln 10 =")
    axes = drawn[0].axes
    assert [axis.get_title() for axis in axes] == ["a", "b", "c", "d", "", ""]
    for axis in axes[:4]:
        assert [text.get_text() for text in axis.get_legend().texts] == ["healthy", "broken"]
        assert list(axis.lines[-1].get_ydata()) == [2.3, 2.3]


def test_histograms_count_all_values_of_each_layer_within_the_bounds(drawn):
    layers = [torch.linspace(-1, 1, 1000), torch.full((50,), 0.5), torch.tensor([0.0, 7.0])]
    plot.show_histograms({"left": layers, "right": layers[:1]}, "value", (-2, 2))
    left, right = drawn[0].axes
    sums = [steps.get_data().values.sum() for steps in left.patches]
    assert sums == pytest.approx([100, 100, 50]) and len(right.patches) == 1
    assert left.patches[1].get_data().values.max() == pytest.approx(100)
