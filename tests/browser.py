"""The pad and the page in a real Chromium: `make test-page`."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from io import BytesIO
from pathlib import Path

import nbformat
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page

from helpers.own_digit.network_data import network_of
from helpers.own_digit.pad import pad
from measure.weights import trained
from tests.drawings import DIGITS, by_hand, not_digits
from tests.test_explain import EXPLAINED, branches, explained
from tools.page import NETWORKS, PAGE


@pytest.fixture(scope="module")
def pad_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pad") / "pad.html"
    head = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><body>'
    path.write_text(head + pad(*trained("lesson")), encoding="utf-8")
    return path


def opened(browser, path: Path, **settings) -> Page:
    """Returns the page, which fails the test that leaves an error in the console."""
    page = browser.new_context(**({"viewport": {"width": 1100, "height": 900}} | settings)).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(path.as_uri())
    return page


def draw(page: Page, digit: int | list, x=0.1, y=0.1, size=0.8, steps=8, selector="canvas.sheet") -> None:
    box = page.locator(selector).bounding_box()
    for stroke in DIGITS[digit] if isinstance(digit, int) else digit:
        places = [
            (box["x"] + box["width"] * (x + size * a), box["y"] + box["height"] * (y + size * b)) for a, b in stroke
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=steps)
        page.mouse.up()
    page.wait_for_timeout(60)


def answer(page: Page) -> str:
    return page.locator(".answer").text_content()


@pytest.mark.parametrize(
    "where", [{}, {"x": 0.7, "y": 0.72, "size": 0.25}, {"x": 0.02, "y": 0.02, "size": 0.2}, {"steps": 1}]
)
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_ten_digits_are_read_wherever_however_small_and_fast_they_are_drawn(browser, pad_file, kind, where):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    read = []
    for digit in DIGITS:
        draw(page, digit, **where)
        read.append(answer(page))
        page.get_by_role("button", name="Clear").click()
    assert [text.split(" (")[0].split(",")[0].endswith(f" {digit}") for digit, text in enumerate(read)] == [
        True
    ] * 10, read
    assert page.errors == []


def test_a_finger_draws_and_the_page_stays_where_it_is(browser):
    page = opened(browser, PAGE, has_touch=True, is_mobile=True, viewport={"width": 400, "height": 700})
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)
    for digit, strokes in DIGITS.items():
        for stroke in strokes:
            places = [{"x": box["x"] + 30 + 220 * a, "y": box["y"] + 30 + 220 * b} for a, b in stroke]
            session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
            for place in places[1:]:
                session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
            session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(80)
        assert answer(page).split(" (")[0].split(",")[0].endswith(f" {digit}")
        page.get_by_role("button", name="Clear").click()
        page.wait_for_function("document.querySelector('.answer').textContent == 'Draw a digit.'")
        assert page.evaluate("scrollY") == 0
    assert page.errors == []


@pytest.mark.parametrize("width", [280, 320, 400])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_a_narrow_window_has_room_for_all_of_it(browser, pad_file, width, kind):
    """And the sheet stays square: else the network would see a digit that was stretched."""
    page = opened(browser, pad_file if kind == "pad" else PAGE, viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("canvas.sheet").bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=0.5) and box["width"] > 200
    draw(page, 2)
    assert answer(page).startswith("It is a 2")


def test_a_pen_draws_and_the_palm_does_not(browser, pad_file):
    page = opened(browser, pad_file, has_touch=True)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)

    def palm(kind: str, x: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": box["x"] + x, "y": box["y"] + 250}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(kind: str, place: tuple[float, float]) -> None:
        x, y = (box[side] + 50 + 170 * share for side, share in zip("xy", place))
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)

    palm("touchStart", 200)  # it may lie there first
    for stroke in DIGITS[4]:
        pen("mousePressed", stroke[0])
        palm("touchMove", 230)
        for place in stroke[1:]:
            pen("mouseMoved", place)
        pen("mouseReleased", stroke[-1])
    palm("touchEnd", 0)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 4")
    for _ in DIGITS[4]:
        page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


def test_a_second_finger_draws_nothing(browser, pad_file):
    page = opened(browser, pad_file, has_touch=True)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"id": i, "x": box["x"] + x, "y": box["y"] + y} for i, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (140, 40))
    touch("touchStart", (140, 60), (20, 140))
    for y in range(60, 241, 20):
        touch("touchMove", (140, y), (20, 160))
    touch("touchEnd")
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")


def test_nothing_drawn_gets_no_answer_and_strokes_are_taken_back(browser, pad_file):
    page = opened(browser, pad_file)
    assert answer(page) == "Draw a digit."
    draw(page, 4)
    assert answer(page).startswith("It is a 4")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert not answer(page).startswith("It is a 4")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    draw(page, 7)
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."


def test_the_place_where_the_pen_is_lifted_belongs_to_the_stroke(browser, pad_file):
    """A browser need not tell of the last move."""
    page = opened(browser, pad_file)
    box, session = page.locator("canvas.sheet").bounding_box(), page.context.new_cdp_session(page)
    for kind, y in (("mousePressed", 40), ("mouseReleased", 240)):
        event = {"type": kind, "x": box["x"] + 140, "y": box["y"] + y, "button": "left", "clickCount": 1}
        session.send("Input.dispatchMouseEvent", event)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1") and blots(page) > 200 * 18


@pytest.mark.parametrize("kind", ["pad", "page"])
def test_the_eraser_takes_away_what_it_passes(browser, pad_file, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    draw(page, 1)
    drawn, box = blots(page), page.locator("canvas.sheet").bounding_box()
    eraser = page.get_by_role("button", name="Eraser")
    eraser.click()
    assert eraser.get_attribute("aria-pressed") == "true"
    wipe = [(box["x"] + box["width"] * x, box["y"] + box["height"] / 2) for x in (0.2, 0.8)]
    page.mouse.move(*wipe[0])
    page.mouse.down()
    page.mouse.move(*wipe[1])  # in one step: it is the way that counts
    page.mouse.up()
    page.mouse.move(0, 0)
    page.wait_for_timeout(60)
    assert 0.6 * drawn < blots(page) < 0.95 * drawn
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert blots(page) == drawn
    draw(page, 1)  # the eraser goes all along it
    assert 200 < blots(page) < 500  # its ring is left
    page.mouse.move(0, 0)
    page.wait_for_timeout(60)
    assert blots(page) == 0 and answer(page) == "Draw a digit."
    page.get_by_role("button", name="Clear").click()  # takes the pen again
    draw(page, 7)
    assert answer(page).startswith("It is a 7") and page.errors == []
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 7")


def test_a_digit_can_be_drawn_by_keys(browser, pad_file):
    page = opened(browser, pad_file)
    sheet = page.get_by_role("application", name="A sheet to draw a digit on. By keys: the space bar puts the pen down")
    page.keyboard.press("Tab")
    page.wait_for_timeout(60)
    assert blots(page) > 100  # a ring shows where the pen is
    for key in [*["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    for key in ["e", " ", *["ArrowUp"] * 30, " ", "e"]:  # the eraser, back to where it began
        page.keyboard.press(key)
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    page.keyboard.press("Backspace")
    page.wait_for_timeout(60)
    assert answer(page).startswith("It is a 1")
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit."
    # The eraser that is taken while the pen is down lifts it, and so does the pen that is taken again.
    for key in [" ", "ArrowUp", "e", "ArrowDown", "e", "ArrowDown"]:
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    page.wait_for_timeout(60)
    assert answer(page) == "Draw a digit." and page.errors == []
    sheet.click()  # with the mouse: no ring
    page.get_by_role("button", name="Clear").click()
    page.wait_for_timeout(60)
    assert blots(page) == 0


@pytest.mark.parametrize("kind", ["pad", "page"])
@pytest.mark.parametrize("select", ["all", "from above"])
def test_what_is_selected_is_not_dragged(browser, pad_file, kind, select):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    box = page.locator("canvas.sheet").bounding_box()
    if select == "all":
        page.keyboard.press("Control+a")
    else:
        page.evaluate("document.body.prepend('Text above the sheet.')")
        page.mouse.move(30, 14)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 200, steps=5)
        page.mouse.up()
    draw(page, 3)
    assert answer(page).startswith("It is a 3") and page.evaluate("getSelection().isCollapsed")
    assert page.errors == []


@pytest.mark.parametrize("kind", ["pad", "page"])
def test_a_tap_is_seen_and_is_no_digit(browser, pad_file, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    page.locator("canvas.sheet").click(position={"x": 100, "y": 100})
    page.wait_for_timeout(60)
    assert 250 < blots(page) < 450 and answer(page) == "That is only a speck. Draw a digit."
    shares = page.locator(".scores > span:nth-child(3n)").all_text_contents()
    assert shares == [""] * 10


def test_a_test_digit_is_edited_like_a_drawing(browser):
    page = opened(browser, PAGE)
    page.get_by_role("button", name="test digit 2, a 1").click()
    page.wait_for_timeout(60)
    given = blots(page)
    assert answer(page).startswith("It is a 1")
    draw(page, [[(0.2, 0.1), (0.75, 0.1)]])
    assert blots(page) > given + 1000
    page.get_by_role("button", name="Eraser").click()
    draw(page, [[(0, 0.1), (1, 0.1)]])
    page.mouse.move(0, 0)
    page.wait_for_timeout(60)
    assert 1000 < blots(page) < given + 1000
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(60)
    assert blots(page) == given and page.errors == []


@pytest.mark.parametrize("kind", ["pad", "page"])
def test_what_is_no_digit_gets_a_doubt_when_the_drawing_rests(browser, pad_file, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE)
    for name, doubt in (("house 1", "does not look like a digit"), ("7 and 7", "There is more than one digit")):
        draw(page, not_digits()[name])
        page.wait_for_function(f"document.querySelector('.answer').textContent.includes('{doubt}')")
        page.get_by_role("button", name="Clear").click()
    draw(page, 3)
    page.wait_for_timeout(1500)
    assert answer(page).endswith("% sure.") and page.errors == []


def test_forty_drawings_are_doubted_and_300_digits_are_not(browser, mnist, capsys):
    """Letters, shapes, pairs and scribbles; 200 test digits, and ten digits that are drawn by ten hands."""
    hands = [by_hand(DIGITS[digit], seed) for digit in DIGITS for seed in range(10)]
    drawings = [
        [[[40 + 200 * x, 40 + 200 * y] for x, y in stroke] for stroke in strokes]
        for strokes in [*not_digits().values(), *hands]
    ]
    script = """async ([name, drawings, images]) => {
        const network = mnist.load(DATA.networks[name]), given = [
            ...drawings.map((strokes) => [mnist.rasterize(strokes), strokes]),
            ...images.map((image) => [new Float32Array(image), []])];
        const said = ([image, strokes]) => new Promise((done) => mnist.later(network, image, strokes, (notes, mean) =>
            done([mnist.say(mnist.softmax(mnist.forward(network, image).pop().data), mean), ...notes].join(" "))));
        return Promise.all(given.map(said));
    }"""
    page, sure = opened(browser, PAGE), re.compile(r"It is an? \d, [\d.]+ % sure\.")
    page.set_default_timeout(300_000)
    with capsys.disabled():
        for name in NETWORKS[:3]:  # the baseline, which misreads three times as many, doubts more of them
            texts = page.evaluate(script, [name, drawings, (mnist[1].images[:200] / 255).flatten(1).tolist()])
            doubted = [not sure.fullmatch(text) for text in texts]
            print(f"\n{name:9} {sum(doubted[:40])} of 40 that are no digit, {sum(doubted[40:])} of 300 digits", end="")
            assert len(texts) == 340 and sum(doubted[:40]) >= 36 and sum(doubted[40:]) <= 9


def test_a_screen_reader_is_told_when_the_drawing_rests(browser, pad_file):
    page = opened(browser, pad_file)
    page.evaluate("""() => { window.told = []; const status = document.querySelector("[role=status]");
        new MutationObserver(() => told.push(status.textContent)).observe(status, {childList: true}); }""")
    draw(page, 3, steps=20)
    page.wait_for_function("told.some((text) => text !== 'Draw a digit.')")  # which it may say before
    assert [text.split(",")[0] for text in page.evaluate("told") if text != "Draw a digit."] == ["It is a 3"]
    assert page.locator(".answer").get_attribute("aria-live") == "off"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_bars_and_ink_are_there_in_forced_colors(browser, pad_file, scheme, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE, forced_colors="active", color_scheme=scheme)
    draw(page, 3)
    bar = page.locator(".scores i").nth(3).bounding_box()
    clip = {"x": bar["x"] + 20, "y": bar["y"] - 4, "width": 60, "height": bar["height"] + 8}
    colors = Image.open(BytesIO(page.screenshot(clip=clip))).convert("L").getcolors()
    assert max(color for _, color in colors) - min(color for _, color in colors) > 60
    assert blots(page) > 5000


def test_a_pressed_eraser_shows_its_focus(browser, pad_file):
    page, outline = opened(browser, pad_file), "node => getComputedStyle(node).outline"
    eraser = page.get_by_role("button", name="Eraser")
    eraser.press("Enter")
    focused = eraser.evaluate(outline)
    page.locator("canvas.sheet").focus()
    assert eraser.get_attribute("aria-pressed") == "true"
    assert focused != eraser.evaluate(outline) and "3px" in focused


def test_a_browser_that_is_too_old_gets_a_sentence(browser, pad_file, tmp_path):
    """One that cannot read the code: here it cannot be read by any."""
    path = tmp_path / "old.html"
    path.write_text(pad_file.read_text("utf-8").replace("const mnist = (", "const mnist = ?(", 1), encoding="utf-8")
    page = opened(browser, path)
    assert answer(page) == "This browser is too old for the pad, which needs one of 2021 or later."
    assert len(page.errors) == 1


def blots(page: Page) -> int:
    """Returns how many pixels of the sheet show anything."""
    script = (
        "sheet => sheet.getContext('2d').getImageData(0, 0, 280, 280).data.filter((x, i) => i % 4 == 3 && x).length"
    )
    return page.eval_on_selector("canvas.sheet", script)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["pad", "page"])
def test_ink_and_text_stand_out_in_both_themes(browser, pad_file, scheme, kind):
    page = opened(browser, pad_file if kind == "pad" else PAGE, color_scheme="dark" if scheme == "light" else "light")
    draw(page, 1)
    page.emulate_media(color_scheme=scheme)  # as one may while something is drawn
    page.wait_for_timeout(100)
    root = ".mnist-pad" if kind == "pad" else "body"
    color, paper = (
        page.eval_on_selector(root, f"node => getComputedStyle(node).{name}") for name in ("color", "backgroundColor")
    )
    ink, sheet = (sum(map(int, text[4:-1].split(","))) for text in (color, paper))
    assert (sheet - ink if scheme == "light" else ink - sheet) > 400
    middle = page.evaluate(
        "Array.from(document.querySelector('canvas.sheet').getContext('2d').getImageData(140, 140, 1, 1).data)"
    )
    assert abs(sum(middle[:3]) - ink) < 10 and middle[3] == 255


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_of_500_digits_are_those_of_torch(browser, mnist, name):
    model, mean, std = trained(name)
    images = mnist[1].images[:500] / 255
    with torch.inference_mode():
        expected = model((images[:, None] - mean) / std)
    script = """([network, images]) => { const loaded = mnist.load(network);
        return images.map((image) => Array.from(mnist.forward(loaded, new Float32Array(image)).pop().data)); }"""
    logits = opened(browser, PAGE).evaluate(script, [network_of(model, mean, std), images.flatten(1).tolist()])
    assert (torch.tensor(logits) - expected).abs().max() < 1e-3


@pytest.mark.parametrize("name", [*NETWORKS, "branches"])
def test_every_shown_sum_is_the_value_of_torch_for_500_digits(browser, mnist, name):
    """Five values of each layer for each digit."""
    parts, page = branches() if name == "branches" else trained(name), opened(browser, PAGE)
    page.evaluate("network => { window.network = mnist.load(network); }", network_of(*parts))

    def run(*given):
        return page.evaluate(f"(given) => ({EXPLAINED})(network, ...given)", given)

    found = explained(run, *parts, mnist[1].images[:500] / 255, 5, 100)
    assert found["number"] >= 500 * 5 * 10 and found["most"] < 1e-4


def test_frames_are_drawn_in_time(browser, capsys):
    """Prints the milliseconds from a stroke to the redrawn maps; how many they may be is measured, not tested."""
    page = opened(browser, PAGE)
    script = """() => new Promise((done) => {
        const sheet = document.querySelector("canvas.sheet"), box = sheet.getBoundingClientRect(), times = [];
        const fire = (type, x, y) => sheet.dispatchEvent(
            new PointerEvent(type, {clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true}));
        const later = window.requestAnimationFrame;
        fire("pointerdown", 60, 60);
        later(function step() {
            let frame = null;
            window.requestAnimationFrame = (given) => { frame = given; };
            fire("pointermove", 60 + times.length % 150, 60 + times.length);
            window.requestAnimationFrame = later;
            const start = performance.now();
            frame();
            times.push(performance.now() - start);
            times.length < 150 ? later(step) : done(times.sort((a, b) => a - b));
        });
    })"""
    with capsys.disabled():
        for name in NETWORKS:
            page.select_option("#network", name)
            page.get_by_role("button", name="Clear").click()
            page.wait_for_timeout(100)
            times = page.evaluate(script)
            print(f"\n{name:9} median {times[75]:.1f} ms, 95 % within {times[142]:.1f} ms, n = 150", end="")
            assert times[0] > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pad_works_in_the_exported_notebook(browser, tmp_path, theme):
    """As `jupyter nbconvert --to html` writes it, with the pad in an output; its theme is not the system's."""
    from nbconvert import HTMLExporter

    output = nbformat.v4.new_output("display_data", {"text/html": pad(*trained("smallest"))})
    cell = nbformat.v4.new_code_cell("draw(model, mean, std)", outputs=[output])
    path, exporter = tmp_path / "notebook.html", HTMLExporter(theme=theme)
    path.write_text(exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0], encoding="utf-8")
    page = opened(browser, path, color_scheme="light" if theme == "dark" else "dark")
    draw(page, 3)
    assert answer(page).startswith("It is a 3") and is_dark(page) == (theme == "dark")


def is_dark(page: Page) -> bool:
    """Whether the pad is, and its ink and text are light."""
    style = "node => { const {color, backgroundColor} = getComputedStyle(node); return [color, backgroundColor]; }"
    text, paper = (sum(map(int, color[4:-1].split(","))) for color in page.eval_on_selector(".mnist-pad", style))
    script = "sheet => Array.from(sheet.getContext('2d').getImageData(0, 0, 280, 280).data)"
    pixels = torch.tensor(page.eval_on_selector("canvas.sheet", script)).reshape(-1, 4)
    ink = pixels[pixels[:, 3] == 255, :3].sum(dim=1).float().median()
    assert abs(ink - text) < 10 and abs(paper - text) > 400
    return paper < text


@pytest.fixture(scope="module")
def jupyterlab(tmp_path_factory):
    """The address of a JupyterLab in whose folder lies a notebook that draws the pad."""
    folder, root = tmp_path_factory.mktemp("lab"), Path(__file__).resolve().parents[1]
    cells = [
        f"import sys; sys.path.insert(0, {str(root)!r})",
        "from helpers.own_digit.pad import draw; from measure.weights import trained",
        "draw(*trained('lesson'))",
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("display_data", {"text/html": pad(*trained("lesson"))})]
    nbformat.write(notebook, folder / "pad.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    own = {f"JUPYTER{name}_DIR": str(folder / name) for name in ("_CONFIG", "LAB_SETTINGS", "LAB_WORKSPACES")}
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={address.split(':')[2]}", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api").close()
                break
            except OSError:
                time.sleep(1)
        yield address
    finally:
        server.terminate()
        server.wait(60)


def test_the_pad_works_in_jupyterlab_after_run_all(browser, jupyterlab):
    """In its light theme and in its dark one, which is chosen while something is drawn."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    page.set_default_timeout(180_000)
    page.goto(f"{jupyterlab}/lab/tree/pad.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    assert answer(page).startswith("Run this cell, and draw here.")  # a notebook from elsewhere is not trusted
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator("canvas.sheet").wait_for()
    draw(page, 3)
    assert answer(page).startswith("It is a 3") and not is_dark(page)
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_role("menuitem", name="JupyterLab Dark", exact=True).click()
    page.wait_for_function("document.body.dataset.jpThemeLight == 'false'")
    light = "getContext('2d').getImageData(0, 0, 280, 280).data.some((x, i) => i % 4 == 0 && x > 200)"
    page.wait_for_function(f"document.querySelector('canvas.sheet').{light}")
    assert is_dark(page)
    # Jupyter's own keys would choose another cell.
    page.locator("canvas.sheet").focus()
    for key in ["Escape", *["ArrowUp"] * 15, " ", *["ArrowDown"] * 30, " "]:
        page.keyboard.press(key)
    page.wait_for_timeout(100)
    assert answer(page).startswith("It is a 1")
    assert "jp-mod-active" in page.locator(".jp-CodeCell").last.get_attribute("class")
    # Nor may they delete it, cut it or add one, wherever in the pad one is.
    cells = page.locator(".jp-CodeCell").count()
    for place in (page.locator("canvas.sheet"), page.get_by_role("button", name="Clear")):
        place.focus()
        for key in "ddxabm0011":
            page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.locator(".jp-CodeCell").count() == cells and page.locator("canvas.sheet").is_visible()
    page.locator("canvas.sheet").press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Undo"


def test_json_of_networks_is_plain():
    json.dumps(network_of(*trained("smallest")), allow_nan=False)
