"""What counts as ink, and which of it is the digit."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.measure import label, regionprops

from helpers.own_digit import scribble
from helpers.own_digit.ink import find_ink, find_sheet, find_strokes, is_foreign
from helpers.own_digit.photo import answer, find_digit, is_doubtful, read_photo, to_color
from tests import pictures


@pytest.fixture(scope="module")
def seven(mnist):
    """Its ink, from 0 to 1."""
    return np.asarray(Image.fromarray(mnist[1].images[0].numpy()).resize((120, 120), Image.Resampling.BICUBIC)) / 255


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("x", [30, 430])
def test_the_middle_counts_whatever_the_shape_of_the_picture(seven, x, turned):
    """A mark beside the digit has more ink, and is left out."""
    ink = np.zeros((160, 480))
    ink[20:140, 180:300] = seven
    ink[20 : 20 + int(1.15 * seven.sum() / 25), x : x + 25] = 1
    ink = ink.T if turned else ink
    digit, notes = find_digit(ink, ink > 0.5)
    middle = digit[180:300] if turned else digit[:, 180:300]
    assert middle.sum() == digit.sum() > 1000 and notes


@pytest.mark.parametrize("size", [(40, 28), (28, 40), (64, 64)])
def test_a_stroke_along_the_border_of_a_small_picture_is_ink(size):
    color = np.full((*size, 3), 240.0)
    color[3:-3, :4] = 30  # at the border
    color[8:-8, 14:18] = 30
    ink = find_ink(color)
    assert ink[5:-5, :3].min() > 0.5 and ink[10:-10, 15:17].min() > 0.5 and ink[10:-10, 7:11].max() < 0.1


def test_a_line_near_the_border_is_foreign_and_a_stroke_is_not():
    places = np.zeros((100, 100), bool)
    places[3:5, 10:90] = True  # the edge of a sheet
    places[30:70, 40:46] = True
    places[10:95, 70:76] = True
    line, stroke, long_stroke = regionprops(label(places))
    assert is_foreign(line, places.shape)
    assert not is_foreign(stroke, places.shape) and not is_foreign(long_stroke, places.shape)


def test_eighty_percent_is_sure(seven):
    for sure, doubtful in ((0.79, True), (0.81, False), (0.89, False)):
        probabilities = torch.full((10,), (1 - sure) / 9)
        probabilities[4] = sure
        assert is_doubtful(probabilities) == doubtful
        assert ("not sure" in answer(probabilities)) == doubtful


def test_a_thin_ruled_line_that_is_turned_is_taken_away(seven):
    x = np.arange(300)
    for slope in (0.02, 0.035, 0.06):
        ink = np.zeros((300, 300))
        ink[90:210, 90:210] = seven
        for start in (20, 70, 250):
            ink[np.round(start + slope * x).astype(int), x] = 0.4
        strokes = find_strokes(ink)
        assert strokes[90:210, 90:210].sum() > 0.9 * (seven > 0.5).sum()
        assert strokes[:, :60].sum() + strokes[:, 240:].sum() == 0


def test_a_stroke_along_a_ruled_line_stays():
    ink = np.zeros((300, 300))
    for y in range(30, 300, 40):
        ink[y : y + 8] = 0.2
    ink[70:82, 100:200] = 0.4  # on the second line, hardly wider
    ink[40:130, 100:112] = 0.4
    ink[80:160, 190:200] = 0.4
    strokes = find_strokes(ink)
    assert strokes[72:80, 120:180].mean() > 0.8
    assert not strokes[:, :80].any()


def test_strokes_around_a_little_paper_are_no_card():
    scans = map(to_color, pictures.pictures(pictures.small_scan, 4, first=20))
    assert all(find_sheet(scan).shape == scan.shape for scan in scans)
    cards = map(to_color, pictures.pictures(pictures.card, 2))
    assert all(max(find_sheet(card).shape) < 0.9 * max(card.shape) for card in cards)


def strokes(*lines, shape=(200, 200)) -> np.ndarray:
    """Returns black lines on white, each from (y, x) to (y, x), 12 pixels wide."""
    page = np.full(shape, 240, np.uint8)
    for (top, left), (bottom, right) in lines:
        steps = np.linspace(0, 1, 400)
        for y, x in zip(top + (bottom - top) * steps, left + (right - left) * steps):
            page[max(0, int(y) - 6) : int(y) + 6, max(0, int(x) - 6) : int(x) + 6] = 30
    return page


def test_a_stroke_that_ends_at_the_border_belongs_to_the_digit():
    """A 4 of two strokes, the first of which begins at the border."""
    first, second = [((0, 90), (100, 50)), ((100, 50), (100, 112))], ((60, 128), (170, 128))
    image, notes = read_photo(strokes(*first, second))
    assert image[:, :11].sum() > 1000  # the first stroke's
    assert notes == ["The digit touches the border of the picture: a part of it may be missing."]


@pytest.mark.parametrize("gap", [0, 2])
def test_a_line_of_a_table_does_not(gap):
    page = strokes(((50, 60), (50, 140)), ((50, 140), (150, 90)))
    alone = read_photo(page).image
    page[:, gap : gap + 5] = page[gap : gap + 5] = 60
    image, notes = read_photo(page)
    assert np.abs(image.numpy().astype(float) - alone.numpy()).mean() < 5 and notes == []


def test_a_digit_from_side_to_side_misses_nothing():
    tight = strokes(((6, 70), (154, 40)), ((60, 58), (60, 100)), shape=(160, 140))
    assert read_photo(tight).notes == []
    cut = strokes(((0, 90), (100, 90)), shape=(200, 200))
    assert "a part of it may be missing" in read_photo(cut).notes[0]


@pytest.mark.parametrize("invert", [False, True])
def test_small_crops_keep_strokes_along_their_border(mnist, invert):
    """A 0 that fills 26 x 16 pixels stays a ring."""
    zero = mnist[1].images[3].numpy()
    ring = zero[np.ix_(zero.max(1) > 60, zero.max(0) > 60)]
    crop = np.asarray(Image.fromarray(ring).resize((16, 26)))
    image = read_photo(255 - crop if invert else crop).image.numpy()
    assert all((image[14, columns] > 150).any() for columns in (slice(4, 14), slice(15, 24)))
    assert image[13:15, 13:15].max() < 100


def test_a_scribble_is_what_the_network_puts_above_zero(monkeypatch):
    seen = []
    for score, expected in ((-0.2, False), (0.2, True)):
        model = lambda x, score=score: seen.append(x) or torch.full((len(x), 1), score)  # noqa: E731
        monkeypatch.setattr(scribble, "trained_scribble_net", lambda model=model: model)
        assert scribble.is_scribble(torch.full((28, 28), 255, dtype=torch.uint8)) is expected
    assert seen[0].shape == (32, 1, 28, 28) and seen[0].max() == 1
