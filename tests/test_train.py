"""The training step, the scores, and runs that end early. Real digits, a small network."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.beyond.conv_net import ConvNet
from helpers.data import Batches, Split
from helpers.train import History, evaluate, fit, predict, set_seed, train_epoch


@pytest.fixture
def digits(mnist):
    return Split(mnist[1].images[:300], mnist[1].labels[:300])


def batches(split, batch_size=64, **kwargs):
    return Batches(split, batch_size, 0.1307, 0.3081, **kwargs)


def make(lr=0.05):
    set_seed(0)
    model = ConvNet([[8], [16], [32]])
    return model, torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def test_one_batch_overfits(digits):
    model, optimizer = make()
    one = batches(Split(digits.images[:64], digits.labels[:64]))
    first = train_epoch(model, one, optimizer)
    for _ in range(100):
        last = train_epoch(model, one, optimizer)
    assert first.loss > 2 and last.loss < 0.1 and last.correct == last.total == 64


def test_a_seed_asks_cuda_for_kernels_that_repeat_in_whole_float32(monkeypatch):
    for flag in ("benchmark", "allow_tf32", "deterministic"):
        monkeypatch.setattr(torch.backends.cudnn, flag, flag != "deterministic")
    set_seed(0)
    flags = torch.backends.cudnn
    assert (flags.benchmark, flags.allow_tf32, flags.deterministic) == (False, False, True)


def test_seeds_repeat(digits):
    def run(seed):
        set_seed(seed)
        model = ConvNet([[4], [8]], dropout=0.2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=10)
        train = batches(digits, shuffle=True, seed=seed)
        return fit(model, train, batches(digits), 2, optimizer, scheduler), model.state_dict()

    (history, weights), (again, weights_again), (other, _) = run(1), run(1), run(2)
    assert history.train == again.train and history.test == again.test
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    assert history.train != other.train


def test_evaluate_against_a_hand_count(digits):
    model, _ = make()
    score = evaluate(model, batches(digits, 128))
    model.eval()
    losses, correct = [], 0
    for image, label in zip(digits.images, digits.labels.tolist()):
        logits = model((image.view(1, 1, 28, 28) / 255 - 0.1307) / 0.3081)[0]
        losses.append(-torch.log_softmax(logits, dim=0)[label].item())
        correct += int(logits.argmax() == label)
    assert (score.correct, score.total) == (correct, 300)
    assert score.loss == pytest.approx(sum(losses) / 300, rel=1e-5)
    assert score.accuracy == pytest.approx(correct / 3)


def test_evaluate_changes_nothing_and_batch_size_does_not_matter(digits):
    model, optimizer = make()
    train_epoch(model, batches(digits), optimizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small, large = evaluate(model, batches(digits, 7)), evaluate(model, batches(digits, 300))
    assert small.correct == large.correct and small.loss == pytest.approx(large.loss, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_predict_keeps_the_order(digits):
    logits, labels = predict(make()[0], batches(digits, 128))
    assert logits.shape == (300, 10) and labels.tolist() == digits.labels.tolist()


def test_train_loss_is_the_mean_over_samples(digits):
    """Batches of 200 and 100 images: the mean over batches would be another number."""
    model, _ = make()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    images, labels = next(iter(batches(digits, 300)))
    model.train()
    parts = [F.cross_entropy(model(x), y, reduction="sum") for x, y in zip(images.split(200), labels.split(200))]
    score = train_epoch(model, batches(digits, 200), frozen)
    assert score.loss == pytest.approx(sum(parts).item() / 300, rel=1e-5)
    assert score.total == 300


def test_epoch_line_and_history(digits, capsys):
    model, optimizer = make()
    history = fit(model, batches(digits), batches(digits), 2, optimizer)
    assert len(history.train) == len(history.test) == len(history.seconds) == 2
    lines = capsys.readouterr().out.splitlines()
    score = history.test[1]
    assert len(lines) == 2 and lines[1].startswith("epoch  2/2")
    assert lines[1].endswith(f"Accuracy: {score.correct}/300 ({score.accuracy:.2f}%)")


def test_host_waits_rarely(digits, monkeypatch):
    """150 steps may read numbers from the device a few times, not at every step."""
    reads, item = [], torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda self: reads.append(1) or item(self))
    model, optimizer = make()
    train_epoch(model, batches(digits, 2), optimizer)
    assert len(reads) < 10


def test_diverged_training_names_epoch_and_step(digits):
    class Diverging(nn.Linear):
        steps = 0

        def forward(self, x):
            self.steps += self.training
            return super().forward(x.flatten(1)) / (self.steps != 8)

    model = Diverging(784, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with pytest.raises(FloatingPointError, match=r"epoch  2/3, step 3: the loss is nan.*learning rate"):
        fit(model, batches(digits), batches(digits), 3, optimizer)


@pytest.mark.fault("learning rate diverges", "error names epoch, step")
def test_far_too_high_learning_rate_stops(digits):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e6)
    with pytest.raises(FloatingPointError, match=r"epoch  1/1, step [0-9]+: the loss is (nan|inf)"):
        fit(model, batches(digits, 2), batches(digits), 1, optimizer)


@pytest.mark.fault("interrupt in mid-epoch", "history and weights kept")
def test_interrupt_keeps_history_and_weights(digits, capsys):
    class Interrupted:
        epochs = 0

        def __len__(self):
            return 5

        def __iter__(self):
            self.epochs += 1
            for i, batch in enumerate(batches(digits)):
                if (self.epochs, i) == (2, 3):
                    raise KeyboardInterrupt
                yield batch

    model, optimizer = make()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    history = History()
    with pytest.raises(KeyboardInterrupt):
        fit(model, Interrupted(), batches(digits), 5, optimizer, history=history)
    assert len(history.train) == len(history.test) == len(history.seconds) == 1
    assert "Interrupted in epoch 2" in capsys.readouterr().out
    assert any(not torch.equal(value, start[name]) for name, value in model.state_dict().items())


def test_no_epochs_is_refused(digits):
    model, optimizer = make()
    with pytest.raises(ValueError, match="num_epochs must be at least 1, got 0"):
        fit(model, batches(digits), batches(digits), 0, optimizer)


def test_other_errors_are_not_taken_for_a_lack_of_memory(digits):
    """Torch's messages speak of memory formats, too."""

    def break_down(images):
        raise RuntimeError("required rank 4 tensor to use channels_last memory format")

    model, optimizer = make()
    model.forward = break_down
    with pytest.raises(RuntimeError, match="memory format"):
        fit(model, batches(digits), batches(digits), 1, optimizer)


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="no batches"):
        predict(make()[0], iter([]))
    model, optimizer = make()
    with pytest.raises(ValueError, match="there are no batches; an iterator gives its own only once"):
        train_epoch(model, iter([]), optimizer)


def test_training_seconds_are_without_the_scoring(digits, monkeypatch):
    model, optimizer = make()
    clock = iter(range(0, 1000, 10))  # 10 s pass between any two looks at it

    def slow(*args):
        next(clock)
        return evaluate(*args)

    monkeypatch.setattr("helpers.train.time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr("helpers.train.evaluate", slow)
    assert fit(model, batches(digits), batches(digits), 2, optimizer).seconds == [10, 10]


def test_a_single_image_is_a_batch_only_where_batch_norm_can_do(digits):
    one_pixel, few = ConvNet([[4], [4], [(4, 7)]], unpadded=(-1,)), Split(digits.images[:65], digits.labels[:65])
    optimizer = torch.optim.SGD(one_pixel.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"step 2: a batch of one image, .*choose another batch_size"):
        train_epoch(one_pixel, batches(few), optimizer)
    model, optimizer = make()
    assert train_epoch(model, batches(few), optimizer).total == 65


def test_the_callers_history_keeps_what_was_done_before_an_error(digits):
    model, optimizer = make()
    history, train = History(), batches(digits)

    def fail(images):
        if len(history.test) == 1:
            raise OSError("gone")
        return ConvNet.forward(model, images)

    model.forward = fail
    with pytest.raises(OSError, match="gone"):
        fit(model, train, batches(digits), 3, optimizer, history=history)
    assert len(history.train) == len(history.test) == len(history.seconds) == 1
    with pytest.raises(ValueError, match="history holds 1 epochs already"):
        fit(model, train, batches(digits), 3, optimizer, history=history)


def test_label_smoothing_changes_the_steps_and_not_what_is_scored(digits):
    """With steps of no length, the score is that of plain cross-entropy; a step goes along the smoothed gradient."""
    parts = make(lr=0.0)
    plain, smooth = (train_epoch(parts[0], batches(digits), parts[1], label_smoothing=part) for part in (0.0, 0.5))
    assert smooth == plain
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.tensor([3, 1, 4, 1])
    one = [(logits.detach(), labels)]
    toy = nn.Linear(10, 10, bias=False)
    before = toy.weight.detach().clone()
    targets = 0.8 * F.one_hot(labels, 10) + 0.02  # 0.2 of each target, a tenth of it for each digit
    wanted = (logits.detach() @ before.T).softmax(dim=1) - targets
    train_epoch(toy, one, torch.optim.SGD(toy.parameters(), lr=1.0), label_smoothing=0.2)
    torch.testing.assert_close(before - toy.weight.detach(), wanted.T @ logits.detach() / 4)
