"""Splits what a rule has fired over its destinations, to the last unit. Pure.

Units are dealt out one by one, in an order that repeats itself: by each, whoever is furthest behind its share gets the next.
So what a destination has got in all depends on how much was fired in all, and not on how often, or in which pieces: a firing
gets the difference. To split each firing by itself would round each by itself, and the order of events would show.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import gcd

WHOLE = 10_000  # shares are ten-thousandths
COARSE = 10  # of which a rule's are multiples: an order has a thousand steps at most, and takes milliseconds


def totals(fired: int, shares: Sequence[int]) -> list[int]:
    """What each destination has got when so much was fired in all, minor units. Never a unit or more away from its share.

    :raises ValueError: the shares are not ten-thousandths of one whole
    """
    if fired < 0 or not shares or min(shares) <= 0 or sum(shares) != WHOLE:
        raise ValueError("shares are positive ten-thousandths that add up to one whole")
    order = _order(tuple(shares))
    rounds, rest = divmod(fired, len(order) - 1)
    return [rounds * whole + part for whole, part in zip(order[-1], order[rest], strict=True)]


def parts(before: int, amount: int, shares: Sequence[int]) -> list[int]:
    """How a firing is split; adds up to its amount.

    :param before: what the rule had fired in all before it. :param amount: minor units
    """
    return [
        after - earlier for after, earlier in zip(totals(before + amount, shares), totals(before, shares), strict=True)
    ]


@lru_cache(256)
def _order(shares: tuple[int, ...]) -> list[tuple[int, ...]]:
    """What each has got after 0, 1, 2, … units of a round."""
    common = gcd(*shares)
    weights = [share // common for share in shares]
    got, length = [0] * len(weights), sum(weights)
    order = [tuple(got)]
    for dealt in range(1, length + 1):
        # Among those for whom one more is not too much, whoever has the least for its weight (Balinski and Young's quota method).
        first = -1
        for i, weight in enumerate(weights):
            has_room = got[i] * length < weight * dealt
            if has_room and (first < 0 or (got[i] + 1) * weights[first] < (got[first] + 1) * weight):
                first = i
        got[first] += 1
        order.append(tuple(got))
    return order
