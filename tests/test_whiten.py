"""Filters that make the patches of images white."""

import pytest
import torch
from torch import nn

from helpers.beyond.recipes import ALL_RECIPES
from helpers.beyond.whiten import whiten
from helpers.data import Split


def test_what_whitened_filters_see_is_uncorrelated_and_varies_alike(mnist):
    images = mnist[1].images[:2000, None] / 255.0 - 0.13
    conv = nn.Conv2d(1, 16, 5, bias=False)
    whiten(conv, images)
    with torch.no_grad():
        maps = conv(images)[:, :8].transpose(0, 1).flatten(1)
    covariance = 100 * maps @ maps.T / maps.shape[1]
    torch.testing.assert_close(covariance - torch.diag(covariance.diag()), torch.zeros(8, 8), atol=0.01, rtol=0)
    # 0.01 is added to each variance, so that directions in which hardly anything happens are not blown up.
    assert ((covariance.diag() > 0.5) & (covariance.diag() < 1)).all() and (covariance.diag().diff() < 0).all()
    assert torch.equal(conv.weight[:8], -conv.weight[8:])


@pytest.mark.parametrize("number", [1, 7, 18])
def test_any_number_of_filters_is_whitened_that_patches_have_directions_for(mnist, number):
    images = mnist[1].images[:200, None] / 255.0
    conv = nn.Conv2d(1, number, 3)
    whiten(conv, images)
    half = (number + 1) // 2
    assert torch.equal(conv.weight[half:], -conv.weight[: number - half])
    with pytest.raises(ValueError, match="9 directions, too few for 19 filters"):
        whiten(nn.Conv2d(1, 19, 3), images)


def test_a_recipe_whitens_its_first_layer_by_its_own_training_images(mnist):
    recipe = ALL_RECIPES["fastest"]
    assert recipe.whiten
    half = Split(*(part[:600] for part in mnist[1]))
    model, *_ = recipe.set_up(half, 0.13, 0.31, 3, "cpu")
    wanted = nn.Conv2d(1, recipe.stages[0][0][0], recipe.stages[0][0][1])
    whiten(wanted, (half.images[:, None] / 255 - 0.13) / 0.31)
    torch.testing.assert_close(model.layers[0].weight, wanted.weight.to(memory_format=torch.channels_last))
