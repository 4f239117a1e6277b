"""Draws the README's pictures into images/: `python -m tools.images`."""

from pathlib import Path

from helpers import plot
from helpers.backprop import INPUTS, LEARNING_RATES, TARGETS, WEIGHTS, forward, train
from helpers.model import count_parameters
from helpers.recipes import RECIPES
from measure.frontier import show_parameters
from measure.receptive_field import receptive_field
from measure.results import mean_curve

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
    show_parameters(IMAGES / "frontier.png")


if __name__ == "__main__":
    main()
