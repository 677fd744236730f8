"""Fixtures: one real chain for all tests of a process, put back to its first state for each test that uses it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from taesan.core.garbage import calm_collector
from tests.support import databases, executed, postgres, thrift
from tests.support.fewest import Note, fewest, read, write

# The chains are on this machine, and `requests` would look for a proxy in the environment at each question to them.
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
# A commit waits for a disk, for milliseconds: in memory a database lasts as long as a test can tell, which kills processes and
# no machines. `make chaos` and `make load` have theirs on the disk.
_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 4 * 2**30  # Linux has it, with little room in some containers
if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
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
    from tests.support.template import Template


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-examples", type=int, help="tests/e2e/test_schema.py: for each operation, from a new seed")
    parser.addoption("--database", choices=databases.NAMES, default="sqlite", help="what the tests' databases are")
    parser.addoption(
        "--one-size", action="store_true", help="each journey of tests/browser on phone or desk, not on both"
    )
    parser.addoption("--note", type=Path, help="the file to note in what each test has the database execute")
    parser.addoption("--briefly", type=Path, help="such a file: few tests, which execute all that is noted there")


def pytest_configure(config: pytest.Config) -> None:
    """One PostgreSQL server for all processes of tests: to make one takes seconds."""
    calm_collector()
    is_first = not hasattr(config, "workerinput")
    if is_first and config.getoption("--database") == "postgresql" and postgres.THEIRS not in os.environ:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        os.environ[postgres.THEIRS] = stack.enter_context(postgres.server_for_tests())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """On PostgreSQL, modules that do not mark anything for it: each worker would import two hundred, for nothing."""
    if config.getoption("--database") != "postgresql" or not collection_path.match("test_*.py"):
        return None
    return not _names_postgresql(collection_path) or None


def _names_postgresql(module: Path) -> bool:
    return '"postgresql"' in module.read_text("utf-8")


def pytest_collection_finish() -> None:
    calm_collector()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL those run that are marked for both; on SQLite all but PostgreSQL's own."""
    unseen = {item.path for item in items if _runs_on(item, "postgresql")}
    if unseen := {path for path in unseen if not _names_postgresql(path)}:
        raise pytest.UsageError(
            f'marked for PostgreSQL without "postgresql" in the module, so never run there: {unseen}'
        )
    name = config.getoption("--database")
    here = [item for item in items if _runs_on(item, name)]
    if config.getoption("--briefly"):
        here = _briefly(here, read(config.getoption("--briefly")))
    chosen = set(here)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = _dealt(here, getattr(config, "workerinput", {}).get("workercount", 1))


def _dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """In an order that gives each of some workers an equal share of each directory, in the order of `testpaths`: xdist cuts the
    list into as many pieces. So all are done with the long tests early, and have short ones to take from each other at the end."""
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for _, file in groupby(items, key=lambda item: item.path):
        min(shares, key=len).extend(file)
    return [item for share in shares for item in share]


def _briefly(items: list[pytest.Item], notes: dict[str, Note]) -> list[pytest.Item]:
    """Those that between them have the service execute each of its statements and fail with each error; all in which two
    transactions were open at once; all of `tests/storage`, some of which let processes work; all for PostgreSQL alone."""
    always = {item.nodeid for item in items if item.nodeid not in notes or item.nodeid.startswith("tests/storage/")}
    chosen = always | fewest(notes, without=always)
    return [item for item in items if item.nodeid in chosen]


def _runs_on(item: pytest.Item, name: str) -> bool:
    own = item.get_closest_marker("database")
    if own is not None:
        return name in own.args
    return name == "sqlite"


_notes: dict[str, Note] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _notes.update((report.nodeid, note) for name, note in report.user_properties if name == "executed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    file = session.config.getoption("--note")
    if file and not hasattr(session.config, "workerinput"):
        write(file, _notes)


@pytest.fixture(autouse=True)
def _statements_noted(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test that PostgreSQL can have executes, so that `_briefly` can choose."""
    executed.forget()
    yield
    if request.config.getoption("--note") and _runs_on(request.node, "postgresql"):
        times, names = executed.noted()
        own = [request.node.nodeid] if executed.were_at_once() else []
        request.node.user_properties.append(("executed", (times, names + own)))


@pytest.fixture(scope="session", autouse=True)
def _databases(pytestconfig: pytest.Config) -> Iterator[None]:
    databases.choose(pytestconfig.getoption("--database"))
    with thrift.compiled_once(), thrift.one_list_of_authorities(), thrift.one_loop():
        yield
    databases.here().close()


@pytest.fixture(autouse=True)
def _databases_go_with_their_folder(_databases: None, tmp_path: Path) -> Iterator[None]:
    yield
    databases.here().drop_in(tmp_path)


@pytest.fixture(scope="session")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chain]":
    from tests.support.chain import Chain

    chain = Chain(tmp_path_factory.mktemp("chain"))
    yield chain
    chain.stop()


@pytest.fixture(scope="session")
def _template(_chain: "Chain", tmp_path_factory: pytest.TempPathFactory) -> "Template":
    from tests.support.stage import Stage

    return Stage(_chain, tmp_path_factory.mktemp("template")).as_template()


@pytest.fixture
def chain(_chain: "Chain", _template: "Template") -> "Iterator[Chain]":
    """A chain with our contracts and nothing else on it."""
    with _chain.undone():
        yield _chain


@pytest.fixture
def open_stage(chain: "Chain", _template: "Template", tmp_path: Path) -> "Iterator[StageFactory]":
    """Makes the test's hub with other settings."""
    from tests.support.stage import Stage

    stages: list[Stage] = []

    def make(**settings: Any) -> "Stage":
        stages.append(Stage(chain, tmp_path, databases.here().copy(_template.url, tmp_path), _template, **settings))
        stages[-1].catch_up()
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(open_stage: "StageFactory") -> "Stage":
    """A hub with nothing in its books yet."""
    return open_stage()


@pytest.fixture(scope="module")
def shared_stage(_chain: "Chain", _template: "Template", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stage]":
    """One hub for all tests of a module, for tests that leave nothing behind which another would mind."""
    from tests.support.stage import Stage

    folder = tmp_path_factory.mktemp("shared")
    with _chain.undone():
        stage = Stage(_chain, folder, databases.here().copy(_template.url, folder), _template)
        yield stage
        stage.close()


@pytest.fixture(scope="session")
def _live_hub(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LiveHub]":
    from tests.support.live import LiveHub

    hub = LiveHub(tmp_path_factory.mktemp("live"))
    yield hub
    hub.stop()


@pytest.fixture
def live_hub(_live_hub: "LiveHub") -> "Iterator[LiveHub]":
    """A hub that is served and works by itself, with payers, payments and a posted batch."""
    with _live_hub.at_work():
        yield _live_hub
