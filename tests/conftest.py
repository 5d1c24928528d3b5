"""How the tests are run: with which inputs, and in which order."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import PROFILE
from hypothesis import settings

HERE = Path(__file__).parent
#: Begun first where several run at a time, the longest before all: or the last one runs alone for half a minute.
FIRST = (
    "test_scenarios.py",
    "e2e/test_crash.py",
    "e2e/test_real_peers.py",
    "test_reload.py",
    "test_scenarios_disturbed.py",
    "correlate/test_properties.py",
    "e2e",
    "parse/test_timestamps.py",
    "notify/test_contract.py",
    "cli/test_replay.py",
    "parse/test_framing_damage.py",
    "store",
    "web",
)

settings.load_profile(PROFILE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=place)


def place(item: pytest.Item) -> int:
    """Of a test among those to be begun."""
    file = item.path.relative_to(HERE)
    names = (file.as_posix(), *map(str, file.parents))
    return next((FIRST.index(name) for name in names if name in FIRST), len(FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are there to stay: they are not looked through for garbage, neither now nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
