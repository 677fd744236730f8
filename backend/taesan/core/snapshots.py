"""Copies of SQLite files: taken while others write, complete or not there at all."""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

PAGES_A_STEP = 2_000  # 8 MB
PATIENCE_S = 30
SIBLINGS = ("-wal", "-shm", "-journal")


class NotADatabase(Exception):
    """The file is no SQLite database, or a damaged one."""


class InUse(Exception):
    """Somebody has the database open."""


def path_of(url: str) -> Path:
    """The file of a `sqlite:///…` URL."""
    return Path(url.removeprefix("sqlite:///"))


@contextlib.contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """A path beside the target to write to, which becomes the target at the end: what is there is durable and complete.

    :raises FileExistsError: there is something at the target
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o600))  # it holds who paid whom
        yield part
        _sync(part)
        os.link(part, target)  # not a rename, which would overwrite what somebody has put there meanwhile
        part.unlink()
        _sync(target.parent)
    finally:
        for left in (part, *left_of(part)):
            left.unlink(missing_ok=True)


def left_of(path: Path) -> list[Path]:
    """The files that SQLite keeps beside a database, as far as they are there; it takes them for the next one's of that name."""
    siblings = (path.with_name(path.name + suffix) for suffix in SIBLINGS)
    return [sibling for sibling in siblings if sibling.exists()]


def copy(source: Path, target: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """One moment's state of a database, by SQLite's own backup, to a new file that needs no other beside it.

    Writers go on meanwhile. What they write stays in the write-ahead log until the copy is done.

    :param progress: is told pages copied, and pages in all
    :raises NotADatabase: the source is none
    """
    # Not read-only: SQLite reads a write-ahead log through a file beside it, which it may have to make.
    with _opened(source, "rw") as from_, _opened(target, "rwc") as to:
        try:
            # A transaction keeps the source as it is now. Without one each step would find a newer state and begin anew.
            from_.execute("BEGIN")
            from_.execute("SELECT count(*) FROM sqlite_master").fetchone()
            from_.backup(to, pages=PAGES_A_STEP, progress=lambda _, left, total: progress(total - left, total), sleep=0)
            to.execute("PRAGMA journal_mode=DELETE")  # one file
        except sqlite3.DatabaseError as error:
            raise NotADatabase(f"{source} cannot be copied: {error}") from error


def check(path: Path) -> None:
    """:raises NotADatabase: SQLite finds it damaged"""
    with _opened(path, "ro") as connection:
        try:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            found = error
    if found != "ok":
        raise NotADatabase(f"{path} is damaged: {found}")


def close_for_good(path: Path) -> None:
    """Puts all that is in the write-ahead log into the file, so that it can be moved.

    :raises InUse: another process has the database open, whether it works on it or not
    """
    with _opened(path, "rw", patience_s=1) as connection:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as error:
            raise InUse(f"{path} is in use: {error}") from error
    if mode != "delete":
        raise InUse(f"{path} is in use")


def set_aside(path: Path, aside: Path) -> None:
    """Renames a database that nobody has open, durably."""
    os.rename(path, aside)
    _sync(path.parent)


@contextlib.contextmanager
def _opened(path: Path, mode: str, patience_s: float = PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """:param mode: of the file: `ro`, `rw`, `rwc`"""
    try:
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=patience_s, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise NotADatabase(f"{path} cannot be opened: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def _sync(path: Path) -> None:
    """A file's content, or a folder's names, on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
