"""The same purchase in two sources: a payment that the hub knows and the line of a statement, or the lines of two statements. Pure.

Same kind, asset and amount, at most three days apart, and names that are alike. Each takes part once: two coffees at the hub and
two lines are two pairs, a third line stays what it is.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from taesan.insights.movements import Kind, Source

WINDOW = timedelta(days=3)
NAMELESS_WINDOW = timedelta(days=1)  # if one of them does not know who was paid, or names whoever stood between
MOST_LOOKS = 100_000  # of one amount: beyond, only equal names are looked at
KINDS: tuple[Kind, ...] = ("spent", "refunded", "fee")
_RANK: dict[Source, int] = {"hub": 0, "gateway": 1, "statement": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """:ivar account: of a statement's line; "" of what the hub knows itself. :ivar merchant: as `merchants.normalised` gives it"""

    id: int
    source: Source
    account: str
    kind: Kind
    asset: str
    amount: int
    day: date
    merchant: str


class Pair(NamedTuple):
    """Ids of entries: the first is left out of the sums."""

    duplicate: int
    original: int


def find(
    entries: Iterable[Entry],
    *,
    together: Collection[Pair] = (),
    apart: Collection[Pair] = (),
    taken: Collection[tuple[int, str]] = (),
    between: Collection[str] = (),
) -> list[Pair]:
    """Which entries are the same as others. What the hub knows itself stays, and of statements the line that came first.

    :param entries: none that is a duplicate already
    :param together: pairs of which the person has said that they are one; `apart`: that they are two
    :param taken: an entry's id and the account in which it has its duplicate already
    :param between: merchants' names that say nothing, as gateways' own
    """
    known = {entry.id: entry for entry in entries}
    said = [pair for pair in together if known.keys() >= {*pair}]
    twice = {pair.duplicate for pair in said}
    told = _Told(set(apart), {*taken, *((p.original, known[p.duplicate].account) for p in said)}, set(between))
    groups: dict[tuple[Kind, str, int], list[Entry]] = defaultdict(list)
    for entry in known.values():
        if entry.kind in KINDS and entry.id not in twice:
            groups[entry.kind, entry.asset, entry.amount].append(entry)
    found = [*said, *(pair for group in groups.values() for pair in _find(group, told))]
    return sorted(_in_order(pair, known) for pair in found)


def _in_order(pair: Pair, known: Mapping[int, Entry]) -> Pair:
    """Of two statements' lines the one that came first stays, whichever account was looked at first."""
    is_between_statements = {known[id_].source for id_ in pair} == {"statement"}
    return Pair(max(pair), min(pair)) if is_between_statements else pair


class _Told(NamedTuple):
    apart: set[Pair]
    taken: set[tuple[int, str]]
    between: set[str]


def _find(group: Sequence[Entry], told: _Told) -> list[Pair]:
    """Account by account, the oldest first, its lines meet what the hub knows, and what is left of other accounts."""
    pool = [entry for entry in group if entry.source != "statement"]
    accounts: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(group, key=lambda e: e.id):
        if entry.source == "statement":
            accounts[entry.account].append(entry)
    found: list[Pair] = []
    for account, lines in accounts.items():
        free = [entry for entry in pool if (entry.id, account) not in told.taken]
        pairs = _matched(lines, free, told)
        found += pairs
        twice = {pair.duplicate for pair in pairs}
        pool += [line for line in lines if line.id not in twice]
    return found


def _matched(lines: Sequence[Entry], others: Sequence[Entry], told: _Told) -> list[Pair]:
    """Nobody twice. Equal names come first: of those, each line in its order takes the earliest that it may, which makes as many
    pairs as there can be."""
    lines = sorted(lines, key=lambda e: (e.day, e.id))
    others = sorted(others, key=lambda e: (e.day, _RANK[e.source], e.id))
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for other in others:
        by_name[other.merchant].append(other)
    found: list[Pair] = []
    used: set[int] = set()

    def take(line: Entry, choice: list[Entry], is_same: Callable[[Entry, Entry], bool]) -> None:
        for index, other in enumerate(choice):
            pair = Pair(line.id, other.id)
            if other.id not in used and pair not in told.apart and is_same(line, other):
                found.append(pair)
                used.update(pair)
                del choice[index]
                return

    for line in lines:
        if line.merchant in by_name and line.merchant:
            take(line, by_name[line.merchant], lambda a, b: abs(a.day - b.day) <= WINDOW)
    left = [line for line in lines if line.id not in used]
    free = [other for other in others if other.id not in used]
    if len(left) * len(free) <= MOST_LOOKS:
        for line in left:
            take(line, free, lambda a, b: _is_probably_same(a, b, told.between))
    return found


def _is_probably_same(line: Entry, other: Entry, between: set[str]) -> bool:
    apart = abs(line.day - other.day)
    if {line.merchant, other.merchant}.isdisjoint({"", *between}):
        return apart <= WINDOW and alike(line.merchant, other.merchant)
    return apart <= NAMELESS_WINDOW and other.source != "statement"


def alike(a: str, b: str) -> bool:
    """Whether one name has all words of the other, or begins with it written together: `blue door` and `blue door coffee`."""
    short, long = sorted((a, b), key=len)
    if not short:
        return False
    if set(short.split()) <= set(long.split()):
        return True
    short, long = short.replace(" ", ""), long.replace(" ", "")
    return len(short.encode()) >= 5 and long.startswith(short)  # five letters, or two syllables of Hangul
