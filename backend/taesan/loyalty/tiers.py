"""Where a member stands in a programme: what she did in each period, and the tier that it carries. Pure.

A tier is reached at once, with the payment that makes it so. It is lost by one step, and with notice: when a period ends
and the last ones do not carry it any more, that is told; if the next does not mend it, the member is a step lower. What a
refund takes back is gone at once, with the tier that it alone had brought.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from taesan.core import days
from taesan.loyalty.cashback import WHOLE

Unit = Literal["week", "month"]
_MONDAY = date(1970, 1, 5)


@dataclass(frozen=True, slots=True)
class Tier:
    """What it asks for, all of it, within the programme's window; and its perks.

    :ivar count: payments. :ivar value: their sum, minor units. :ivar streak: periods in a row with a payment
    :ivar cashback: multiplies what campaigns give; `round_up` what a purchase's round-up adds. Ten-thousandths
    """

    name: str
    count: int | None = None
    value: int | None = None
    streak: int | None = None
    cashback: int = WHOLE
    round_up: int = WHOLE


class Ladder(NamedTuple):
    """:ivar tiers: from the lowest; level 0 is none of them. :ivar window: how many periods count together"""

    tiers: tuple[Tier, ...]
    window: int = 1

    @property
    def reach(self) -> int:
        """How many periods back anything matters."""
        return max([self.window, *(tier.streak or 0 for tier in self.tiers)])

    def at(self, level: int) -> Tier:
        return self.tiers[level - 1] if level else Tier("")


@dataclass(frozen=True, slots=True)
class Measure:
    """Of one period."""

    count: int = 0
    value: int = 0


class Change(NamedTuple):
    """:ivar kind: up, notice, kept (the notice is void), down or refunded"""

    period: int
    kind: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Progress:
    count: int
    value: int
    streak: int


@dataclass
class Standing:
    """:ivar looked: the period that it has been judged for. :ivar noticed: the one in which the loss of a step was told"""

    looked: int
    tier: int = 0
    noticed: int | None = None
    measures: dict[int, Measure] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def pay(self, ladder: Ladder, period: int, value: int) -> None:
        """:param period: of the payment's own time, where its refund finds it. It may be over: intakes' clocks differ a little"""
        self.advance(ladder, period)
        was = self.measures.get(period, Measure())
        self.measures[period] = Measure(was.count + 1, was.value + value)
        reached = level(ladder, self.measures, self.looked)
        if reached > self.tier:
            self._move("up", reached)
            self.noticed = None
        elif reached == self.tier:
            self._forget_notice()

    def take_back(self, ladder: Ladder, period: int, of: int, value: int, *, whole: bool) -> None:
        """:param of: the period that the refunded payment was counted in. :param whole: nothing is left of it"""
        self.advance(ladder, period)
        carried = level(ladder, self.measures, self.looked)
        was = self.measures.get(of, Measure())
        self.measures[of] = Measure(was.count - whole, was.value - value)
        left = level(ladder, self.measures, self.looked)
        # A tier that is kept by grace alone was not this payment's.
        if self.tier <= carried and left < self.tier:
            self._move("refunded", left)

    def advance(self, ladder: Ladder, period: int) -> None:
        """Judges each period that has ended since."""
        self.tier = min(self.tier, len(ladder.tiers))
        while self.looked < period:
            if not self.tier:
                self.looked, self.noticed = period, None
                return
            ended, self.looked = self.looked, self.looked + 1
            if level(ladder, self.measures, ended, is_over=True) >= self.tier:
                self._forget_notice()
            elif self.noticed is None:
                self.noticed = self.looked
                self.changes.append(Change(self.looked, "notice", self.tier, self.tier - 1))
            else:
                self.noticed = None
                self._move("down", self.tier - 1)

    def _move(self, kind: str, to: int) -> None:
        self.changes.append(Change(self.looked, kind, self.tier, to))
        self.tier = to

    def _forget_notice(self) -> None:
        if self.noticed is not None:
            self.noticed = None
            self.changes.append(Change(self.looked, "kept", self.tier, self.tier))


def progress(ladder: Ladder, measures: Mapping[int, Measure], period: int, *, is_over: bool = False) -> Progress:
    """What counts in a period. :param is_over: else a streak is not broken yet by the period's having no payment so far"""
    counted = [measures.get(period - n, Measure()) for n in range(ladder.window)]
    last = period if is_over or measures.get(period, Measure()).count else period - 1
    streak = 0
    while measures.get(last - streak, Measure()).count > 0:
        streak += 1
    return Progress(sum(m.count for m in counted), sum(m.value for m in counted), streak)


def level(ladder: Ladder, measures: Mapping[int, Measure], period: int, *, is_over: bool = False) -> int:
    """The highest tier that the measures carry; 0 for none."""
    done = progress(ladder, measures, period, is_over=is_over)
    return max((n for n, tier in enumerate(ladder.tiers, start=1) if _is_met(tier, done)), default=0)


def _is_met(tier: Tier, done: Progress) -> bool:
    wanted = ((tier.count, done.count), (tier.value, done.value), (tier.streak, done.streak))
    return all(least is None or least <= found for least, found in wanted)


# -------------------------------------------------------------------- periods


def period_of(at: datetime, unit: Unit, zone: ZoneInfo) -> int:
    """The number of the week or month that a moment is in, by the programme's clock."""
    day = days.day_of(at, zone)
    return (day - _MONDAY).days // 7 if unit == "week" else day.year * 12 + day.month - 1


def begins_at(period: int, unit: Unit, zone: ZoneInfo) -> datetime:
    """Its first midnight, in UTC."""
    day = _MONDAY + timedelta(weeks=period) if unit == "week" else date(period // 12, period % 12 + 1, 1)
    return days.begins_at(day, zone)
