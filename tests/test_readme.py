"""What the pages say is what was measured, and every link and picture in them is there."""

import csv
import math
import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from helpers.backprop import LEARNING_RATES, train
from helpers.beyond.recipes import ALL_RECIPES
from measure import peers, results, techniques
from measure.times import line_of
from measure.weights import median_run
from tools import images
from tools.images import IMAGES, notebook_pictures, tagged_cells

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "results/README.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", ROOT / "CONTRIBUTING.md", *NOTEBOOKS]


def markdown(path: Path) -> str:
    """Returns the text of a page; of a notebook, that of its markdown cells."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    """Returns what a link may name behind `#`: GitHub's form in a page, Jupyter's in a notebook."""
    titles = re.findall(r"^#+ (.*)$", markdown(path), re.MULTILINE)
    if path.suffix == ".ipynb":
        return {title.replace(" ", "-") for title in titles}
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("table", [lambda: results.table(ALL_RECIPES), results.retired, peers.table])
def test_tables_are_those_of_the_results(table):
    assert table() in RESULTS


def test_the_table_of_techniques_is_that_of_the_variants():
    assert techniques.table() in README


def test_the_errors_at_six_learning_rates_are_those_of_the_code():
    for lr in LEARNING_RATES:
        errors = [row.forward.E_total for row in train(lr, 100)]
        assert f"| {lr} | {' | '.join(f'{errors[n]:.4f}' for n in (0, 1, 2, 10, 50, 100))} |" in README


def test_multiplications_are_those_of_the_networks():
    for name in ("lesson", "smallest", "accurate", "fewest_epochs", "fastest"):
        assert f"| {name} | {peers.size(name):,} | {peers.multiplications(name):,} |" in RESULTS


def test_what_readme_claims_of_records_is_in_their_rows():
    rows = results.read_results("lesson")
    (mean, spread), least = results.accuracy_of("lesson"), min(row["accuracy"] for row in rows)
    claim = f"{mean:.2f} ± {spread:.2f} % (n = {len(rows)} seeds, lowest {least} %)"
    size = f"{int(rows[0]['parameters']):,}"
    assert f"| {claim} |" in README and f"| {size} |" in README
    assert results.reaches_target("smallest") and ALL_RECIPES["fewest_epochs"].num_epochs == 1
    assert results.reaches_target("fewest_epochs") and "fewest epochs for 99.4 % | 1 | 5 |" in README
    smallest, accurate = peers.size("smallest"), peers.size("accurate")
    best, soon = (results.accuracy_of(name)[0] for name in ("accurate", "fewest_epochs"))
    assert f"99.4 % with {smallest:,} parameters, {best:.2f} % with {accurate:,}" in README
    assert f"{soon:.2f} % after one epoch" in README
    for line in (f"for 99.4 % | {smallest:,} | 3,762", f"20,000 parameters | {best:.2f} % | 99.64 %"):
        assert line in README


def test_what_brought_the_gain_is_in_the_trials():
    def mean(training: str, network: str) -> float:
        rows = results.trials_of(replace(ALL_RECIPES[training], network=network))
        assert len(rows) >= 3
        return sum(results.numbers(rows, "accuracy")) / len(rows)

    (base, base_ours), (ours, ours_ours) = (
        [mean(training, network) for training in ("baseline", "lesson")] for network in ("BaselineNet", "LessonNet")
    )
    assert f"layers from {base:.2f} to {base_ours:.2f} %, and ours from {ours:.2f} to {ours_ours:.2f} %" in README


def test_times_are_those_of_the_results():
    for row in results.read_table("times"):
        assert line_of(row) in RESULTS


def test_pictures_of_people_are_those_of_the_results():
    (read,) = re.findall(r"Of 271 pictures, .*?, (\d+) are \[read correctly\]", README)
    assert f"`own_digits`, trained on digits that lean and bend more, reads {read}, " in RESULTS


def test_the_notebook_claims_the_speed_that_was_measured():
    (row,) = re.findall(r"\| our augmented batches \| ([\d.]+) \| ([\d., ]+) \|", RESULTS)
    ratios = [float(number) for number in ", ".join(row).split(", ")]
    notebook = (ROOT / "notebooks" / "2_mnist.ipynb").read_text(encoding="utf-8")
    assert f"[{min(ratios):.0f} to {max(ratios):.0f} times as fast](../results/README.md#speed)" in notebook


def test_what_the_notebook_printed_is_quoted_as_it_is():
    parameters, log = ("".join(output.text for output in cell.outputs) for cell in tagged_cells("readme"))
    total = "Total params: 14,986"
    assert parameters.partition(total)[0].strip("\n") + f"\n{total}" in README
    assert log.strip("\n") in README


def test_the_run_that_is_shown_is_the_one_in_the_middle():
    (_, log), row = tagged_cells("readme"), median_run("lesson")
    assert re.findall(r"\((\d\d\.\d\d)%\)", log.outputs[0].text) == row["accuracies"].split()
    wrong = round(10_000 * (1 - float(row["accuracy"]) / 100))
    assert f"In this run {wrong} of 10,000 digits are misread" in README


def test_pictures_of_the_notebook_are_its_own():
    pictures = notebook_pictures()
    assert pictures.keys() == {"confusion", "mistakes", "loss"}
    for name, picture in pictures.items():
        assert (IMAGES / f"{name}.png").read_bytes() == picture


def test_the_pictures_that_are_drawn_are_of_the_networks_that_they_name(monkeypatch, tmp_path):
    drawn = {}

    def note(*data, path, **settings):
        drawn[path.name] = data, settings

    for name in ("show_neurons", "show_network", "show_curves"):
        monkeypatch.setattr(images.plot, name, note)
    monkeypatch.setattr(images, "show_parameters", lambda path: note(path=path))
    monkeypatch.setattr(images, "IMAGES", tmp_path)
    images.main()
    others = {"page.png", *(path.name for path in IMAGES.glob("workbook*"))}
    names = {path.name for path in IMAGES.iterdir()} - others
    assert drawn.keys() | {path.name for path in tmp_path.iterdir()} == names
    (curves, _), _ = drawn["accuracy.png"]
    for title, name in (("our network", "lesson"), ("baseline", "baseline")):
        with (ROOT / "results" / f"{name}.csv").open(encoding="utf-8") as file:
            runs = [row["accuracies"].split() for row in csv.DictReader(file)]
        means = [sum(map(float, epoch)) / len(runs) for epoch in zip(*runs)]
        assert curves.pop(title) == [(n, pytest.approx(mean)) for n, mean in enumerate(means, start=1)]
    assert not curves
    (layers,), settings = drawn["network.png"]
    assert "14,986 parameters" in settings["title"] and [layer.channels for layer in layers][-1] == 10
    (values, weights), _ = drawn["backpropagation_network.png"]
    assert values["i"] == (0.05, 0.1) and values["target t"] == (0.01, 0.99) and weights[:2] == (0.15, 0.2)
    assert values["a_h"] == pytest.approx([1 / (1 + math.exp(-h)) for h in (0.0275, 0.0425)])


def test_the_report_is_short():
    """Outside code, tables and pictures; a list's items are paragraphs of their own."""
    text = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(\||<).*$", "", text, flags=re.MULTILINE)
    paragraphs = re.split(r"\n\n|\n(?=- |\d\. )", text)
    assert len(text.split()) <= 1400 and len(README.splitlines()) <= 240
    assert max(len(paragraph.split()) for paragraph in paragraphs) <= 80


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(path):
    text = markdown(path)
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pictures_have_a_text_for_those_who_do_not_see_them(path):
    text = markdown(path)
    for tag in re.findall(r"<img [^>]*>", text):
        assert re.search(r'alt="[^"]{10,}"', tag), tag
    assert "![](" not in text


def test_pictures_are_small_and_in_use():
    for picture in IMAGES.glob("*"):
        assert picture.stat().st_size <= 200_000, picture.name
        assert f"images/{picture.name}" in README, picture.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_table_of_contents_names_every_section(path):
    cells = nbformat.read(path, as_version=4).cells
    for title in re.findall(r"^## (\d.*)$", markdown(path), re.MULTILINE):
        assert f"(#{title.replace(' ', '-')})" in cells[0].source, title
