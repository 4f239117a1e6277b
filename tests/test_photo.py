"""Pictures of digits, against MNIST's own images of them."""

import itertools
import re
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from helpers.beyond.recipes import ALL_RECIPES
from helpers.data import Batches, Split
from helpers.own_digit.photo import answer, is_doubtful, predict_digit, predict_photo, read_digit, read_photo
from helpers.own_digit.scribble import is_scribble
from helpers.train import evaluate
from measure import picture_folder, train_scribble
from measure.weights import trained
from tests import pictures


@pytest.fixture(scope="module")
def digits(mnist):
    return [image.numpy() for image in mnist[1].images[:20]]


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    size = (factor * image.shape[1], factor * image.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def difference(image, digit):
    return np.abs(image.numpy().astype(float) - digit).mean()


def test_images_of_mnist_stay_as_they_are(digits):
    images = [read_digit(digit) for digit in digits]
    assert all(image.shape == (28, 28) and image.dtype == torch.uint8 for image in images)
    differences = [difference(image, digit) for image, digit in zip(images, digits)]
    # Of 255. Strokes are brought to full ink; rounding may move a digit by one pixel, which alone makes about 20.
    assert np.median(differences) < 2 and max(differences) < 25


@pytest.mark.parametrize("invert", [False, True])
def test_size_place_margin_and_polarity_do_not_matter(digits, invert):
    differences = []
    for i, digit in enumerate(digits):
        picture = np.pad(enlarge(digit, 5), ((10 * i, 7), (3, 200)))
        differences.append(difference(read_digit(255 - picture if invert else picture), digit))
    assert np.mean(differences) < 10 and max(differences) < 25


@pytest.fixture(scope="module")
def network():
    """The lesson's network with recorded weights, and what normalizes its images."""
    return trained("lesson")


def test_test_digits_drawn_anew_are_recognised_as_well(mnist, network):
    """Larger by 2 to 4, anywhere on a larger sheet, every other one dark on light."""
    model, mean, std = network
    random, count = np.random.default_rng(0), 100
    images, labels = mnist[1].images[:count], mnist[1].labels[:count]
    drawn = []
    for i, image in enumerate(images):
        picture = np.pad(enlarge(image.numpy(), random.integers(2, 5)), random.integers(0, 60, (2, 2)))
        drawn.append(read_digit(255 - picture if i % 2 else picture))
    plain, anew = (
        evaluate(model, Batches(Split(x, labels), 100, mean, std)).correct for x in (images, torch.stack(drawn))
    )
    assert anew >= plain - 1 > 96


@pytest.mark.parametrize("kind", pictures.DAMAGED, ids=lambda kind: kind.__name__)
def test_damaged_pictures_are_read(network, mnist, kind):
    """Two of each here; `python -m tests.pictures` reads a hundred."""
    drawn = pictures.pictures(kind, 2, first=100)
    answers = [pictures.read(picture, network)[0] for picture in drawn]
    assert answers == mnist[1].labels[100:102].tolist()


@pytest.mark.parametrize("kind", pictures.DOUBTFUL, ids=lambda kind: kind.__name__)
@pytest.mark.fault("picture of two digits, of half a digit, of none, or of a scribble", "a sentence that doubts it")
def test_doubtful_pictures_are_called_so(network, kind):
    doubts = [pictures.read(picture, network)[1] for picture in pictures.pictures(kind, 2, first=100)]
    assert all(doubts)


@pytest.mark.parametrize(("gap", "notes"), [(60, ["There is a mark beside the digit: it was left out."]), (330, [])])
def test_a_small_mark_far_away_is_no_doubt(digits, gap, notes):
    picture = np.pad(enlarge(digits[0], 10), ((60, 60), (60, 500)))
    picture[150:230, 280 + gap : 300 + gap] = 255
    assert read_photo(255 - picture).notes == notes


def test_scribbles_are_told_from_digits(mnist, monkeypatch):
    digits, drawn = mnist[1].images[:300], train_scribble.others(5, seed=2)
    assert sum(map(is_scribble, digits)) <= 3 and sum(map(is_scribble, drawn)) >= 28
    monkeypatch.setattr(train_scribble, "STEPS", 20)
    monkeypatch.setattr(train_scribble, "BATCH", 24)
    model = train_scribble.train(digits[20:], drawn)
    assert model(digits[:20, None] / 255).mean() < model(drawn[:, None] / 255).mean()


def test_what_is_read_with_confidence_is_said_without_a_doubt(network, digits):
    model, mean, std = network
    reading = read_photo(np.pad(enlarge(digits[0], 8), 60))
    assert reading.notes == []
    said = answer(predict_digit(model, reading.image, mean, std), reading.notes)
    assert said == "It is a 7, 100.0% sure."
    flat = torch.full((10,), 0.05)
    flat[3], flat[8] = 0.5, 0.1
    assert answer(flat, ["A mark."]) == "It may be a 3 (50%) or an 8 (10%): the network is not sure. A mark."


def test_pictures_of_people_are_scored_by_kind(digits, tmp_path, monkeypatch, capsys):
    for i, digit in enumerate(digits[:4]):
        Image.fromarray(np.pad(enlarge(digit, 6), 40)).save(tmp_path / f"{i}.png")
    (tmp_path / "labels.csv").write_text("file,label,kind\n0.png,7,good\n1.png,2,good\n2.png,5,wrong\n9.png,5,wrong\n")
    monkeypatch.setattr("sys.argv", ["picture_folder", str(tmp_path)])
    picture_folder.main()
    said = capsys.readouterr().out
    assert re.search(r"good +2 of +2, 0 of them flagged\nwrong +0 of +2", said)
    assert "2.png: 5 read as 1" in said and "9.png: " in said
    for text, message in (
        ("File,Label\n 0.png ,7.0\n1.png,02\n", "in all +2 of +2"),
        ("file;label\r\n0.png;7,0\r\n", "in all +1 of +1"),
        ("file,label\n0.png,seven\n", "line 2, column label: 'seven' is not a number"),
        ("file,label\n0.png,12\n", "the label of 0.png is '12', no digit"),
        ("file,label\n0.png,\n", "the label of 0.png is '', no digit"),
        ("name,label\n0.png,7\n", "must have the columns file and label, .*; it has name, label"),
    ):
        (tmp_path / "labels.csv").write_text(text)
        with suppress(SystemExit):
            picture_folder.main()
        assert re.search(message, "".join(capsys.readouterr()))
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(SystemExit):
        picture_folder.main()
    assert "labels.csv is missing: it names each picture" in capsys.readouterr().err


def test_every_kind_of_picture_gives_the_same_image(digits, tmp_path):
    picture = 255 - enlarge(digits[0], 4)
    expected = read_digit(picture)
    color = np.repeat(picture[..., None], 3, axis=2)
    Image.fromarray(picture).save(tmp_path / "digit.png")
    transparent = np.dstack([np.zeros_like(color), 255 - picture])  # black ink on nothing
    for same in (Image.fromarray(picture), tmp_path / "digit.png", str(tmp_path / "digit.png"), color, transparent):
        assert torch.equal(read_digit(same), expected)
    assert difference(read_digit(picture / 255), expected.numpy()) < 1


def test_a_photo_turned_by_its_camera_is_turned_back(digits, tmp_path):
    picture = Image.fromarray(255 - enlarge(digits[0], 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    picture.rotate(90, expand=True).save(tmp_path / "photo.png", exif=exif)
    assert torch.equal(read_digit(tmp_path / "photo.png"), read_digit(picture))


def test_noise_and_uneven_light_of_a_photo_are_removed(digits):
    random = np.random.default_rng(0)
    for digit in digits[:10]:
        ink = np.pad(enlarge(digit, 6), 60) / 255
        light = np.linspace(190, 215, ink.shape[1])  # brighter on one side
        photo = light * (1 - 0.8 * ink) + random.normal(0, 3, ink.shape)
        assert difference(read_digit(photo.clip(0, 255).astype(np.uint8)), digit) < 20


def test_center_of_mass_is_in_the_middle(digits):
    image = read_digit(digits[3]).double()
    places = torch.arange(28, dtype=torch.float64)
    for axis in (0, 1):
        assert abs((image.sum(dim=1 - axis) @ places / image.sum()).item() - 14) <= 0.5


@pytest.mark.parametrize(
    "picture, message",
    [
        (np.full((50, 50), 200, np.uint8), "no digit found"),
        (np.zeros((3, 4, 5, 6)), r"got \(3, 4, 5, 6\)"),
        (np.zeros((0, 5)), r"got \(0, 5\)"),
        (np.full((9, 9), 300.5), "values from 0 to 1"),
        (np.full((9, 9), np.nan), "values from 0 to 1"),
    ],
)
@pytest.mark.fault("picture without a digit", "error")
def test_what_is_no_picture_of_a_digit_is_explained(picture, message):
    with pytest.raises(ValueError, match=message):
        read_digit(picture)


@pytest.mark.fault("HEIC without a reader for it", "error")
def test_heic_without_a_reader_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"....ftypheic")
    with pytest.raises(ValueError, match=r"IMG_1\.HEIC is HEIC: pip install pillow-heif, or save the photo as JPEG"):
        read_digit(tmp_path / "IMG_1.HEIC")


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.fault("picture file that ends too early", "error")
def test_a_truncated_file_is_called_damaged(digits, tmp_path, ending):
    path = tmp_path / f"half.{ending}"
    Image.fromarray(np.pad(enlarge(digits[0], 9), 40)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"half\.{ending} cannot be read, it may be damaged, or its end missing"):
        read_digit(path)


def test_sixteen_bits_and_floats_are_scaled_by_their_white(digits):
    picture = 255 - np.pad(enlarge(digits[0], 6), 40)
    expected = read_digit(picture)
    wide = picture.astype(np.uint16) * 257
    for same in (wide, Image.fromarray(wide), Image.fromarray(picture.astype(np.float32)), picture / 255):
        assert difference(read_digit(same), expected.numpy()) < 1


def test_files_that_are_no_pictures_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("seven")
    with pytest.raises(ValueError, match=r"notes\.txt is no picture"):
        read_digit(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        read_digit(tmp_path / "absent.png")


@pytest.mark.parametrize("angle", [0, -10])
@pytest.mark.fault("picture that is turned", "a doubt")
def test_a_one_with_a_flag_that_leans_is_not_taken_for_a_seven(angle):
    network, right, sure = trained("own_digits"), 0, 0
    for flag, drop, width in itertools.product((40, 50, 60), (30, 45), (10, 16)):
        page = Image.new("L", (300, 300), 230)
        strokes = [(150 - flag, 70 + drop), (150, 70), (150, 230)]
        ImageDraw.Draw(page).line(strokes, fill=30, width=width, joint="curve")
        image, notes = read_photo(np.asarray(page.rotate(angle, Image.Resampling.BICUBIC, fillcolor=230)))
        probabilities = predict_photo(network[0], image, *network[1:])
        if probabilities.argmax() == 1:
            right += 1
        else:
            sure += not is_doubtful(probabilities, notes)
    assert right >= 8 and sure == 0


def test_upright_digits_are_seldom_doubted_as_turned(mnist):
    network, images = trained("own_digits"), mnist[1].images[:150]
    plain, turned = (
        [read(network[0], image, *network[1:]) for image in images] for read in (predict_digit, predict_photo)
    )
    assert sum(is_doubtful(p) for p in turned) - sum(is_doubtful(p) for p in plain) <= 4
    assert sum(p.argmax() != q.argmax() for p, q in zip(plain, turned)) <= 1


def test_prediction_is_that_of_the_normalised_image(digits):
    model = ALL_RECIPES["lesson"].model().eval()
    image = torch.from_numpy(digits[0])
    probabilities = predict_digit(model, image, 0.13, 0.31, num_views=1)
    expected = model(((image / 255 - 0.13) / 0.31).view(1, 1, 28, 28)).softmax(dim=1)[0]
    assert torch.allclose(probabilities, expected, atol=1e-6)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
