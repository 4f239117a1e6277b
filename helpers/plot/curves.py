"""Curves, points and bars with axes: what grows or falls with the epochs, and how variants compare."""

from collections.abc import Sequence

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from helpers.plot.figure import BLACK, BLUE, GRAY, GREEN, ORANGE, PURPLE, SKY, File, drawing


def show_curves(
    curves: dict[str, Sequence[tuple[float, float]]],
    ylabel: str,
    *,
    xlabel: str = "epoch",
    title: str = "",
    target: float | None = None,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    path: File = None,
) -> None:
    """Plots up to six named curves of (x, y) points, each in a color and line of its own.

    Args:
        target: draws a dotted line at this height.
        log: makes both axes logarithmic.
    """
    with drawing(7.5, 4.2, title, path) as axis:
        _draw_curves(axis, curves)
        if target is not None:
            show_target(axis, target, "target")
        if log:
            axis.loglog()
        else:
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axis.set(xlabel=xlabel, ylabel=ylabel, ylim=ylim)
        axis.grid(alpha=0.3)
        if len(curves) > 1 and any(curves.values()):  # else there is nothing to name
            axis.legend()


def show_bars(values: Sequence[float], xlabel: str, ylabel: str, *, title: str = "") -> None:
    """Shows numbers from 0 to 1 as bars, in percent, the first one on top."""
    with drawing(5, 2.8, title) as axis:
        bars = axis.barh(range(len(values)), [100 * value for value in values], color=BLUE)
        axis.bar_label(bars, [f"{100 * value:.1f}" if value >= 0.001 else "" for value in values], padding=3)
        axis.set(xlabel=xlabel, ylabel=ylabel, yticks=range(len(values)), xlim=(0, 115))
        axis.set_xticks(range(0, 101, 20))
        axis.invert_yaxis()


def show_dots(
    rows: dict[str, Sequence[float]],
    xlabel: str,
    *,
    reference: float,
    noise: float,
    name: str = "ours",
    title: str = "",
) -> None:
    """Shows the values of each row as small dots, and their mean as a large symbol, on a logarithmic axis.

    A line parts the rows where the name before their colon changes.

    Args:
        reference: what to compare with, a line with this `name`.
        noise: a mean that differs from it by less than this part of it, inside the band, is drawn hollow and gray.
    """
    with drawing(9, 1.2 + 0.25 * len(rows), title) as axis:
        axis.axvspan(reference / (1 + noise), reference * (1 + noise), color=GRAY, alpha=0.18, linewidth=0)
        axis.axvline(reference, color=BLACK, linewidth=0.8, linestyle=(0, (1, 2)))
        for y, values in enumerate(rows.values()):
            mean = sum(values) / len(values)
            within = 1 / (1 + noise) <= mean / reference <= 1 + noise
            marker, color = ("o", GRAY) if within else (">", ORANGE) if mean > reference else ("<", BLUE)
            axis.plot(mean, y, marker, color=color, markersize=9, fillstyle="none" if within else "full")
            axis.plot(values, [y] * len(values), ".", color=BLACK, markersize=3.5)
        topics = [label.partition(":")[0] for label in rows]
        for y in range(1, len(rows)):
            if topics[y] != topics[y - 1]:
                axis.axhline(y - 0.5, color=GRAY, linewidth=0.5, alpha=0.5)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "235" else "")
        axis.set(xlabel=xlabel, ylim=(len(rows) - 0.3, -1.4))
        axis.set_yticks(range(len(rows)), rows, fontsize=10)
        axis.annotate(
            f"{name}, and the noise around it", (reference, -0.8), (16, 0), textcoords="offset points", va="center"
        )
        axis.grid(axis="x", alpha=0.3)


def show_panels(
    panels: dict[str, dict[str, Sequence[tuple[float, float]]]],
    xlabel: str,
    ylabel: str,
    *,
    ylim: tuple[float, float],
    target: float,
    target_name: str,
    title: str = "",
) -> None:
    """Draws named curves in panels of the same scale, three in a row; a dotted line stands at the height `target`."""
    rows = -(-len(panels) // 3)
    shape = {"nrows": rows, "ncols": 3, "sharex": True, "sharey": True, "squeeze": False}
    with drawing(11, 2.9 * rows + 0.4, title, **shape) as axes:
        for axis, (name, curves) in zip(axes.flat, panels.items()):
            _draw_curves(axis, curves)
            show_target(axis, target, target_name)
            axis.set(ylim=ylim)
            axis.set_title(name, fontsize=11)
            axis.grid(alpha=0.3)
            axis.legend()
        for axis in axes[-1]:
            axis.set(xlabel=xlabel)
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        for axis in axes[:, 0]:
            axis.set(ylabel=ylabel)


def show_histograms(
    panels: dict[str, Sequence[Tensor]],
    xlabel: str,
    bounds: tuple[float, float],
    *,
    title: str = "",
) -> None:
    """Draws for each panel how the values of its layers are spread: a line a layer, the later the brighter."""
    edges = torch.linspace(*bounds, 81).numpy()
    with drawing(10, 3.4, title, ncols=len(panels)) as axes:
        for axis, (name, layers) in zip(axes, panels.items()):
            for i, values in enumerate(layers):
                counts = torch.histc(values.flatten(), 80, *bounds)
                percent = (100 * counts / values.numel()).numpy()
                color, line = colormaps["viridis"](0.9 * i / len(layers)), "-" if i % 2 == 0 else "--"
                axis.stairs(percent, edges, color=color, linestyle=line, linewidth=1.6, label=f"layer {i + 1}")
            axis.set(xlabel=xlabel, ylabel="values in each bar (%)")
            axis.set_title(name, fontsize=11)
            axis.legend(fontsize=9)


def show_target(axis: Axes, target: float, name: str = "target") -> None:
    """Draws a dotted line at the height `target`, with its name."""
    axis.axhline(target, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    place = {"xycoords": ("axes fraction", "data"), "xytext": (-4, 2), "textcoords": "offset points"}
    axis.annotate(f"{name} {target:g}", (1, target), ha="right", va="bottom", **place)


def _draw_curves(axis: Axes, curves: dict[str, Sequence[tuple[float, float]]]) -> None:
    """Draws each curve that has points."""
    styles = zip([BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK], ["-", "--", "-.", ":", "-", "--"], "osD^vx")
    for (name, points), (color, line, marker) in zip(curves.items(), styles):
        if points:
            xs, ys = zip(*points)
            axis.plot(xs, ys, color=color, linestyle=line, marker=marker if len(xs) <= 40 else "", label=name)
