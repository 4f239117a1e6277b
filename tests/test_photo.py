"""Pictures of digits, against MNIST's own images of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.data import Batches, Split, mean_and_std
from helpers.photo import predict_digit, read_digit
from helpers.recipes import RECIPES
from helpers.train import evaluate, train_epoch


@pytest.fixture(scope="module")
def digits(mnist):
    return [image.numpy() for image in mnist[1].images[:40]]


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    size = (factor * image.shape[1], factor * image.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def difference(image, digit):
    return np.abs(image.numpy().astype(float) - digit).mean()


def test_images_of_mnist_stay_as_they_are(digits):
    for digit in digits:
        image = read_digit(digit)
        assert image.shape == (28, 28) and image.dtype == torch.uint8
        assert difference(image, digit) < 4  # of 255; strokes are brought to full ink


@pytest.mark.parametrize("invert", [False, True])
def test_size_place_margin_and_polarity_do_not_matter(digits, invert):
    differences = []
    for i, digit in enumerate(digits):
        picture = np.pad(enlarge(digit, 5), ((10 * i, 7), (3, 200)))
        differences.append(difference(read_digit(255 - picture if invert else picture), digit))
    # Rounding may move a digit by one pixel, which alone makes about 20.
    assert np.mean(differences) < 10 and max(differences) < 25


@pytest.fixture(scope="module")
def trained(mnist):
    """A network after a part of an epoch, about 97 %, and what normalises its images."""
    recipe, (mean, std) = RECIPES["fastest"], mean_and_std(mnist[0].images)
    part = Split(mnist[0].images[:20000], mnist[0].labels[:20000])
    model, *parts = recipe.set_up(part, mean, std, seed=0, device="cpu")
    train_epoch(model, *parts)
    return model, mean, std


def test_test_digits_drawn_anew_are_recognised_as_well(mnist, trained):
    """Larger by 2 to 4, anywhere on a larger sheet, every other one dark on light."""
    model, mean, std = trained
    random, count = np.random.default_rng(0), 2000
    images, labels = mnist[1].images[:count], mnist[1].labels[:count]
    drawn = []
    for i, image in enumerate(images):
        picture = np.pad(enlarge(image.numpy(), random.integers(2, 5)), random.integers(0, 60, (2, 2)))
        drawn.append(read_digit(255 - picture if i % 2 else picture))
    plain, anew = (
        evaluate(model, Batches(Split(x, labels), 500, mean, std)).accuracy for x in (images, torch.stack(drawn))
    )
    assert plain > 95 and abs(plain - anew) < 1


def test_every_kind_of_picture_gives_the_same_image(digits, tmp_path):
    picture = 255 - enlarge(digits[0], 4)
    expected = read_digit(picture)
    colour = np.repeat(picture[..., None], 3, axis=2)
    Image.fromarray(picture).save(tmp_path / "digit.png")
    transparent = np.dstack([np.zeros_like(colour), 255 - picture])  # black ink on nothing
    for same in (Image.fromarray(picture), tmp_path / "digit.png", str(tmp_path / "digit.png"), colour, transparent):
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


def test_centre_of_mass_is_in_the_middle(digits):
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
        (np.full((9, 9), 300.0), "values from 0 to 1"),
        (np.full((9, 9), np.nan), "values from 0 to 1"),
    ],
)
@pytest.mark.fault("picture without a digit", "error")
def test_what_is_no_picture_of_a_digit_is_explained(picture, message):
    with pytest.raises(ValueError, match=message):
        read_digit(picture)


def test_files_that_are_no_pictures_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("seven")
    with pytest.raises(ValueError, match=r"notes\.txt is no picture"):
        read_digit(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        read_digit(tmp_path / "absent.png")


def test_prediction_is_that_of_the_normalised_image(digits):
    model = RECIPES["notebook"].model().eval()
    image = torch.from_numpy(digits[0])
    probabilities = predict_digit(model, image, 0.13, 0.31)
    expected = model(((image / 255 - 0.13) / 0.31).view(1, 1, 28, 28)).softmax(dim=1)[0]
    assert torch.allclose(probabilities, expected, atol=1e-6)
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)
