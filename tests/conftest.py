"""Fixtures: one real chain for all tests of a process, put back to its first state for each test that uses it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

# Plain lines: what structlog prints without being told is for a person at a terminal, and slow.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger("info"),
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
    ],
)

if TYPE_CHECKING:  # tests without a chain start faster without all this
    from tests.support.chain import Chain
    from tests.support.live import LiveHub
    from tests.support.stage import Stage, StageFactory


@pytest.fixture(scope="session")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chain]":
    from tests.support.chain import Chain

    chain = Chain(tmp_path_factory.mktemp("chain"))
    yield chain
    chain.stop()


@pytest.fixture(scope="session")
def _template(_chain: "Chain", tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.stage import Stage

    folder = tmp_path_factory.mktemp("template")
    Stage(_chain, folder).close()
    return folder / "taesan.db"


@pytest.fixture
def chain(_chain: "Chain", _template: Path) -> "Iterator[Chain]":
    """A chain with our contracts and nothing else on it."""
    with _chain.undone():
        yield _chain


@pytest.fixture
def open_stage(chain: "Chain", _template: Path, tmp_path: Path) -> "Iterator[StageFactory]":
    """Makes the test's hub with other settings."""
    from tests.support.stage import Stage, copy_database

    stages: list[Stage] = []

    def make(**settings: Any) -> "Stage":
        copy_database(_template, tmp_path)
        stages.append(Stage(chain, tmp_path, **settings))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(open_stage: "StageFactory") -> "Stage":
    """A hub with nothing in its books yet."""
    return open_stage()


@pytest.fixture(scope="module")
def shared_stage(_chain: "Chain", _template: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stage]":
    """One hub for all tests of a module, for tests that leave nothing behind which another would mind."""
    from tests.support.stage import Stage, copy_database

    folder = tmp_path_factory.mktemp("shared")
    copy_database(_template, folder)
    with _chain.undone():
        stage = Stage(_chain, folder)
        yield stage
        stage.close()


@pytest.fixture(scope="session")
def live_hub(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LiveHub]":
    """A hub that is served and works by itself, with payers, payments and a posted batch."""
    from tests.support.live import LiveHub

    hub = LiveHub(tmp_path_factory.mktemp("live"))
    yield hub
    hub.stop()
