"""How much a rule gathers of a purchase, and whether its jar fires. Pure; amounts in minor units of the reserve asset, unless
they are `Money`."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from taesan.jars import accrual, reasons
from taesan.jars.grammar import ALL_OF_IT, CURRENCIES, Fires, Gather, Money, Only

Rule = TypeVar("Rule")


Perks = Mapping[str, int]
"""By programme (a merchant's id, or `HUB`): what a payer's tier there multiplies round-ups by, in ten-thousandths."""
HUB = "hub"


class Taken(NamedTuple):
    """What a rule has gathered on a day of its time zone, and in that day's month, with that day.

    :ivar day: as ISO 8601 has it
    """

    day: str
    of_day: int
    of_month: int

    def on(self, day: str) -> "Taken":
        """The same on a later day. An earlier one is a clock's that is behind: that day's caps are not begun anew."""
        if day <= self.day:
            return self
        return Taken(day, 0, self.of_month if day[:7] == self.day[:7] else 0)

    def plus(self, amount: int) -> "Taken":
        return Taken(self.day, self.of_day + amount, self.of_month + amount)


NOTHING = Taken("", 0, 0)


def in_units(money: Money, exponent: int) -> int | None:
    """In the asset's minor units; None if that is no whole number. :param exponent: the asset's"""
    return accrual.rescale(money.value, CURRENCIES[money.currency], exponent)


def multiplier(perks: Perks, merchant: str | None) -> int:
    """Of a purchase: by the tier at the hub, or at the merchant that it names, whichever is more."""
    return max(ALL_OF_IT, perks.get(HUB, ALL_OF_IT), perks.get(merchant or HUB, ALL_OF_IT))


def in_money(amount: int, currency: str, exponent: int) -> Money:
    """Minor units of the asset as people read them, rounded down. :param currency: that the asset stands for"""
    return Money(amount * 10 ** CURRENCIES[currency] // 10**exponent, currency)


def of_purchase(gather: Gather, price: int, exponent: int, by_tier: int = ALL_OF_IT) -> int:
    """What is to be gathered of a purchase, caps aside; a share of it is rounded down. The rule's amounts are whole numbers of the
    asset's minor units.

    :param by_tier: as `multiplier` tells it. It counts only for a rule that says so, and as far as that says
    """
    amount = 0
    if gather.step is not None:
        times = gather.times * ALL_OF_IT
        if gather.most_times is not None:
            times = min(gather.times * by_tier, gather.most_times * ALL_OF_IT)
        amount += accrual.round_up(price, in_units(gather.step, exponent) or 1) * times // ALL_OF_IT
    if gather.share is not None:
        amount += price * gather.share // ALL_OF_IT
    if gather.fixed is not None:
        amount += in_units(gather.fixed, exponent) or 0
    return amount


def left(gather: Gather, taken: Taken, exponent: int) -> int | None:
    """How much more may be gathered on this day; None: as much as there is."""
    rooms = [
        max(0, (in_units(cap, exponent) or 0) - so_far)
        for cap, so_far in ((gather.per_day, taken.of_day), (gather.per_month, taken.of_month))
        if cap is not None
    ]
    return min(rooms) if rooms else None


def within(amount: int, room: int | None, most: int) -> int:
    """What of it is gathered. :param room: as `left` tells it. :param most: of one payment"""
    return min(amount, most) if room is None else min(amount, most, room)


def why_less(amount: int, room: int | None, most: int) -> str | None:
    """Why not all of it is gathered (see `reasons`); None: it is."""
    taken = within(amount, room, most)
    if taken == amount:
        return None
    return reasons.cut("payment-cap" if taken == most else "rule-cap", taken, amount)


def trigger(fires: Fires, exponent: int) -> accrual.Rule:
    """What fires with a payment."""
    value = None if fires.value is None else in_units(fires.value, exponent)
    return accrual.Rule(fires.count, value)


def choose(rules: Iterable[tuple[Only, Rule]], merchant: str | None, category: str | None) -> Rule | None:
    """Which of the rules that gather of purchases gathers of this one: the one that demands the most, and of equals the oldest.

    :param rules: the oldest first
    """
    taking = [(only.rank, rule) for only, rule in rules if only.takes(merchant, category)]
    return max(taking, key=lambda ranked: ranked[0])[1] if taking else None
