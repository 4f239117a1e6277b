"""Real MNIST, loaded once for all tests, and the browser of `make test-page`."""

import os
import shutil

import pytest

from helpers.data import Split, load_mnist


@pytest.fixture(scope="session")
def mnist() -> tuple[Split, Split]:
    return load_mnist()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright  # which `make test` does not need

    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail("no Chromium here: install it (apt-get install chromium), or name one in CHROMIUM=/path/to/it")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
