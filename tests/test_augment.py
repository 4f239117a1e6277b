"""What the records add to augmentation, on real MNIST: bending, fading bounds, and scores over views."""

import dataclasses
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from helpers.beyond.augment import FadingBatches, evaluate_views, random_bend
from helpers.beyond.conv_net import ConvNet
from helpers.beyond.recipes import ConvNetRecipe
from helpers.data import Batches, Split, random_warp
from helpers.train import evaluate, predict, set_seed, train_epoch

WARP = {"degrees": 10, "shift": 2, "scale": 0.1, "shear": 5}
ALL = WARP | {"bend": 1}
TOY = ConvNetRecipe(stages=((2,), (4,)), num_epochs=4, lr=0.05, batch_size=500, shift=1, fade=2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits(mnist):
    """The first 256 test digits, (256, 1, 28, 28) on the scale 0..1."""
    return mnist[1].images[:256].unsqueeze(1) / 255


def test_without_bending_it_is_the_warp_to_the_last_bit(digits):
    sources = generator(3), generator(3)
    warped, bent = random_warp(digits, sources[0], **WARP), random_bend(digits, sources[1], **WARP)
    assert torch.equal(bent, warped) and not torch.equal(bent, digits)
    assert torch.equal(*(source.get_state() for source in sources))  # the next batch is the same, too
    assert torch.equal(random_bend(digits, generator()), random_warp(digits, generator()))


def test_bending_draws_after_the_warp(digits):
    """So that a bend of nearly nothing leaves all other amounts as they are."""
    warped = random_warp(digits, generator(3), **WARP)
    torch.testing.assert_close(random_bend(digits, generator(3), **WARP, bend=1e-6), warped, atol=1e-4, rtol=0)


def test_strength_is_a_factor_of_all_bounds(digits):
    half = {name: bound / 2 for name, bound in ALL.items()}
    none, weak, full = (random_bend(digits, generator(1), **ALL, strength=strength) for strength in (0, 0.5, 1))
    torch.testing.assert_close(none, digits, atol=1e-5, rtol=0)
    assert torch.equal(weak, random_bend(digits, generator(1), **half))
    assert torch.equal(full, random_bend(digits, generator(1), **ALL)) and not torch.equal(full, weak)


def test_bending_differs_from_image_to_image(digits):
    same = digits[:1].expand(64, -1, -1, -1)
    for bounds in (ALL, {"bend": 1}):
        assert len(torch.unique(random_bend(same, generator(), **bounds), dim=0)) == 64


@pytest.mark.parametrize("name", ALL)
def test_each_bound_moves_pixels(digits, name):
    assert (random_bend(digits, generator(), **{name: ALL[name]}) - digits).abs().mean() > 0.01


def test_bent_images_stay_in_range(digits):
    images = random_bend(digits, generator(), **ALL)
    assert images.shape == digits.shape and images.min() >= 0 and images.max() <= 1
    # Mild bounds move ink about, they do not remove it.
    assert images.sum() == pytest.approx(digits.sum().item(), rel=0.05)


def test_bending_repeats_with_the_seed(digits):
    assert torch.equal(random_bend(digits, generator(3), **ALL), random_bend(digits, generator(3), **ALL))
    assert not torch.equal(random_bend(digits, generator(3), bend=1), random_bend(digits, generator(4), bend=1))


def test_the_bound_of_bending_is_in_pixels(digits, monkeypatch):
    """With every draw at its upper bound, the outcome is known."""
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.ones(*size))
    images, known = random_bend(digits, generator(), bend=1), digits.roll((-1, -1), (2, 3))
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(images[inner], known[inner], atol=1e-4, rtol=0)


def test_bending_moves_both_axes_by_up_to_its_bound():
    """Coordinates as an image: what is sampled at a place says where it came from."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    places = torch.stack([x, y]).unsqueeze(0).expand(64, -1, -1, -1)
    moved = (random_bend(places, generator(), bend=2) - places)[:, :, 6:-6, 6:-6]
    for axis in range(2):
        assert 1 < moved[:, axis].abs().max() < 2.6 and moved[:, axis].std() > 0.3


def test_augmentation_fades_over_the_last_epochs(mnist):
    split = Split(mnist[0].images[:1000], mnist[0].labels[:1000])
    batches = TOY.train_batches(split, 0, 1, 0, "cpu")
    seen = []
    batches.augment = lambda images, generator, strength: seen.append(strength) or images
    for _ in range(3):
        list(batches)
    other = TOY.train_batches(split, 0, 1, 0, "cpu")
    other.load_state_dict(batches.state_dict())
    other.augment = batches.augment
    list(other)
    assert seen == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_what_does_not_fade_has_the_lessons_batches(mnist):
    split = Split(mnist[0].images[:1000], mnist[0].labels[:1000])
    fading = TOY.train_batches(split, 0, 1, 0, "cpu")
    assert type(fading) is FadingBatches
    # No fading, or nothing that could fade.
    plain, bare = dataclasses.replace(TOY, fade=0), dataclasses.replace(TOY, shift=0)
    assert {type(recipe.train_batches(split, 0, 1, 0, "cpu")) for recipe in (plain, bare)} == {Batches}
    # At full strength, which is 1 in the first epochs, both give the same.
    pairs = zip(fading, plain.train_batches(split, 0, 1, 0, "cpu"), strict=True)
    assert all(torch.equal(x, y) and torch.equal(labels, others) for (x, labels), (y, others) in pairs)


def test_fading_goes_on_where_another_device_left_it(mnist):
    """Its generator is the other device's, the count of batches is not."""
    split = Split(mnist[0].images[:1000], mnist[0].labels[:1000])
    fading, other = (TOY.train_batches(split, 0, 1, 0, "cpu") for _ in range(2))
    list(fading)
    state = fading.state_dict()
    del state["generator"]
    other.load_state_dict(state)
    assert other.num_batches == fading.num_batches > 0


@pytest.fixture
def split(mnist):
    return Split(mnist[1].images[:300], mnist[1].labels[:300])


@pytest.fixture
def model(split):
    """A small network after ten epochs; an untrained one answers alike to any view."""
    set_seed(0)
    network = ConvNet([[8], [16], [32]])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(10):
        train_epoch(network, batches(split), optimizer)
    return network


def batches(split, batch_size=64, **kwargs):
    return Batches(split, batch_size, 0.1307, 0.3081, **kwargs)


def test_views_are_scored_by_their_mean_logits(split, model):
    def views():
        return batches(split, augment=partial(random_warp, degrees=20))

    passes, one = views(), batches(split)
    logits = (predict(model, passes)[0] + predict(model, passes)[0]) / 2
    expected = F.cross_entropy(logits, split.labels.long()).item()
    score = evaluate_views(model, views(), 2)
    assert score.loss == pytest.approx(expected, rel=1e-6)
    assert score.correct == (logits.argmax(dim=1) == split.labels).sum() and score.total == 300
    assert evaluate(model, views()).loss != pytest.approx(expected, rel=1e-3)
    assert evaluate_views(model, views(), 1) == evaluate(model, views())
    assert evaluate_views(model, one, 3).loss == pytest.approx(evaluate(model, one).loss, rel=1e-6)


def test_shuffled_batches_have_no_views(split, model):
    with pytest.raises(ValueError, match="one order, these are shuffled"):
        evaluate_views(model, batches(split, shuffle=True), 2)
    pairs = [(image.view(1, 28, 28) / 255, int(label)) for image, label in zip(*split)]
    loader = torch.utils.data.DataLoader(pairs, 50, shuffle=True)
    with pytest.raises(ValueError, match="changed it between two passes"):
        evaluate_views(model, loader, 2)
    with pytest.raises(ValueError, match="num_views must be at least 1"):
        evaluate_views(model, batches(split), 0)


def test_a_part_of_the_images_is_chosen_by_the_seed(mnist):
    recipe = ConvNetRecipe(stages=((2,),), num_epochs=1, lr=0.1, part=0.25, batch_size=50)
    split = Split(mnist[1].images[:400], torch.arange(400) % 10)
    first, again, other = (recipe.train_batches(split, 0.13, 0.31, seed, "cpu").images for seed in (0, 0, 1))
    assert len(first) == 100 and torch.equal(first, again) and not torch.equal(first, other)
    whole = {bytes(image.flatten().tolist()) for image in split.images}
    assert len({bytes(image.flatten().tolist()) for image in first} & whole) == len(first)
