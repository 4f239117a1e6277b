"""One epoch and one run of training, for any model and any batches. Importing it leaves half of the cores free."""

import math
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from helpers.checkpoint import load_checkpoint, save_checkpoint
from helpers.cores import use_half_of_the_cores
from helpers.progress import progress

use_half_of_the_cores()


@dataclass(frozen=True)
class Score:
    """Mean loss over samples, and how many of them were predicted correctly."""

    loss: float
    correct: int
    total: int

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> "Score":
        """Returns the score of logits (N, 10), given the labels (N,)."""
        correct = (logits.argmax(dim=1) == labels).sum()
        return cls(F.cross_entropy(logits, labels).item(), int(correct), len(labels))

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

    def append(self, train: Score, test: Score, seconds: float) -> None:
        """Adds a finished epoch."""
        self.train.append(train)
        self.test.append(test)
        self.seconds.append(seconds)

    def state_dict(self) -> dict[str, list]:
        """Returns plain numbers, for a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, list]) -> None:
        """Takes back what `state_dict` returned."""
        self.train, self.test = ([Score(**score) for score in state[split]] for split in ("train", "test"))
        self.seconds = state["seconds"]


def set_seed(seed: int) -> None:
    """Seeds the random sources of training and asks CUDA for deterministic kernels in full float32."""
    random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # it would round the inputs of a convolution to ten bits


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: Optimizer,
    scheduler: LRScheduler | None = None,
    name: str = "epoch",
    *,
    label_smoothing: float = 0.0,
) -> Score:
    """Trains on every batch once; each batch is scored before its step, while the weights still change.

    Args:
        batches: images (N, 1, H, W) and int64 labels (N,), or probabilities (N, 10) as targets; on the device of
            the model.
        scheduler: stepped once per batch.
        name: of the epoch, for the progress bar and for errors.
        label_smoothing: part of each target that is spread over all ten digits (Szegedy et al., arXiv:1512.00567).
            The score is of plain cross-entropy all the same, so that runs compare.

    Raises:
        FloatingPointError: a loss is not finite; the message names epoch and step.
        ValueError: a batch holds a single image, and a batch norm in the model needs more.
    """
    model.train()
    losses, sizes, correct = [], [], 0
    with progress(batches, desc=name) as bar:
        for images, labels in bar:
            try:
                logits = model(images)  # (N, 10)
            except ValueError as error:  # of batch norm, which has no variance to divide by
                if len(images) > 1:
                    raise
                advice = "batch norm cannot train on it; choose another batch_size"
                raise ValueError(f"{name}, step {len(losses) + 1}: a batch of one image, {advice}") from error
            loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()

            # Sums stay on the device: reading a number makes the host wait, so it is done rarely.
            losses.append(F.cross_entropy(logits.detach(), labels) if label_smoothing else loss.detach())
            sizes.append(len(labels))
            digits = labels if labels.ndim == 1 else labels.argmax(dim=1)
            correct += (logits.argmax(dim=1) == digits).sum()
            if len(losses) % 50 == 0:
                value = losses[-1].item()
                bar.set_postfix(loss=f"{value:.4f}", refresh=False)
                if not math.isfinite(value):
                    break
    return Score(_mean_loss(losses, sizes, name), int(correct), sum(sizes))


def _mean_loss(losses: list[Tensor], sizes: list[int], name: str) -> float:
    if not losses:
        raise ValueError(f"{name}: there are no batches; an iterator gives its own only once")
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
    """Returns the logits (N, 10) in eval mode and the labels (N,) of all batches.

    Raises:
        ValueError: there are no batches; an iterator gives its own only once.
    """
    model.eval()
    outputs = [(model(images), labels) for images, labels in batches]
    if not outputs:
        raise ValueError("there are no batches to predict")
    logits, labels = zip(*outputs)
    return torch.cat(logits), torch.cat(labels)


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Score:
    """Scores the model in eval mode on all batches."""
    return Score.of(*predict(model, batches))


def fit(
    model: nn.Module,
    train_batches: Iterable[tuple[Tensor, Tensor]],
    test_batches: Iterable[tuple[Tensor, Tensor]],
    num_epochs: int,
    optimizer: Optimizer,
    scheduler: LRScheduler | None = None,
    *,
    label_smoothing: float = 0.0,
    history: History | None = None,
    checkpoint: Path | str | None = None,
    settings: dict[str, object] | None = None,
) -> History:
    """Trains for `num_epochs`, prints a line for each, and returns the history.

    Args:
        label_smoothing: see `train_epoch`.
        history: an empty one to be filled. Whoever holds it keeps the finished epochs even if training
            is interrupted or fails.
        checkpoint: a file that is written after each epoch. If it is there already, training goes on
            from it, and ends with the same numbers as if it had never been cut off.
        settings: all that makes the numbers of this run, by name, such as `recipe.settings(seed=0)`.
            The checkpoint keeps them, and is refused if one has changed.

    Raises:
        ValueError: `num_epochs` is less than 1, `history` is not empty, the checkpoint has no settings,
            is damaged or is of another run, or see `train_epoch`.
        FloatingPointError: see `train_epoch`.
        MemoryError: a batch needs more memory than the device has.
        KeyboardInterrupt: someone interrupted training (Ctrl-C, a notebook's stop button).
    """
    history = History() if history is None else history
    if num_epochs < 1:
        raise ValueError(f"num_epochs must be at least 1, got {num_epochs}")
    if history.test:
        raise ValueError(f"history holds {len(history.test)} epochs already, give an empty one: History()")
    if checkpoint is not None and (settings is None or not hasattr(train_batches, "state_dict")):
        raise ValueError(
            "a checkpoint needs `settings`, all that makes the numbers of this run, such as recipe.settings(seed=0), "
            "and batches that know where they are, such as helpers.data.Batches"
        )
    parts = {"model": model, "optimizer": optimizer, "batches": train_batches, "history": history}
    if scheduler is not None:
        parts["scheduler"] = scheduler
    if checkpoint is not None:
        path, device = Path(checkpoint), next(model.parameters()).device
        kept = parts, {"num_epochs": num_epochs} | settings, device
        if path.exists():
            load_checkpoint(path, *kept, num_epochs)
            print(f"Going on after epoch {len(history.test)}, from {path.name}")
    with _explained(history):
        for epoch in range(len(history.test) + 1, num_epochs + 1):
            name = f"epoch {epoch:2}/{num_epochs}"
            start = time.perf_counter()
            train = train_epoch(model, train_batches, optimizer, scheduler, name, label_smoothing=label_smoothing)
            seconds = time.perf_counter() - start
            test = evaluate(model, test_batches)
            history.append(train, test, seconds)
            print(
                f"{name}  {seconds:4.1f} s  train loss {train.loss:.4f}  accuracy {train.accuracy:5.2f}%  "
                f"test loss {test.loss:.4f}  Accuracy: {test.correct}/{test.total} ({test.accuracy:.2f}%)",
                flush=True,
            )
            if checkpoint is not None:
                try:
                    save_checkpoint(path, *kept)
                except OSError as error:  # a full disk, or another program holds the file: no reason to lose the run
                    print(f"{path} could not be written ({error}); it is tried again after the next epoch", flush=True)
    return history


@contextmanager
def _explained(history: History) -> Iterator[None]:
    """Says where training was interrupted, and what a lack of memory asks for."""
    try:
        yield
    except KeyboardInterrupt:
        num_done = len(history.test)
        print(f"Interrupted in epoch {num_done + 1}: the history holds {num_done} whole epochs.", flush=True)
        raise  # so that a notebook's "Run all" stops here, too
    except RuntimeError as error:
        # Only the text is the same on all devices: a CPU has no error class of its own for this.
        if not any(text in str(error) for text in ("out of memory", "allocate memory", "not enough memory")):
            raise
        message = f"epoch {len(history.test) + 1}: a batch does not fit into the device's memory; lower batch_size"
        raise MemoryError(message) from error
