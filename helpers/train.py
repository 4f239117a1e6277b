"""One training step, one epoch, one run. Models and batches are known only by what they do."""

import math
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from helpers.checkpoint import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Score:
    """Mean loss over samples, and how many of them were predicted correctly."""

    loss: float
    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """In percent."""
        return 100 * self.correct / self.total


@dataclass
class History:
    """One `Score` on each split and the training time in seconds, per finished epoch."""

    train: list[Score] = field(default_factory=list)
    test: list[Score] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def state_dict(self) -> dict[str, list]:
        """Returns plain numbers, for a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, list]) -> None:
        """Takes back what `state_dict` returned."""
        self.train, self.test = ([Score(**score) for score in state[split]] for split in ("train", "test"))
        self.seconds = state["seconds"]


def set_seed(seed: int) -> None:
    """Seeds the random sources of training and asks CUDA for kernels that repeat themselves."""
    random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler | None = None,
    name: str = "epoch",
) -> Score:
    """Trains on every batch once; the score is that of the moving weights, before each step.

    Args:
        batches: images (N, 1, H, W) and int64 labels (N,), on the device of the model.
        scheduler: stepped once per batch.
        name: of the epoch, for the progress bar and for errors.

    Raises:
        FloatingPointError: a loss is not finite; the message names epoch and step.
    """
    model.train()
    losses, sizes, correct = [], [], 0
    with tqdm(batches, desc=name, leave=False) as bar:
        for images, labels in bar:
            logits = model(images)  # (N, 10)
            loss = F.cross_entropy(logits, labels)

            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()

            # Sums stay on the device: reading a number makes the host wait, so it is done rarely.
            losses.append(loss.detach())
            sizes.append(len(labels))
            correct += (logits.argmax(dim=1) == labels).sum()
            if len(losses) % 50 == 0:
                bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
                if not math.isfinite(loss.item()):
                    break
    return Score(_mean_loss(losses, sizes, name), int(correct), sum(sizes))


def _mean_loss(losses: list[Tensor], sizes: list[int], name: str) -> float:
    values = torch.stack(losses).cpu().double()
    if not values.isfinite().all():
        step = int((~values.isfinite()).nonzero()[0])
        raise FloatingPointError(
            f"{name}, step {step + 1}: the loss is {values[step].item()}, training has diverged. "
            "Lower the learning rate, or look for extreme values in the images."
        )
    return (values @ torch.tensor(sizes, dtype=torch.float64)).item() / sum(sizes)


@torch.inference_mode()
def predict(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Returns the logits (N, 10) in eval mode and the labels (N,) of all batches."""
    model.eval()
    logits, labels = zip(*((model(images), labels) for images, labels in batches))
    return torch.cat(logits), torch.cat(labels)


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], num_views: int = 1) -> Score:
    """Scores the model in eval mode by its mean logits over `num_views` passes through all batches.

    More than one is for batches that augment, in one order: each pass is another view of the images.
    """
    views = [predict(model, batches) for _ in range(num_views)]
    logits, labels = torch.stack([logits for logits, _ in views]).mean(dim=0), views[0][1]
    correct = (logits.argmax(dim=1) == labels).sum()
    return Score(F.cross_entropy(logits, labels).item(), int(correct), len(labels))


def fit(
    model: nn.Module,
    train_batches: Iterable[tuple[Tensor, Tensor]],
    test_batches: Iterable[tuple[Tensor, Tensor]],
    num_epochs: int,
    optimizer: Optimizer,
    scheduler: LRScheduler | None = None,
    checkpoint: Path | str | None = None,
) -> History:
    """Trains for `num_epochs` and prints a line for each.

    An interrupt (Ctrl-C, a notebook's stop button) ends training early; history and weights are those so far.

    Args:
        checkpoint: a file that is written after each epoch. If it is there already, training goes on
            from it, and ends with the same numbers as if it had never been cut off.

    Raises:
        ValueError: `num_epochs` is less than 1, or the checkpoint is damaged or of another run.
        FloatingPointError: see `train_epoch`.
        MemoryError: a batch needs more memory than the device has.
    """
    if num_epochs < 1:
        raise ValueError(f"num_epochs must be at least 1, got {num_epochs}")
    history, path = History(), Path(checkpoint) if checkpoint else None
    parts = {"model": model, "optimizer": optimizer, "batches": train_batches, "history": history}
    if scheduler is not None:
        parts["scheduler"] = scheduler
    if path is not None and path.exists():
        load_checkpoint(path, parts)
        print(f"Going on after epoch {len(history.test)}, from {path.name}")
    try:
        for epoch in range(len(history.test) + 1, num_epochs + 1):
            name = f"epoch {epoch:2}/{num_epochs}"
            start = time.perf_counter()
            train = train_epoch(model, train_batches, optimizer, scheduler, name)
            seconds = time.perf_counter() - start
            test = evaluate(model, test_batches)
            history.train.append(train)
            history.test.append(test)
            history.seconds.append(seconds)
            print(
                f"{name}  {seconds:4.1f} s  train loss {train.loss:.4f}  accuracy {train.accuracy:5.2f}%  "
                f"test loss {test.loss:.4f}  Accuracy: {test.correct}/{test.total} ({test.accuracy:.2f}%)",
                flush=True,
            )
            if path is not None:
                save_checkpoint(path, parts)
    except RuntimeError as error:
        # A GPU has a class of its own for this, a CPU has not: only the text tells everywhere.
        if not any(text in str(error) for text in ("out of memory", "allocate memory", "not enough memory")):
            raise
        message = f"epoch {len(history.test) + 1}: a batch does not fit into the device's memory; lower batch_size"
        raise MemoryError(message) from error
    except KeyboardInterrupt:
        print(f"Interrupted in epoch {len(history.test) + 1}: history and weights are those so far.")
    return history
