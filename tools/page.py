"""Writes the page on which one draws a digit and sees every layer: `python -m tools.page` makes demo/index.html."""

import base64
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers.data import Batches, load_mnist
from helpers.files import write_whole
from helpers.own_digit.network_data import network_of
from helpers.own_digit.pad import script
from helpers.train import predict
from measure.results import accuracy_of, read_results
from measure.weights import median_run, trained

PAGE = Path(__file__).resolve().parents[1] / "demo" / "index.html"
NETWORKS = ("lesson", "smallest", "accurate", "baseline")
NUM_MISTAKES = 8
FILES = ("page.html", "explain.js", "panel.js", "page.js")


def page() -> str:
    """Returns the page, made of the recorded weights and MNIST's test digits."""
    test = load_mnist()[1]
    firsts = [int((test.labels == digit).nonzero()[0]) for digit in range(10)]
    digits, networks = [_digit(test.images, test.labels, index) for index in firsts], {}
    for name in NETWORKS:
        model, mean, std = trained(name)
        scores = {"accuracy": median_run(name)["accuracy"], "average": f"{accuracy_of(name)[0]:.2f}"}  # of one view
        networks[name] = network_of(model, mean, std) | scores | {"runs": len(read_results(name))}
        wrong = islice(_misread(model, Batches(test, 1000, mean, std)), NUM_MISTAKES)
        digits += [_digit(test.images, test.labels, index) | {"misread": name} for index in wrong]
    data = json.dumps({"networks": networks, "digits": digits}, separators=(",", ":"))
    page, *code = (Path(__file__).with_name(name).read_text("utf-8") for name in FILES)
    for name, part in zip(("SCRIPT", "DATA", "EXPLAIN", "PANEL", "PAGE"), (script(), data, *code)):
        page = page.replace(f"/*{name}*/", part)
    return page


def _misread(model: nn.Module, batches: Batches) -> Iterator[int]:
    for number, batch in enumerate(batches):
        logits, labels = predict(model, [batch])
        yield from ((logits.argmax(dim=1) != labels).nonzero()[:, 0] + number * batches.batch_size).tolist()


def _digit(images: Tensor, labels: Tensor, index: int) -> dict[str, object]:
    pixels = base64.b64encode(images[index].to(torch.uint8).numpy().tobytes()).decode()
    return {"index": index, "label": int(labels[index]), "image": pixels}


if __name__ == "__main__":
    write_whole(PAGE, page().encode())
    print(f"demo/index.html, {PAGE.stat().st_size / 1000:.0f} kB")
