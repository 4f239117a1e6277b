"""What the page shows and does in a real Chromium: `make test-page`."""

import json
import os
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.own_digit.network_data import network_of
from measure.results import accuracy_of
from tests.browser import answer, draw, opened
from tests.test_explain import branches
from tools.page import NETWORKS, PAGE

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The accessibility checker axe-core, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    path = Path(os.environ.get("AXE", folder / "package" / "axe.min.js"))
    if not path.exists():
        try:
            done = subprocess.run(["npm", "pack", "--silent", "axe-core"], cwd=folder, capture_output=True, check=True)
            subprocess.run(["tar", "xzf", done.stdout.decode().strip()], cwd=folder, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.fail(f"axe-core is not here ({error}): install npm, or name the file axe.min.js in AXE=/path/to/it")
    return path.read_text("utf-8")


def panel(page) -> str:
    return page.locator("#panel").inner_text()


def stack(page, number: int):
    """The maps of a row of the page."""
    return page.locator(".step > .stack canvas").nth(number)


@pytest.mark.parametrize("name", NETWORKS)
def test_sheet_answer_and_all_maps_are_on_one_screen(browser, name):
    page = opened(browser, PAGE, viewport=DESKTOP)
    page.select_option("#network", name)
    draw(page, 3)
    assert page.evaluate(
        "[scrollX, scrollY, document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
    ) == [0, 0, 800, 1280]
    for selector in (".sheet", "#answer", "#scores", "#panel", "#keep", "#layers"):
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 800
    inside = page.locator("#layers").evaluate(
        "node => [node.scrollHeight <= node.clientHeight, node.scrollWidth <= node.clientWidth]"
    )
    assert inside == [True, True] and page.errors == []


def test_on_a_phone_the_answer_stays_beside_the_sheet(browser):
    page = opened(browser, PAGE, viewport=PHONE, has_touch=True, is_mobile=True)
    draw(page, 3)
    sheet, text = (page.locator(selector).bounding_box() for selector in (".sheet", "#answer"))
    assert text["x"] > sheet["x"] + sheet["width"] and text["y"] < sheet["y"] + 100
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    stack(page, 2).tap(position={"x": 20, "y": 20})  # the panel comes right below
    assert page.locator(".step").nth(2).locator("#panel").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390 and page.errors == []
    page.select_option("#network", "smallest")  # whose rows are other ones
    assert panel(page).startswith("The same drawing") and page.errors == []


def test_a_value_tells_how_it_came_about_and_follows_the_drawing(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    draw(page, 7)
    maps = stack(page, 2)
    maps.hover(position={"x": 30, "y": 20})
    assert panel(page).startswith("Convolution 3, 3x3, map 1, row ")
    for words in (
        "convolution 3x3:",
        "from 13 other maps",
        "max pooling 2x2: the largest of",
        "batch norm",
        "ReLU: max(0",
    ):
        assert words in panel(page)
    assert page.locator("#patch").is_visible() and page.locator(".mark:visible").count() == 1
    page.mouse.move(5, 5)
    page.wait_for_timeout(50)
    assert panel(page).startswith("The same drawing, read by each network")
    maps.click(position={"x": 30, "y": 20})
    page.mouse.move(5, 5)
    told = panel(page)
    page.get_by_role("button", name="Test digit 1, a 2").click()
    page.wait_for_timeout(100)
    assert panel(page) != told and panel(page).startswith("Convolution 3, 3x3, map 1, row ")
    page.locator("summary").first.click()
    assert page.locator("details[open] canvas").count() == 3
    page.locator("details[open] canvas").first.click(position={"x": 20, "y": 20})
    assert "convolution 4x4:" in panel(page)
    assert page.errors == []


def test_the_kernel_steps_over_the_map(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    draw(page, 7)
    stack(page, 3).click(position={"x": 5, "y": 5})
    first = page.locator("#panel h2").inner_text()
    page.get_by_role("button", name="Step through the map").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(700)
    assert page.locator("#panel h2").inner_text() != first
    page.keyboard.press("Enter")  # the focus is on the button still, which stops it now
    stopped = page.locator("#panel h2").inner_text()
    page.wait_for_timeout(500)
    assert page.locator("#panel h2").inner_text() == stopped and page.errors == []


def test_filters_in_eight_orientations_say_which_one(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    page.select_option("#network", "accurate")
    draw(page, 7)
    found = set()
    width = stack(page, 0).bounding_box()["width"]
    for i in range(16):
        stack(page, 0).hover(position={"x": (i + 0.5) * width / 16, "y": 10})
        found.add(page.locator("#panel p").first.inner_text())
    turns = ["as learned", "turned by 90°", "turned by 180°", "turned by 270°"]
    assert found == {f"Filter {n}, {kind}{turn}." for n in (1, 2) for kind in ("", "mirrored and ") for turn in turns}


def test_why_a_digit_got_its_probability(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    draw(page, 4)
    page.get_by_role("button", name="Why 4?").click()
    text = panel(page)
    assert text.startswith("Why 100.0 % for 4?") or text.startswith("Why 99.")
    assert "their mean is the logit" in text and "Softmax: e^" in text and page.locator("#overlay").is_visible()
    assert "Without stroke 1: " in text and "Without stroke 2: " in text
    page.keyboard.press("Enter")  # once more: closed again
    assert panel(page).startswith("The same drawing") and not page.locator("#overlay").is_visible()


@pytest.mark.parametrize(("largest", "said"), [(1000, "1000.000"), (-1000, "\u22121000.000")])
def test_logits_of_any_size_have_a_softmax_that_one_can_read(browser, largest, said):
    page = opened(browser, PAGE, viewport=DESKTOP)
    logits = [largest - 3000, *[largest - 1000] * 2, largest - 1, largest, *[largest - 1000] * 5]
    page.evaluate(
        """logits => {
      const box = document.body.appendChild(Object.assign(document.createElement("p"), {id: "large"}));
      mnist.panel(box).digit(3, logits, null, []); }""",
        logits,
    )
    text = page.locator("#large").inner_text()
    assert f"each logit less {said}:" in text and text.endswith("= 0.3679 / 1.368 = 26.9 %")


def test_all_networks_read_the_same_drawing(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    draw(page, 4)
    page.wait_for_timeout(800)
    rows = [[cell.inner_text() for cell in row.locator("th, td").all()] for row in page.locator("#panel tr").all()[1:]]
    assert [row[0] for row in rows] == list(NETWORKS) and all(row[3].startswith("4, ") for row in rows)
    assert [row[2] for row in rows] == [f"{accuracy_of(name)[0]:.2f} %" for name in NETWORKS]


@pytest.mark.parametrize("kind", ["strokes", "test digit"])
def test_a_link_holds_the_drawing(browser, kind):
    page = opened(browser, PAGE, viewport=DESKTOP)
    if kind == "strokes":
        draw(page, 4)
    else:
        page.get_by_role("button", name="Test digit 0, a 7").click()
    page.get_by_role("button", name="Link").click()
    address, seen = page.url, page.locator("#seen").evaluate("node => node.toDataURL()")
    other = browser.new_context(viewport=DESKTOP).new_page()
    other.goto(address)
    other.wait_for_timeout(300)
    script = "node => Array.from(node.getContext('2d').getImageData(0, 0, 28, 28).data)"
    again, first = (np.array(p.locator("#seen").evaluate(script)) for p in (other, page))
    assert np.abs(again - first).max() < 40 and np.abs(again - first).mean() < 1.5 and seen
    for wrong in ("#strokes=zz", "#strokes=0000-", "#image=ff", "#other"):
        other.goto(f"{PAGE.as_uri()}{wrong}")
        other.wait_for_timeout(50)
        assert answer(other)


def test_the_drawing_is_saved_as_pictures(browser):
    page = opened(browser, PAGE, viewport=DESKTOP, color_scheme="dark")
    draw(page, 4)
    for name, side in {"Save 28x28": 28, "Save picture": 280}.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        image = Image.open(BytesIO(Path(download.value.path()).read_bytes())).convert("L")
        pixels = np.asarray(image)
        assert image.size == (side, side) and pixels[0, 0] == 255 and pixels.min() < 60 and pixels.mean() > 150


def test_an_own_network_is_opened_and_a_wrong_file_gets_a_sentence(browser, tmp_path, mnist):
    page = opened(browser, PAGE, viewport=DESKTOP)
    model, mean, std = branches()
    network = network_of(model, mean, std)
    (tmp_path / "mine.json").write_text(json.dumps(network))
    page.set_input_files("#file", tmp_path / "mine.json")
    page.wait_for_function("document.getElementById('network').value == 'mine'")
    page.get_by_role("button", name="Test digit 0, a 7").click()
    page.wait_for_timeout(700)
    with torch.inference_mode():
        logits = model((mnist[1].images[:1, None] / 255 - mean) / std)[0]
    shown = [float(text.split()[0]) for text in page.locator("#scores > span:nth-child(3n)").all_inner_texts()[:10]]
    assert shown == pytest.approx((100 * logits.softmax(0)).tolist(), abs=0.06)
    for number in range(page.locator(".step > .stack canvas").count()):
        stack(page, number).click(position={"x": 4, "y": 4})
        assert "=" in panel(page)
    (tmp_path / "markup.json").write_text(json.dumps(network | {"name": "<b>bold</b> & more"}))
    page.set_input_files("#file", tmp_path / "markup.json")
    page.get_by_text("<b>bold</b> & more").last.wait_for()
    (tmp_path / "lesson.json").write_text(json.dumps(network))
    page.set_input_files("#file", tmp_path / "lesson.json")  # the page's own stays
    page.wait_for_function("document.getElementById('network').value == 'lesson, yours'")
    page.select_option("#network", "mine")
    layer = {"type": "telepathy", "inputs": [-1]}
    wrong = {
        "no JSON": ("{", "it is not JSON"),
        "a list": ("[1, 2]", "it holds no layers of a network"),
        "other layers": (json.dumps(network | {"layers": [layer]}), "this page does not know the layer telepathy"),
        "cut off": (json.dumps(network | {"layers": network["layers"][:3]}), "its layers do not give ten logits"),
    }
    for name, (text, message) in wrong.items():
        (tmp_path / f"{name}.json").write_text(text)
        page.set_input_files("#file", tmp_path / f"{name}.json")
        page.wait_for_function(f"document.getElementById('about').textContent.includes({json.dumps(message)})")
        assert page.locator("#network").input_value() == "mine"
    assert page.errors == []


def test_keys_alone_draw_explain_and_clear(browser):
    page = opened(browser, PAGE, viewport=DESKTOP)
    page.locator(".sheet").focus()
    for key in [*["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    while page.evaluate("document.activeElement.parentNode.className") != "stack":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert panel(page).startswith("Convolution 1, 4x4, map 1, row 1, column 1")
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert panel(page).startswith("Convolution 1, 4x4, map 2, row 1, column 1")  # over the edge
    page.keyboard.press("ArrowDown")
    assert panel(page).startswith("Convolution 1, 4x4, map 2, row 2, column 1")
    page.keyboard.press("Escape")
    assert panel(page).startswith("The same drawing")
    page.locator(".sheet").focus()
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


SETTINGS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "200 %": {"viewport": {"width": 640, "height": 400}},
    "phone": {"viewport": PHONE},
    "forced colors": {"forced_colors": "active"},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_nothing_serious_is_wrong_with_its_accessibility(browser, axe, setting):
    page = opened(browser, PAGE, **{"viewport": DESKTOP} | SETTINGS[setting])
    page.evaluate(axe)
    for state in ("drawn", "value", "digit"):
        if state == "drawn":
            draw(page, 4)
            page.wait_for_timeout(800)
        elif state == "value":
            stack(page, 2).click(position={"x": 20, "y": 10})
        else:
            page.get_by_role("button", name="Why 4?").click()
        found = page.evaluate("axe.run().then(({violations}) => violations)")
        assert [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ] == []


def test_what_has_the_focus_is_not_hidden(browser):
    """At 200 %, with a value chosen: nothing lies over what one tabs to."""
    page = opened(browser, PAGE, viewport={"width": 640, "height": 400})
    stack(page, 1).click(position={"x": 20, "y": 10})
    page.locator("#network").focus()
    script = """() => { const node = document.activeElement, box = node.getBoundingClientRect();
        const found = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height, 30) / 2);
        return node.contains(found) || found.contains(node) || found.className === "mark"; }"""
    for _ in range(50):
        page.keyboard.press("Tab")
        assert page.evaluate(script), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_without_javascript_a_sentence_says_so(browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(PAGE.as_uri())
    assert page.get_by_text("This page needs JavaScript and a browser of 2021 or later.").is_visible()
