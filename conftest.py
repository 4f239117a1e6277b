"""What `pytest --nbval` needs on other people's machines."""

from tools.notebook import give_home


def pytest_configure(config):
    give_home()
    # The cells of a notebook need one worker: `pytest -n 2` would deal them out one by one.
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadscope"
