"""A pad to draw digits on, in a notebook: the network runs in the page itself, so nothing has to be asked for."""

import json
from pathlib import Path

from IPython.display import HTML, display
from torch import nn

from helpers.own_digit.network_data import data_of, ten_logits
from helpers.own_digit.photo import rules

FOLDER = Path(__file__).parent


def draw(model: nn.Module, mean: float, std: float) -> None:
    """Shows a pad to draw on, and what the network reads while one draws.

    The pad holds the weights, and needs neither a server nor the kernel. Where scripts do not run, as on GitHub,
    a still picture stands there.

    Args:
        model: convolutions, norms, poolings, activations, linear layers and attention; branches may be added,
            multiplied or concatenated.
        mean, std: of the pixels, 0 to 1, which normalize the model's images.

    Raises:
        ValueError: see `network_of`; or the network does not return ten logits.
    """
    display(HTML(pad(model, mean, std)))


def pad(model: nn.Module, mean: float, std: float) -> str:
    """Returns the pad as HTML that may stand anywhere in a page."""
    layout, network = (FOLDER / "pad.html").read_text("utf-8"), data_of(ten_logits(model), mean, std)
    return layout.replace("/*SCRIPT*/", script()).replace("/*NETWORK*/", json.dumps(network))


def script() -> str:
    """Returns the JavaScript that the pad and the page share, and the rules of doubts."""
    files = ("network.js", "strokes.js", "doubts.js", "pad.js")
    code = "".join((FOLDER / name).read_text("utf-8") for name in files)
    return f"{code}mnist.rules = {json.dumps(rules())};\nmnist.rules.scribble = mnist.load(mnist.rules.scribble);\n"
