"""Which statements a test has the service execute, so that PostgreSQL may be shown each of them by few tests (`fewest`), and
whether two transactions were ever open at once: there databases differ most."""

import functools
import hashlib
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.pool import Pool

_TESTS = str(Path(__file__).parents[1])
_SERVICE = str(Path(_TESTS).parent / "backend" / "taesan")
_TRANSACTIONS = str(Path(_SERVICE) / "core" / "db.py")  # the service's, and those that a test opens
_LISTS = re.compile(r"\(\?(, ?\?)*\)(, ?\(\?(, ?\?)*\))*")  # as long as rows or values happened to be many

_UPDATE = re.compile(r"(UPDATE \w+ SET )(.*?)( WHERE .*)", re.DOTALL)
_INSERT = re.compile(r"(INSERT INTO \w+ )\(([^()]*)\)(.*)", re.DOTALL)
_NEXT_SET = re.compile(r', (?="?\w+"?=)')

_executed: Counter[str] = Counter()
_in_use: Counter[str] = Counter()  # connections: now, and most since `forget`


def forget() -> None:
    _executed.clear()
    _in_use["most"] = _in_use["now"]


def noted() -> tuple[int, list[str]]:
    """Since `forget`: how many, and a short name of each that differs from the others, and of each error of one."""
    return _executed.total(), sorted({name for told in _executed for name in names(told)})


@functools.cache
def names(statement: str) -> frozenset[str]:
    """Of what writes into some of a table's columns one for each: which of them changed together is no difference to a database."""
    parts = [_LISTS.sub("(?)", statement)]
    if written := _UPDATE.fullmatch(parts[0]):
        table, columns, rest = written.groups()
        parts = [table + column + rest for column in _NEXT_SET.split(columns)]
    elif written := _INSERT.fullmatch(parts[0]):
        table, columns, rest = written.groups()
        parts = [table + rest, *(table + column for column in columns.split(", "))]
    return frozenset(hashlib.blake2b(part.encode(), digest_size=8).hexdigest() for part in parts)


def were_at_once() -> bool:
    return _in_use["most"] > 1


@event.listens_for(Engine, "before_cursor_execute")
def _note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    if statement in _executed or _is_asked_by_the_service():
        _executed[statement] += 1


@event.listens_for(Engine, "handle_error")
def _note_error(context: ExceptionContext) -> None:
    if context.statement in _executed:
        _executed[f"{context.statement} ! {type(context.original_exception).__name__}"] += 1


@event.listens_for(Pool, "checkout")
def _note_begin(*_: Any) -> None:
    _in_use["now"] += 1
    _in_use["most"] = max(_in_use.values())


@event.listens_for(Pool, "checkin")
def _note_end(*_: Any) -> None:
    _in_use["now"] -= 1


def _is_asked_by_the_service() -> bool:
    """Rather than by a test, by hand."""
    frame = sys._getframe(2)
    while frame := frame.f_back:  # type: ignore[assignment]
        file = frame.f_code.co_filename
        if file.startswith(_SERVICE) and file != _TRANSACTIONS:
            return True
        if file.startswith(_TESTS):
            return False
    return False
