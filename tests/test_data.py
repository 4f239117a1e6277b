"""Splits, batches and augmentation, on real MNIST."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from helpers.data import Batches, Split, hold_out, mean_and_std, random_warp

ALL = {"degrees": 10, "shift": 2, "scale": 0.1, "shear": 5}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits(mnist):
    """The first 256 test digits, (256, 1, 28, 28) on the scale 0..1."""
    return mnist[1].images[:256].unsqueeze(1) / 255


def test_mnist_is_mnist(mnist):
    train, test = mnist
    assert train.images.shape == (60_000, 28, 28) and test.images.shape == (10_000, 28, 28)
    assert all(x.dtype == torch.uint8 for split in mnist for x in split)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_mean_and_std_equal_torch(mnist):
    pixels = mnist[0].images[:5000].double() / 255
    mean, std = mean_and_std(mnist[0].images[:5000])
    assert mean == pytest.approx(pixels.mean().item(), abs=1e-9)
    assert std == pytest.approx(pixels.std(correction=0).item(), abs=1e-9)


def test_split_parts_never_overlap():
    numbered = Split(torch.arange(1000).view(-1, 1, 1).expand(-1, 2, 2), torch.arange(1000))
    kept, held = hold_out(numbered, 100)
    assert (len(kept.labels), len(held.labels)) == (900, 100)
    assert sorted(torch.cat([kept.labels, held.labels]).tolist()) == list(range(1000))
    assert torch.equal(kept.images[:, 0, 0], kept.labels)
    assert held.labels.tolist() == list(range(900, 1000))


@pytest.mark.parametrize("num_validation", [0, -1, 10_000])
def test_split_that_leaves_nothing_is_refused(mnist, num_validation):
    with pytest.raises(ValueError, match=r"1\.\.9999"):
        hold_out(mnist[1], num_validation)


def test_an_epoch_holds_every_image_once(mnist):
    images = mnist[1].images[:1000].clone()
    images[:, 0, 0], images[:, 0, 1] = torch.arange(1000) % 250, torch.arange(1000) // 250  # a number in the margin
    batches = Batches(Split(images, mnist[1].labels[:1000]), 128, 0, 1, shuffle=True)

    def epoch():
        for batch, labels in batches:
            pixels = (255 * batch[:, 0]).round().to(torch.uint8)
            numbers = pixels[:, 0, 0].long() + 250 * pixels[:, 0, 1].long()
            assert torch.equal(pixels, images[numbers])
            assert torch.equal(labels, mnist[1].labels[numbers].long())
            yield from numbers.tolist()

    first, second = list(epoch()), list(epoch())
    assert len(batches) == 8
    assert sorted(first) == sorted(second) == list(range(1000))
    assert first != second


def test_batches_are_normalized(mnist):
    mean, std = mean_and_std(mnist[1].images)
    images, labels = next(iter(Batches(mnist[1], 10_000, mean, std)))
    assert images.shape == (10_000, 1, 28, 28) and images.dtype == torch.float32 and labels.dtype == torch.int64
    assert images.mean().item() == pytest.approx(0, abs=1e-4) and images.std().item() == pytest.approx(1, abs=1e-4)


def test_batches_repeat_with_the_seed(mnist):
    def epoch(seed):
        split = Split(mnist[1].images[:500], mnist[1].labels[:500])
        batches = Batches(split, 100, 0.13, 0.31, shuffle=True, augment=partial(random_warp, **ALL), seed=seed)
        return torch.cat([images for images, _ in batches])

    assert torch.equal(epoch(1), epoch(1))
    assert not torch.equal(epoch(1), epoch(2))


@pytest.mark.parametrize("batch_size", [0, -5, 10_001])
@pytest.mark.fault("batch size 0 or above the set", "error")
def test_impossible_batch_size_is_refused(mnist, batch_size):
    with pytest.raises(ValueError, match=r"batch_size must be in 1\.\.10000"):
        Batches(mnist[1], batch_size, 0.13, 0.31)


def test_images_without_labels_are_refused(mnist):
    with pytest.raises(ValueError, match="10000 images but labels of shape"):
        Batches(Split(mnist[1].images, mnist[1].labels[:9]), 8, 0.13, 0.31)


def test_augmentation_is_identity_at_zero(digits):
    torch.testing.assert_close(random_warp(digits, generator()), digits, atol=1e-5, rtol=0)


def test_augmentation_differs_from_image_to_image(digits):
    same = digits[:1].expand(64, -1, -1, -1)
    assert len(torch.unique(random_warp(same, generator(), **ALL), dim=0)) == 64


@pytest.mark.parametrize("name", ALL)
def test_each_bound_moves_pixels(digits, name):
    moved = random_warp(digits, generator(), **{name: ALL[name]})
    assert (moved - digits).abs().mean() > 0.01


def test_augmentation_stays_in_range(digits):
    images = random_warp(digits, generator(), **ALL)
    assert images.shape == digits.shape and images.min() >= 0 and images.max() <= 1
    # Mild bounds move ink about, they do not remove it.
    assert images.sum() == pytest.approx(digits.sum().item(), rel=0.05)


def test_augmentation_repeats_with_the_seed(digits):
    assert torch.equal(random_warp(digits, generator(3), **ALL), random_warp(digits, generator(3), **ALL))


@pytest.mark.parametrize(
    "bounds, expected",
    [
        ({"degrees": 90}, lambda x: x.rot90(1, (2, 3))),
        ({"shift": 1}, lambda x: x.roll((-1, -1), (2, 3))),
        ({"scale": 1}, lambda x: torch.nn.functional.interpolate(x[..., 7:21, 7:21], scale_factor=2, mode="bilinear")),
    ],
)
def test_bounds_mean_what_they_say(digits, monkeypatch, bounds, expected):
    """With every draw at its upper bound, the outcome is known."""
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.ones(*size))
    images, known = random_warp(digits, generator(), **bounds), expected(digits)
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(images[inner], known[inner], atol=1e-4, rtol=0)


def drawn(digits, seed, bounds):
    """The same warp by torch's own affine grid, from the same draws."""
    height, width = digits.shape[2:]
    size = torch.tensor([math.radians(bounds["degrees"]), math.radians(bounds["shear"]), bounds["scale"]])
    shift = torch.tensor([2 * bounds["shift"] / width, 2 * bounds["shift"] / height])
    draws = (torch.rand(5, len(digits), generator=generator(seed)) * 2 - 1) * torch.cat([size, shift]).unsqueeze(1)
    matrices = []
    for angle, slant, growth, dx, dy in draws.T.tolist():
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / (1 + growth)
        matrix = turn @ torch.tensor([[1.0, math.tan(slant)], [0.0, 1.0]])
        matrices.append(torch.cat([matrix, torch.tensor([[dx], [dy]])], dim=1))
    grid = F.affine_grid(torch.stack(matrices), list(digits.shape), align_corners=False)
    return F.grid_sample(digits, grid, align_corners=False)


def test_warp_equals_an_affine_grid_for_amounts_of_all_signs(digits):
    bounds = {"degrees": 20, "shift": 2.5, "scale": 0.2, "shear": 12}
    torch.testing.assert_close(random_warp(digits, generator(5), **bounds), drawn(digits, 5, bounds), atol=1e-4, rtol=0)


def test_labels_stay_with_their_images(mnist):
    numbered = Split(torch.arange(100, dtype=torch.uint8).view(-1, 1, 1).expand(-1, 28, 28), torch.arange(100) % 10)
    for images, labels in Batches(numbered, 32, 0, 1 / 255, shuffle=True):
        assert torch.equal(images[:, 0, 0, 0].long() % 10, labels)
