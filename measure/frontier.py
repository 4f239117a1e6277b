"""What accuracy costs: our recipes with their spread beside the single runs that others published.

results/submissions.csv holds public submissions of the same assignment, whose logs name every epoch.
"""

from collections import Counter
from collections.abc import Sequence

from helpers.beyond.recipes import ALL_RECIPES
from helpers.model import count_parameters
from helpers.plot import show_target
from helpers.plot.figure import BLUE, GRAY, ORANGE, File, drawing
from measure.results import TARGET, accuracy_of, finished, read_table
from measure.times import key_of

LARGEST = 30_000  # parameters; what is published and larger plays another game


def show_parameters(path: File = None) -> None:
    """Shows the accuracy over the number of parameters."""
    ours = {name: count_parameters(recipe.model()) for name, recipe in ALL_RECIPES.items()}
    others = [row for row in read_table("published") if int(row["parameters"]) < LARGEST]
    _show(ours, others, "parameters", "Accuracy against size", path, read_table("submissions"))


def show_seconds() -> None:
    """Shows the accuracy over the training time on the device that timed most recipes; others' as they reported it."""
    rows = read_table("times")
    (place, _), *_ = Counter(key_of(row)[1:] for row in rows).most_common()
    ours = {row["recipe"]: float(row["seconds"]) for row in rows if key_of(row)[1:] == place}
    others = [row for row in read_table("published") if row["seconds"]]
    _show(ours, others, "seconds", "Accuracy against training time")


def _show(
    ours: dict[str, float],
    others: list[dict[str, str]],
    cost: str,
    title: str,
    path: File = None,
    submissions: Sequence[dict[str, str]] = (),
) -> None:
    with drawing(8, 4.8, f"{title}: ours ± standard deviation over seeds, others as published", path) as axis:
        if submissions:
            xs, ys = ([float(row[column]) for row in submissions] for column in (cost, "final_accuracy"))
            axis.plot(xs, ys, ".", color=GRAY, markersize=4.5, label=f"{len(submissions)} public submissions", zorder=1)
        measured = {name: x for name, x in ours.items() if name != "baseline" and finished(name)}
        for (name, x), marker in zip(measured.items(), "oD^sv<>pPX*h"):
            mean, spread = accuracy_of(name)
            axis.errorbar(x, mean, spread, fmt=marker, color=BLUE, capsize=4, label=name)
        named = {row["name"]: (float(row[cost]), float(row["accuracy"])) for row in others}
        for name, (x, y) in named.items():
            axis.plot(x, y, "s", color=ORANGE, fillstyle="none")
            # Below its point, or above if that of a neighbor lies a little lower.
            crowded = any((z, w) != (x, y) and 1 / 1.8 < x / z < 1.8 and 0 <= y - w < 0.05 for z, w in named.values())
            style = {"color": ORANGE, "fontsize": 9, "bbox": {"color": "white", "alpha": 0.7, "pad": 0.5}}
            axis.annotate(name, (x, y), (7, 6 if crowded else -13), textcoords="offset points", zorder=1.5, **style)
        show_target(axis, TARGET)
        axis.legend(loc="lower left", ncols=2)
        axis.set_xscale("log")
        axis.margins(x=0.2, y=0.1)
        axis.xaxis.set_major_formatter("{x:,g}")
        axis.xaxis.set_minor_formatter(lambda x, _: f"{x:,g}" if f"{x:e}"[0] in "25" else "")
        axis.set(
            xlabel={"seconds": "training time (s)"}.get(cost, cost), ylabel="test accuracy, final epoch, one view (%)"
        )
        axis.grid(alpha=0.3, which="both")
