"""The table of faults: each a function of a world, under a name."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.world import World

Strike = Callable[[World], None]
"""Does the harm, tells the world when it has come true (`struck`), and returns when what was broken is whole again."""


@dataclass(frozen=True)
class Fault:
    """:ivar name: of its row in the table, which several may share. :ivar detail: which of them
    :ivar times: how often it is done, each time with recovery and judgement. :ivar database: what it needs"""

    name: str
    strike: Strike
    detail: str = ""
    times: int = 1
    database: str = "sqlite"

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


FAULTS: list[Fault] = []


def fault(name: str, *, times: int = 1, database: str = "sqlite") -> Callable[[Strike], Strike]:
    def add(strike: Strike) -> Strike:
        FAULTS.append(Fault(name, strike, "", times, database))
        return strike

    return add
