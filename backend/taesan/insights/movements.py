"""The one shape of what moves in a person's small money, whichever source it came from. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

Source = Literal["hub", "gateway", "statement"]
Kind = Literal["spent", "refunded", "gathered", "ungathered", "rewarded", "fee"]
"""`ungathered`: a gateway's refund has taken it out again. `rewarded`: cashback and the like, which was nobody's before and comes
as gift tokens."""

MAX_TEXT = 200  # characters
MAX_TOLD = 10**12
"""Minor units. What no book has, but a payer, a gateway or a statement tells of a purchase, is taken up to this: millions of lines
still add up to a 64-bit number."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a person's small money.

    :ivar key: unique within its source and kind: `pay_…`, `ref_…`, `gpay_…`, a statement line's own id
    :ivar day: of `at`, in the person's time zone
    :ivar merchant: the name that is the same in all sources, by which streams are told apart; "" if nobody knows
    :ivar name: as the source writes it
    :ivar category: "" if nobody knows
    :ivar asset: ISO-4217 code or CAIP-19; currencies are never converted into each other
    :ivar amount: minor units, more than zero: the kind tells the direction
    :raises ValueError: nothing moves, or a text is too long to be found by an index
    """

    key: str
    source: Source
    kind: Kind
    at: datetime
    day: date
    merchant: str
    name: str
    category: str
    asset: str
    exponent: int
    amount: int
    wallet: str | None = None

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError("a movement moves something")
        if max(map(len, (self.key, self.merchant, self.name, self.category, self.asset))) > MAX_TEXT:
            raise ValueError(f"a text has more than {MAX_TEXT} characters")


def month_of(day: date) -> date:
    """Its first day."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def months(since: date, until: date) -> Iterator[date]:
    """First days of the months that have a day in [since, until)."""
    first = month_of(since)
    while since < until and first < until:
        yield first
        first = next_month(first)
