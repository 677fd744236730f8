"""What is easily overlooked about standing costs: the same twice, a price that has risen, a trial that went on. Pure."""

from collections.abc import Sequence
from datetime import date
from itertools import combinations
from typing import Literal, NamedTuple

Why = Literal["merchant", "category"]


class Standing(NamedTuple):
    """A standing cost as it is known. :ivar category: "" if nobody knows. :ivar is_over: nothing is expected any more"""

    id: str
    merchant: str
    category: str
    asset: str
    first: date
    last: date
    price: int
    yearly: int
    was: int | None
    is_over: bool


class Double(NamedTuple):
    """:ivar yearly: what the cheaper of the two costs, if they are of one currency; else None"""

    ids: tuple[str, str]
    why: Why
    yearly: int | None


def rise(of: Standing) -> int | None:
    """How much more it costs in a year since its price has risen; None if it has not."""
    if of.was is None or of.was >= of.price:
        return None
    return of.yearly * (of.price - of.was) // of.price


def doubles(standing: Sequence[Standing]) -> list[Double]:
    """Pairs that go on at once, at one merchant, or of one category that somebody has named."""
    going_on = [one for one in standing if not one.is_over]
    return [
        Double((a.id, b.id), why, min(a.yearly, b.yearly) if a.asset == b.asset else None)
        for a, b in combinations(going_on, 2)
        if (why := _why(a, b)) is not None and a.first <= b.last and b.first <= a.last
    ]


def _why(a: Standing, b: Standing) -> Why | None:
    if a.merchant == b.merchant:
        return "merchant"
    return "category" if a.category and a.category == b.category else None
