"""What a run is made of: a list of plain actions, drawn from a seed before anything has happened. So any part of a list is a
list, too, and means the same: what does not apply is passed over."""

from collections.abc import Callable
from random import Random
from typing import Any

DEPTH = 2
PAYERS, MERCHANTS = 3, 2
FLAWS = ("none", "none", "none", "repeated", "stale", "forged", "overdrawn")
LENGTH = 70

Action = tuple[Any, ...]
"""Its name, then plain values: a list of them can be written down and read again as JSON."""


def _payer(chance: Random) -> int:
    return chance.randrange(PAYERS)


def _payment(chance: Random) -> tuple[int, int, int]:
    """Payer, cents, and to whom: 0 is the jar."""
    return _payer(chance), chance.choice((1, 7, 30, 45, 60, 130, 499)), chance.randrange(1 + MERCHANTS)


def _bulk(chance: Random) -> list[tuple[Any, ...]]:
    return [(*_payment(chance), chance.choice(FLAWS)) for _ in range(chance.randint(2, 5))]


MENU: dict[str, tuple[int, Callable[[Random], Action]]] = {
    # people
    "deposit": (4, lambda c: (_payer(c), c.choice((2, 5, 20)), c.randrange(4))),
    "pay": (30, _payment),
    "bulk": (8, lambda c: (_bulk(c),)),
    "repeat": (4, lambda c: (c.randrange(6),)),
    "rule": (2, lambda c: (_payer(c), c.choice((None, 1, 3)), c.choice((1, 25, 100)))),
    "redeem": (5, lambda c: (_payer(c), c.randrange(MERCHANTS), c.choice((10, 50, 100)))),
    "payout": (7, lambda c: (c.randrange(MERCHANTS), c.choice((10, 50, 100)))),
    "announce": (1, lambda c: (_payer(c), c.choice((10, 100)))),
    "withdraw": (1, lambda c: (_payer(c),)),
    # the service and its chain
    "step": (12, lambda c: (c.randrange(100),)),
    "tick": (12, lambda c: ()),
    "shuffle": (4, lambda c: (c.randrange(1000),)),
    "mine": (12, lambda c: (c.randint(1, 3),)),
    "later": (7, lambda c: (c.choice((5, 20, 20, 61, 61, 300, 3_600, 86_400)),)),
    "round": (7, lambda c: ()),
    # faults
    "reorg": (6, lambda c: (c.randint(1, DEPTH), c.getrandbits(4))),
    "drop": (3, lambda c: (c.randrange(4),)),
    "away": (2, lambda c: ()),
    "back": (4, lambda c: ()),
    "lose answer": (4, lambda c: (c.randint(1, 2),)),
    "lose request": (2, lambda c: (c.randint(1, 2),)),
    "fee": (3, lambda c: (c.choice((1, 1, 30, 3_000)),)),
    "foreign": (1, lambda c: ()),
    "restart": (2, lambda c: ()),
    "crash": (6, lambda c: (c.randrange(5), c.randint(1, 12))),
    "overlap": (5, lambda c: (c.randint(1, 12),)),
}
FAULTS = (
    "reorg",
    "drop",
    "away",
    "lose answer",
    "lose request",
    "fee",
    "foreign",
    "restart",
    "crash",
    "overlap",
)
OPENING: list[Action] = [
    *(("deposit", payer, 20, 0) for payer in range(PAYERS)),
    ("round",),
]


def draw(seed: int, length: int = LENGTH) -> list[Action]:
    """The actions of a seed."""
    chance = Random(seed)
    names, weights = list(MENU), [weight for weight, _ in MENU.values()]
    drawn = chance.choices(names, weights, k=length)
    return OPENING + [(name, *MENU[name][1](chance)) for name in drawn]
