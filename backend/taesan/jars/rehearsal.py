"""What a rule would have done with purchases of the past. Pure; amounts in minor units of the reserve asset."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from taesan.core import days
from taesan.jars import accrual, reasons, sources
from taesan.jars.grammar import Words
from taesan.jars.sources import Perks


class Bought(NamedTuple):
    """A purchase."""

    at: datetime
    price: int
    merchant: str | None = None
    category: str | None = None


class Fired(NamedTuple):
    at: datetime
    amount: int
    reason: str


class Rehearsal(NamedTuple):
    """:ivar purchases: that the rule's filter takes. :ivar payments: of them those that would have brought something
    :ivar left: what would be in the jar at the end"""

    purchases: int
    payments: int
    gathered: int
    firings: list[Fired]
    left: int


def rehearse(
    words: Words, bought: Iterable[Bought], exponent: int, start: datetime, end: datetime, most: int, perks: Perks
) -> Rehearsal:
    """:param bought: between start and end, in their order. :param most: of one payment. :param perks: as if she had always had them"""
    taken, trigger = sources.NOTHING, sources.trigger(words.fires, exponent)
    due_at = words.fires.next_after(start)
    firings: list[Fired] = []
    purchases = payments = gathered = in_jar = count = 0

    def fire_by(now: datetime) -> None:
        nonlocal due_at, in_jar, count
        while due_at is not None and due_at <= now:
            if in_jar:
                firings.append(
                    Fired(due_at, in_jar, reasons.date(days.day_of(due_at, words.fires.time_zone).isoformat()))
                )
            in_jar = count = 0
            due_at = words.fires.next_after(due_at)

    for purchase in bought:
        fire_by(purchase.at)
        if not words.only.takes(purchase.merchant, purchase.category):
            continue
        purchases += 1
        taken = taken.on(days.day_of(purchase.at, words.fires.time_zone).isoformat())
        room = sources.left(words.gather, taken, exponent)
        by_tier = sources.multiplier(perks, purchase.merchant)
        amount = sources.within(sources.of_purchase(words.gather, purchase.price, exponent, by_tier), room, most)
        if not amount:
            continue
        taken = taken.plus(amount)
        payments, gathered, in_jar, count = payments + 1, gathered + amount, in_jar + amount, count + 1
        firing = accrual.decide(trigger, count, in_jar)
        if firing is not None:
            firings.append(Fired(purchase.at, firing.amount, firing.reason))
            in_jar, count = in_jar - firing.amount, 0
    fire_by(end)
    return Rehearsal(purchases, payments, gathered, firings, in_jar)
