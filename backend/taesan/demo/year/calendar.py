"""The calendar: what happens besides purchases, and on which days of which months."""

from collections.abc import Awaitable, Callable
from datetime import date

from taesan.demo.year import happenings, shopkeeping
from taesan.demo.year.scene import Scene

SUNDAY, FORTNIGHT = 6, 14

Happening = Callable[[Scene], Awaitable[None]]

RULES_FIRE_ON, RULES_FIRE_THE = (0,), (1, 15)
"""Days of the week, and of the month, on which rules of `people` fire by date: the worker has to be at work then."""


def _deposit(story: Scene) -> Awaitable[None]:
    return story.deposit(story.month)


# Day of the month → (every so many months, from which of these on, what happens). Months are counted from 0.
CALENDAR: dict[int, tuple[tuple[int, int, Happening], ...]] = {
    1: ((6, 0, _deposit),),
    2: ((3, 2, shopkeeping.pay_out), (6, 1, shopkeeping.start_campaigns)),
    6: ((1, 1, shopkeeping.refund), (3, 1, happenings.say_so), (1, 2, happenings.put_cashback_by)),
    8: ((1, 0, happenings.price_moves), (3, 2, happenings.sponsor_savings)),
    12: ((3, 2, happenings.begin_drip), (3, 0, happenings.spend)),
    14: ((4, 1, happenings.give_links), (12, 6, happenings.pause), (12, 8, happenings.resume)),
    16: ((1, 1, happenings.send), (12, 0, happenings.cancel)),
    20: ((4, 1, happenings.claim_links), (4, 2, happenings.take_links_back)),
}


def of(day: date, month: int) -> list[Happening]:
    """What happens on a day. :param month: of the story"""
    listed = CALENDAR.get(day.day, ())
    return [happening for every, first, happening in listed if month and month % every == first % every]


def is_settled_on(day: date) -> bool:
    """The evening of every other Sunday. A hub would rather settle each hour, or each day."""
    return day.weekday() == SUNDAY and day.isocalendar().week % 2 == 0


def is_eve_of_shock(day: date, month: int) -> bool:
    """Whether ether's price jumps on this evening, just before the hub buys some: thrice a year."""
    return month % 4 == 3 and day.day <= FORTNIGHT
