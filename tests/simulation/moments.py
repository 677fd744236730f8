"""The moments at which something can come between: before and after each answer of the node, each transaction of the database
and its commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlmodel import Session

from taesan.core.db import Database

ASK, ANSWERED = "ask", "answered"
WRITE, COMMIT, COMMITTED = "write", "commit", "committed"
KINDS = (ASK, ANSWERED, WRITE, COMMIT, COMMITTED)
OUTSIDE = (ASK, ANSWERED, WRITE, COMMITTED)
"""Those at which no transaction is open: another worker can come between."""


class Crash(BaseException):
    """The process is gone at this moment. Not an `Exception`, for nothing in the service may survive it."""


class Violation(BaseException):
    """A promise is broken. Not an `Exception` either, for the worker would write it down and go on."""


class Moments:
    """:ivar is_writing: a transaction is open, for which all other writers wait"""

    def __init__(self) -> None:
        self.is_writing = False
        self._armed: tuple[tuple[str, ...], int, Callable[[], None]] | None = None

    def arm(self, kinds: tuple[str, ...], count: int, do: Callable[[], None]) -> None:
        """Does something once, at the `count`-th such moment from now. What was armed before is not done any more."""
        self._armed = (kinds, max(count, 1), do)

    def disarm(self) -> None:
        self._armed = None

    def come(self, kind: str) -> None:
        if self._armed is None or kind not in self._armed[0]:
            return
        kinds, count, do = self._armed
        self._armed = (kinds, count - 1, do) if count > 1 else None
        if count <= 1:
            do()


class WatchedDatabase(Database):
    """The real one, whose moments are told. Its schema is there: the file is a copy of a migrated one."""

    moments: Moments

    def migrate(self) -> None: ...

    @contextmanager
    def write(self) -> Iterator[Session]:
        yield from self._watched(super().write)

    @contextmanager
    def take_in(self) -> Iterator[Session]:
        yield from self._watched(super().take_in)

    def _watched(self, begin: Callable[[], object]) -> Iterator[Session]:
        self.moments.come(WRITE)
        with begin() as session:  # type: ignore[attr-defined]
            self.moments.is_writing = True
            try:
                yield session
                self.moments.come(COMMIT)
            finally:
                self.moments.is_writing = False
        self.moments.come(COMMITTED)
