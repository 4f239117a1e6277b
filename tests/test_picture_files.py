"""Where pictures come from and how large they are: files, bytes and arrays; and what is refused with a sentence."""

import io
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.measure._regionprops import RegionProperties

from helpers.own_digit import photo
from helpers.own_digit.photo import read_digit, read_photo
from tests import pictures


@pytest.fixture(scope="module")
def picture(mnist):
    """A large 7, dark on white."""
    digit = Image.fromarray(mnist[1].images[0].numpy()).resize((300, 300), Image.Resampling.BICUBIC)
    return 255 - np.pad(np.asarray(digit), 20)


def png(picture) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


class Download(io.BytesIO):
    """What is read once, from first to last."""

    def seekable(self):
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")


def test_bytes_and_open_files_are_read(picture, tmp_path):
    expected, path = read_digit(picture), tmp_path / "7.png"
    path.write_bytes(png(picture))
    written = io.BytesIO()
    written.write(png(picture))  # and stands at its end
    with path.open("rb") as file:
        for source in (png(picture), bytearray(png(picture)), written, file):
            assert torch.equal(read_digit(source), expected)
    assert torch.equal(read_digit(Download(png(picture))), expected)


@pytest.mark.parametrize(
    "source, message",
    [
        ("https://example.org/7.png", "no file but an address: download the picture"),
        ("data:image/png;base64,iVBORw0KGgo=", "no file but an address"),
        (Path(__file__).parent, "is a folder: give the path of one picture in it"),
        ("x" * 5000, "cannot be opened.*too long"),
        (b"", "the picture is empty"),
        (b"seven", "the picture is no picture that PIL can read: give it a JPEG or PNG file"),
        (None, "a picture is the path or the bytes of a file.* got NoneType"),
        (np.zeros((9, 300), np.uint8)[:1], "too narrow for one, 300 x 1 pixels"),
        (np.zeros((30000, 10), np.uint8), "too narrow for one, 1 x 400 pixels"),
        (Image.fromarray(np.linspace(-1, 1, 900, dtype=np.float32).reshape(30, 30)), "float32 from -1 to 1"),
        (Image.fromarray(np.full((30, 30), np.nan, np.float32)), "float32 from nan to nan"),
        (np.full((9, 9), -3), "from -3 to -3"),
        (Image.new("RGB", (0, 5)), "the picture has 0 x 5 pixels"),
        (io.StringIO("seven"), "cannot be read, open it with 'rb'"),
        ([[1, 2], [3]], "an array of numbers, one alone; got list"),
        (["a.png", "b.png"], "an array of numbers, got list of <U5"),
        ("", "the path of the picture is empty"),
        (np.full((9, 9), 70000), "whole numbers from 0 to 65535"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.fault("a source that is no picture", "error")
def test_what_cannot_be_read_is_refused_in_one_sentence(source, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_digit(source)
    assert len(str(caught.value)) <= 300


def test_heic_is_told_by_its_content(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(ValueError, match=r"photo\.jpg is (HEIC: pip install pillow-heif|cannot be read)"):
        read_digit(tmp_path / "photo.jpg")


def test_one_picture_in_any_layout_is_read(picture):
    expected = read_digit(picture)
    gray, color = picture[..., None], np.repeat(picture[..., None], 3, axis=2)
    for same in (gray, gray.transpose(2, 0, 1), gray[None], color.transpose(2, 0, 1), picture.astype(float)):
        assert torch.equal(read_digit(same), expected)
    tensor = (torch.from_numpy(color).permute(2, 0, 1) / 255).requires_grad_()
    assert torch.equal(read_digit(tensor), expected) and torch.equal(read_digit(picture / 255 * 1.0000001), expected)


def test_a_file_that_is_not_there_and_one_in_the_home_folder(picture, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"there is no such file, seen from .*no\.png"):
        read_digit("no.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Image.fromarray(picture).save(tmp_path / "seven.png")
    assert torch.equal(read_digit("~/seven.png"), read_digit(picture))
    opened = Image.open(tmp_path / "seven.png")
    opened.close()
    with pytest.raises(ValueError, match="it may be closed"):
        read_digit(opened)


def test_one_not_a_number_among_floats_is_refused(picture):
    floats = picture / 255
    floats[200, 5] = np.nan
    for source in (floats, Image.fromarray(floats.astype(np.float32))):
        with pytest.raises(ValueError, match="from nan to nan"):
            read_digit(source)


@pytest.mark.parametrize("bits", [1, 8, 10, 12, 14, 16])
def test_whole_numbers_of_any_width_have_the_same_white(picture, bits):
    expected = read_photo((picture > 128) if bits == 1 else picture)
    wide = (picture > 128).astype(np.uint16) if bits == 1 else (picture / 255 * (2**bits - 1)).astype(np.uint16)
    for source in (wide, Image.fromarray(wide), wide.astype(int)):
        assert photo.to_color(source).max() > 250
        reading = read_photo(source)
        assert np.abs(reading.image.numpy().astype(float) - expected.image.numpy()).mean() < 1
        assert reading.notes == expected.notes


def test_no_copy_of_a_large_picture_is_made(picture):
    large = picture.repeat(9, axis=0).repeat(9, axis=1)
    expected, pixels = read_digit(picture), large.size
    transparent = Image.fromarray(np.dstack([np.zeros((*large.shape, 3), np.uint8), 255 - large]))
    for source in (large, Image.fromarray(large), Image.fromarray(large.astype(np.uint16) * 257), transparent):
        tracemalloc.start()
        image = read_digit(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * pixels  # bytes; the whole in RGBA has four for each pixel, in floats 32
        assert np.abs(image.numpy().astype(float) - expected.numpy()).mean() < 6


def test_a_large_jpeg_comes_smaller_and_right_side_up(picture, tmp_path, monkeypatch):
    large = Image.fromarray(picture.repeat(8, axis=0).repeat(8, axis=1))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    large.rotate(90, expand=True).save(tmp_path / "large.jpg", exif=exif)
    loaded = []
    monkeypatch.setattr(
        Image.Image,
        "reduce",
        lambda self, factor: (
            loaded.append(self.size[0])
            or self.resize(tuple(-(-side // factor) for side in self.size), Image.Resampling.BOX)
        ),
    )
    image = read_digit(tmp_path / "large.jpg")
    assert max(loaded) < 1600 < max(large.size)
    assert np.abs(image.numpy().astype(float) - read_digit(large).numpy()).mean() < 6


def test_limits_of_pil_do_not_hold_but_memory_does(picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000)  # twice as many are an error for PIL
    assert read_digit(png(picture)).shape == (28, 28)
    assert Image.MAX_IMAGE_PIXELS == 20_000
    monkeypatch.setattr(photo, "LARGEST", 100_000)
    with pytest.raises(ValueError, match="340 x 340 pixels, too many for the memory: make it smaller"):
        read_digit(png(picture))


def test_colors_of_transparent_pixels_do_not_show(picture):
    random, ink = np.random.default_rng(0), 255 - picture.repeat(4, axis=0).repeat(4, axis=1)
    hidden = random.integers(0, 255, (*ink.shape, 3)) * (ink[..., None] == 0)
    shown = read_digit(np.dstack([hidden, ink]).astype(np.uint8))
    assert np.abs(shown.numpy().astype(float) - read_digit(255 - ink).numpy()).mean() < 1


def test_parts_are_told_apart_without_comparing_their_values(monkeypatch):
    monkeypatch.delattr(RegionProperties, "__eq__")  # it compares each property, a second for each pair of noise
    monkeypatch.setattr(RegionProperties, "__eq__", lambda *_: pytest.fail("compared"), raising=False)
    noise = np.random.default_rng(0).integers(0, 255, (120, 120), dtype=np.uint8)
    assert read_photo(noise).notes


def test_a_panel_up_to_the_border_gives_no_warning(picture):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for width in (1, 2, 3):
            framed = np.pad(picture, width)
            assert read_digit(framed).shape == (28, 28)
        read_digit(pictures.pictures(pictures.frame, 12)[-1])  # its frame fills nearly all of it
