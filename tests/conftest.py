"""Real MNIST, loaded once for all tests."""

import pytest

from helpers.data import Split, load_mnist


@pytest.fixture(scope="session")
def mnist() -> tuple[Split, Split]:
    return load_mnist()
