"""A statement's lines, what is wrong with a file, and how large one may be. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from typing import Literal, NamedTuple

from taesan.core.reasons import written
from taesan.core.values import canonical_json
from taesan.insights.movements import MAX_TEXT

MAX_FILE_BYTES = 1_000_000
MAX_LINES = 5_000  # of a statement: they are stored in one transaction, which others wait for
MAX_FIELD = 1_000  # characters
MAX_FAULTS = 20  # that are told of one file

Kind = Literal["spent", "refunded", "fee"]


class Reason(str):
    """Why a line counts for nothing: a code of `reasons.TITLES`."""

    __slots__ = ()


INCOMING = Reason("incoming")
TRANSFER = Reason("transfer")
CARD_BILL = Reason("card-bill")
CANCELLED = Reason("cancelled")
UNBOOKED = Reason("unbooked")
NOTHING = Reason("nothing")
NOTE = Reason("note")
CORRECTION = Reason("correction")
SKIP_WORD = Reason("skip-word")


class Fault(NamedTuple):
    """:ivar reason: a code of `reasons.TITLES` with its values, as `written`"""

    line: int
    reason: str


class Unreadable(ValueError):
    """The file is not imported, not even in part."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(f"line {faults[0].line}: {faults[0].reason}")
        self.faults = faults[:MAX_FAULTS]


@dataclass(frozen=True, slots=True)
class Line:
    """:ivar number: in the file, from 1. :ivar at: as it is written there; `offset`: of that clock from UTC, if it is told
    :ivar amount: minor units, above zero. :ivar identity: what the same line has in every file; `key`: made of it by `identified`
    """

    number: int
    day: date
    kind: Kind
    name: str
    currency: str
    exponent: int
    amount: int
    at: time | None = None
    offset: timedelta | None = None
    category: str = ""
    identity: tuple[str, ...] = ()
    key: str = ""


class Skipped(NamedTuple):
    line: int
    reason: Reason


class Contents(NamedTuple):
    """What a file holds."""

    lines: list[Line]
    skipped: list[Skipped]


def account_of(*told: str) -> str:
    """A short name for an account, from which nobody reads its number."""
    return _digest(told, 12)


def account_in(key: str) -> str:
    """Which account a line is of, by its key."""
    return key.partition(":")[0]


def identified(account: str, lines: Iterable[Line]) -> list[Line]:
    """Gives each line a key that it has in every file of the account that it stands in.

    Lines with the same identity are counted in their order: two coffees on one day are two, in each file that has both.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for line in lines:
        ordinal = seen[line.identity]
        seen[line.identity] += 1
        found.append(replace(line, key=f"{account}:{_digest((*line.identity, str(ordinal)), 32)}"))
    return found


def check_size(numbers: Sequence[int]) -> None:
    """:param numbers: of a statement's lines in the file
    :raises Unreadable: more lines than one file may have; told with the first that is too many"""
    if len(numbers) > MAX_LINES:
        raise Unreadable(Fault(numbers[MAX_LINES], written("too-many-lines", most=MAX_LINES)))


def shown(text: str) -> str:
    """As much of what stands in a file as a person needs to find it."""
    clean = "".join(c if c.isprintable() else "�" for c in text)
    return clean if len(clean) <= 40 else clean[:39] + "…"


def cleaned(name: str) -> str:
    """A name without line breaks and invisible signs."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:MAX_TEXT]


def _digest(parts: Sequence[str], digits: int) -> str:
    return hashlib.sha256(canonical_json(list(parts)).encode()).hexdigest()[:digits]
