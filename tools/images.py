"""Draws the README's pictures into images/: `python -m tools.images`."""

from pathlib import Path

from helpers import plot
from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS, forward, train
from helpers.model import count_parameters, receptive_field
from helpers.recipes import RECIPES
from measure.results import accuracy_of, mean_curve, read_table

IMAGES = Path(__file__).resolve().parents[1] / "images"


def main() -> None:
    start = forward(WEIGHTS)
    hidden, outputs = (start.a_h1, start.a_h2), (start.a_o1, start.a_o2)
    plot.show_neurons(
        {"i": INPUTS, "a_h": hidden, "a_o": outputs, "target t": TARGETS},
        WEIGHTS,
        title="The network of Part 1 before training",
        path=IMAGES / "backpropagation_network.png",
    )
    plot.show_curves(
        {f"lr {lr}": [(n, row.forward.E_total) for n, row in enumerate(train(lr))] for lr in LEARNING_RATES},
        "E_total",
        xlabel="iteration",
        title="Error at six learning rates",
        path=IMAGES / "learning_rates.png",
    )
    model = RECIPES["notebook"].model()
    plot.show_network(
        receptive_field(model),
        title=f"The network of Part 2: {count_parameters(model):,} parameters",
        path=IMAGES / "network.png",
    )
    plot.show_curves(
        {"our network": mean_curve("notebook", "accuracies"), "baseline": mean_curve("baseline", "accuracies")},
        "test accuracy (%)",
        title="Test accuracy after each epoch, mean over seeds",
        target=99.4,
        ylim=(95, 100),
        path=IMAGES / "accuracy.png",
    )
    names = [name for name in RECIPES if name != "baseline"]
    published = [row for row in read_table("published") if int(row["parameters"]) < 30_000]
    plot.show_points(
        {name: (count_parameters(RECIPES[name].model()), *accuracy_of(name)) for name in names},
        {row["name"]: (int(row["parameters"]), float(row["accuracy"])) for row in published},
        "parameters",
        title="Accuracy against size: ours with standard deviation over seeds, others single runs",
        target=99.4,
        path=IMAGES / "frontier.png",
    )


if __name__ == "__main__":
    main()
