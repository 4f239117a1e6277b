"""Muon against torch's SGD, and the orthogonality of its updates."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.beyond.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (24, 24, 3, 3), (10, 32, 1, 1), (48, 4, 3, 3)])
def test_singular_values_become_nearly_one(shape):
    weights = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalize(weights)
    assert result.shape == weights.shape
    rows, columns = result.flatten(1).shape
    values = torch.linalg.svdvals(result.flatten(1)) / max(1, rows / columns) ** 0.5
    assert values.min() > 0.5 and values.max() < 1.3


def test_orthogonal_update_keeps_the_directions_of_the_gradient():
    """The nearest orthogonal matrix is U V^T of the singular value decomposition."""
    weights = torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(weights, full_matrices=False)
    assert F.cosine_similarity(orthogonalize(weights).flatten(), (u @ v).flatten(), dim=0) > 0.97


def test_scale_of_the_gradient_does_not_matter_and_zero_stays_zero():
    weights = torch.randn(4, 9)
    assert torch.allclose(orthogonalize(1000 * weights), orthogonalize(weights), atol=1e-4)
    assert orthogonalize(torch.zeros(4, 9)).eq(0).all()


def test_other_groups_take_the_step_of_torch_sgd():
    start, inputs = torch.randn(5, 7), torch.randn(7)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    optimizers = [Muon([{"params": [ours]}], **settings), torch.optim.SGD([theirs], nesterov=True, **settings)]
    for _ in range(5):
        for weights, optimizer in zip((ours, theirs), optimizers):
            optimizer.zero_grad()
            (weights @ inputs).square().sum().backward()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_parameters_without_gradient_stay():
    used, unused = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3, 3))
    optimizer = Muon([{"params": [used, unused], "orthogonal": True}], lr=0.1)
    (used * torch.eye(3)).sum().backward()
    optimizer.step()
    assert unused.eq(1).all() and not used.eq(1).all()


@pytest.mark.parametrize("shape", [(48, 4, 3, 3), (40, 10, 1, 1), (8, 16, 3, 3)])
def test_an_orthogonal_step_is_the_scaled_one_of_nesterovs_average(shape):
    """Twice the same gradient: the update is that of g + 0.9 (g + 0.9 g), made orthogonal; tall ones move further."""
    start, grad = torch.randn(2, *shape, generator=torch.Generator().manual_seed(2))
    weights = nn.Parameter(start.clone())
    optimizer = Muon([{"params": [weights], "orthogonal": True}], lr=0.1, momentum=0.9)
    for _ in range(2):
        weights.grad = grad.clone()
        optimizer.step()
    scale = max(1, shape[0] / start[0].numel()) ** 0.5
    steps = 0.2 * orthogonalize(grad)  # the direction of a sum of equal gradients is theirs
    torch.testing.assert_close(start - weights.detach(), steps, atol=1e-3, rtol=0)
    assert torch.linalg.svdvals(steps.flatten(1) / 0.2).mean().item() == pytest.approx(scale, rel=0.2)


def test_two_gradients_are_averaged_as_nesterov_does():
    first, second = torch.randn(2, 6, 20, generator=torch.Generator().manual_seed(3))
    weights = nn.Parameter(torch.zeros(6, 20))
    optimizer = Muon([{"params": [weights], "orthogonal": True}], lr=1.0, momentum=0.5)
    for grad in (first, second):
        before = weights.detach().clone()
        weights.grad = grad.clone()
        optimizer.step()
    expected = orthogonalize(second + 0.5 * (second + 0.5 * first))
    torch.testing.assert_close(before - weights.detach(), expected, atol=1e-5, rtol=0)


def test_five_steps_bring_the_values_near_one():
    weights = torch.randn(16, 16, generator=torch.Generator().manual_seed(4))
    values = torch.linalg.svdvals(orthogonalize(weights))
    assert (values > 0.6).sum() >= 15
