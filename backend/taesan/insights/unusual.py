"""Which spending of a month is unusual, and by which payments. Pure; integers in minor units.

What is usual is the middle of the months before, and how far they commonly lie from it (median and median deviation), so that one odd
month makes neither. Unusual is what is beyond three times that, and half as much again as usual: of what never varies, a little more is
nothing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

LEAST_MONTHS = 3  # before, of which something is known
MOST_LOOKED_AT = 200  # payments before a refund, for one that it is a part of
_DEVIATIONS = (44_478, 10_000)  # three standard deviations, in median ones (1.4826 each)

Why = Literal["dearer", "more-often", "new"]


class Payment(NamedTuple):
    id: int
    day: date
    amount: int


class Unusual(NamedTuple):
    """:ivar usual: in a month. :ivar most: beyond which it is unusual; None: nothing of it is usual
    :ivar payments: the fewest without which it would not be, the largest first; if there are just more of them, the last ones"""

    why: Why
    total: int
    usual: int
    most: int | None
    payments: tuple[Payment, ...]


def kept(payments: Sequence[Payment], refunds: Sequence[Payment]) -> list[Payment]:
    """What was paid and not given back: a refund is of the last payment until then of the same amount, else of a larger one, of which the
    rest stays."""
    in_order = sorted(payments, key=lambda p: (p.day, p.id))
    days = [payment.day for payment in in_order]
    places: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(in_order):
        places[one.amount].append(place)
    left: list[Payment | None] = [*in_order]
    for refund in sorted(refunds, key=lambda p: (p.day, p.id)):
        until = bisect_right(days, refund.day)
        same = places[refund.amount]
        if n := bisect_right(same, until - 1):
            left[same.pop(n - 1)] = None
            continue
        for place in range(until - 1, max(-1, until - 1 - MOST_LOOKED_AT), -1):
            payment = left[place]
            if payment and payment.amount > refund.amount:
                places[payment.amount].remove(place)
                left[place] = payment._replace(amount=payment.amount - refund.amount)
                break
    return [payment for payment in left if payment]


def middle(values: Sequence[int]) -> int:
    """The median; of an even number, the lower of the two."""
    return sorted(values)[(len(values) - 1) // 2]


def most_usual(totals: Sequence[int]) -> int:
    """Beyond this a value is unusual beside these."""
    usual = middle(totals)
    deviation = middle([abs(total - usual) for total in totals])
    return usual + max(deviation * _DEVIATIONS[0] // _DEVIATIONS[1], usual // 2)


def unusual(payments: Sequence[Payment], before: Sequence[Sequence[int]]) -> Unusual | None:
    """Of one merchant or category. :param before: what was paid in each earlier month, the empty ones too; the last comes last"""
    if len(before) < LEAST_MONTHS or not any(before):
        return None
    totals, counts = [sum(month) for month in before], [len(month) for month in before]
    total, most = sum(p.amount for p in payments), most_usual(totals)
    if total <= most or total * 4 <= totals[-1] * 5:  # about as much as in the month before is news no more
        return None
    many = len(payments) > most_usual(counts)
    dearest = most_usual([amount for month in before for amount in month])
    if many and not any(p.amount > dearest for p in payments):
        order = sorted(payments, key=lambda p: (p.day, p.id), reverse=True)
        return Unusual("more-often", total, middle(totals), most, _causing(order, total - most))
    order = sorted(payments, key=lambda p: (-p.amount, p.id))
    return Unusual("dearer", total, middle(totals), most, _causing(order, total - most))


def new(payments: Sequence[Payment], others: Sequence[int], months: int) -> Unusual | None:
    """Of a merchant that was never paid before: unusual if it got more than merchants do. :param others: what a merchant got in a month, each
    of them that got something in one of so many earlier `months`"""
    total = sum(p.amount for p in payments)
    if months < LEAST_MONTHS or not others or total <= most_usual(others):
        return None
    return Unusual("new", total, 0, None, tuple(sorted(payments, key=lambda p: (-p.amount, p.id))))


def _causing(order: Sequence[Payment], excess: int) -> tuple[Payment, ...]:
    chosen: list[Payment] = []
    for payment in order:
        if excess <= 0:
            break
        chosen.append(payment)
        excess -= payment.amount
    return tuple(chosen)
