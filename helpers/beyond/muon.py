"""Muon: SGD whose updates of the convolutions are made orthogonal."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Muon(Optimizer):
    """SGD with Nesterov momentum that orthogonalizes the update of each group marked `orthogonal`.

    The averaged gradient of a convolution is mostly a few strong directions. Replaced by the nearest
    matrix whose singular values are all 1, it moves the weak directions as fast as the strong ones,
    so that few epochs suffice. Source: K. Jordan et al., https://kellerjordan.github.io/posts/muon/.

    Args:
        groups: of parameters; those with `orthogonal=True` hold weights of two or more dimensions.
        lr: learning rate, where a group has none of its own.
        weight_decay: adds this multiple of the weights to their gradient, as torch's SGD does.
    """

    def __init__(self, groups: Iterable[dict], lr: float, momentum: float = 0.9, weight_decay: float = 0.0):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "orthogonal": False})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if "average" not in self.state[p]:
                    self.state[p]["average"] = torch.zeros_like(p)
            averages = [self.state[p]["average"] for p in params]
            grads = torch._foreach_add([p.grad for p in params], params, alpha=group["weight_decay"])
            # The _foreach functions handle all parameters in one call, which small layers need.
            torch._foreach_mul_(averages, group["momentum"])
            torch._foreach_add_(averages, grads)
            updates = torch._foreach_add(grads, averages, alpha=group["momentum"])
            if group["orthogonal"]:
                updates = [orthogonalize(update) for update in updates]
            torch._foreach_add_(params, updates, alpha=-group["lr"])


def muon_for(model: nn.Module, muon_lr: float, lr: float, momentum: float, weight_decay: float) -> Muon:
    """Returns `Muon` for the weights that read more than one channel, and its plain SGD for all others.

    Args:
        muon_lr: learning rate of the first, which have no weight decay; `lr` is that of the others.
    """
    wide = [p for p in model.parameters() if p.ndim > 1 and p.shape[1] > 1]
    rest = [p for p in model.parameters() if p.ndim < 2 or p.shape[1] == 1]
    groups = [{"params": wide, "lr": muon_lr, "orthogonal": True, "weight_decay": 0}, {"params": rest}]
    return Muon(groups, lr, momentum, weight_decay)


def orthogonalize(weights: Tensor, num_steps: int = 5) -> Tensor:
    """Returns nearly the nearest matrix with orthonormal rows or columns, scaled for tall ones.

    A quintic Newton-Schulz iteration drives all singular values to between about 0.7 and 1.2.

    Args:
        weights: (out, ...), seen as a matrix of `out` rows.
    """
    matrix = weights.flatten(1)
    rows, columns = matrix.shape
    matrix = matrix.T if rows > columns else matrix
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(num_steps):
        gram = matrix @ matrix.T
        matrix = 3.4445 * matrix + (-4.7750 * gram + 2.0315 * gram @ gram) @ matrix
    matrix = matrix.T if rows > columns else matrix
    return matrix.reshape(weights.shape) * max(1, rows / columns) ** 0.5
