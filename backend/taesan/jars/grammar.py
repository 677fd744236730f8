"""The words of a rule: what gathers, when it fires, which purchases count. Pure.

These words are what a payer signs and what her wallet shows her, so there is one way to say each thing: what is parsed must
be just what `str` prints.

    gather  round up to 0.50 USD x2 to x5 by tier, 3.5% of the price, fixed 0.10 USD, cashback, top-ups, at most 5 USD a day
    fires   every 100 payments, every 5 USD, weekly on monday at Asia/Seoul, when I say so
    only    merchant mer_6f0c2a9b1d3e4f5061728394, category coffee, category 커피
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from taesan.core import days

MAX_TEXT = 400  # characters of each of the three
CURRENCIES = {"USD": 2, "KRW": 0}
"""Their exponents."""
STEPS = {"USD": (10, 50, 100), "KRW": (100, 500, 1_000)}
"""What is rounded up to, minor units."""
MOST_TIMES = 10
MOST_PAYMENTS = 100_000
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALL_OF_IT = 10_000  # ten-thousandths

T = TypeVar("T")

_MONEY = re.compile(r"([0-9]+)(?:\.([0-9]+))? ([A-Z]{3})")
_ROUND_UP = re.compile(r"round up to (.+?)(?: x([0-9]{1,2}))?(?: to x([0-9]{1,2}) by tier)?")
_MERCHANT = re.compile(r"mer_[0-9a-z]{1,76}")
_CATEGORY = re.compile(r"[^\W_](?:(?:[^\W_]|[ .&+/·-]){0,30}[^\W_])?")


class NotARule(ValueError):
    """These words are not a rule's."""


class Money(NamedTuple):
    """:ivar value: minor units of the currency"""

    value: int
    currency: str

    def __str__(self) -> str:
        whole, rest = divmod(self.value, 10 ** CURRENCIES[self.currency])
        decimals = f".{rest:0{CURRENCIES[self.currency]}d}" if rest else ""
        return f"{whole}{decimals} {self.currency}"


@dataclass(frozen=True)
class Gather:
    """What of each purchase, and what else, goes into the jar. What is None does not.

    :ivar step: purchases are rounded up to its next multiple, and that so many `times`. :ivar most_times: as many as a tier may make of
        `times`; None: tiers change nothing. :ivar share: of the price, in ten-thousandths
    :ivar inflows: `cashback`, `top-ups`: what the payer puts in besides; `gateway`: what gateways convert for her
    :ivar per_day, per_month: the most that is gathered; what is over stays with the payer
    """

    step: Money | None = None
    times: int = 1
    share: int | None = None
    fixed: Money | None = None
    inflows: tuple[str, ...] = ()
    per_day: Money | None = None
    per_month: Money | None = None
    most_times: int | None = None

    @property
    def of_purchases(self) -> bool:
        return not (self.step is None and self.share is None and self.fixed is None)

    @property
    def of_gateways(self) -> bool:
        return GATEWAY in self.inflows

    @property
    def amounts(self) -> tuple[Money, ...]:
        return tuple(m for m in (self.step, self.fixed, self.per_day, self.per_month) if m is not None)

    def __str__(self) -> str:
        parts = []
        if self.step is not None:
            parts.append(f"round up to {self.step}{self._so_many_times}")
        if self.share is not None:
            parts.append(f"{_percent(self.share)}% of the price")
        if self.fixed is not None:
            parts.append(f"fixed {self.fixed}")
        parts += self.inflows
        parts += [f"at most {cap} a {period}" for cap, period in self._caps if cap is not None]
        return ", ".join(parts)

    @property
    def _so_many_times(self) -> str:
        if self.most_times is not None:
            return f" x{self.times} to x{self.most_times} by tier"
        return f" x{self.times}" if self.times > 1 else ""

    @property
    def _caps(self) -> tuple[tuple[Money | None, str], ...]:
        return ((self.per_day, "day"), (self.per_month, "month"))


@dataclass(frozen=True)
class Fires:
    """When the jar fires: whichever comes first. On a date, and when the payer says so, with all that is in it.

    :ivar weekday: Monday is 0. :ivar zone: whose midnight it is, and whose days the caps are of
    """

    count: int | None = None
    value: Money | None = None
    weekday: int | None = None
    day_of_month: int | None = None
    zone: str = "UTC"
    on_request: bool = False

    @property
    def on_date(self) -> bool:
        return self.weekday is not None or self.day_of_month is not None

    @cached_property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def next_after(self, now: datetime) -> datetime | None:
        """When it fires by itself; None: it does not."""
        if self.day_of_month is not None:
            return days.next_of_month(now, self.time_zone, self.day_of_month)
        return None if self.weekday is None else days.next_due(now, self.time_zone, self.weekday)

    def __str__(self) -> str:
        parts = []
        if self.count is not None:
            parts.append(f"every {self.count} payments")
        if self.value is not None:
            parts.append(f"every {self.value}")
        if self.weekday is not None:
            parts.append(f"weekly on {WEEKDAYS[self.weekday]} at {self.zone}")
        if self.day_of_month is not None:
            parts.append(f"monthly on day {self.day_of_month} at {self.zone}")
        if self.on_request:
            parts.append(ON_REQUEST)
        return ", ".join(parts)


@dataclass(frozen=True)
class Only:
    """Which purchases count: all, if it names nothing; else those of one of the merchants, and of one of the categories."""

    merchants: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def takes(self, merchant: str | None, category: str | None) -> bool:
        return (not self.merchants or merchant in self.merchants) and (
            not self.categories or category in self.categories
        )

    @property
    def rank(self) -> tuple[bool, bool]:
        """The greater, the more it demands: of the rules that take a purchase the greatest gathers."""
        return bool(self.merchants), bool(self.categories)

    def __str__(self) -> str:
        return ", ".join([*(f"merchant {m}" for m in self.merchants), *(f"category {c}" for c in self.categories)])


class Words(NamedTuple):
    """All of a rule's."""

    gather: Gather
    fires: Fires
    only: Only


_SOURCES = "say `round up to 1 USD`, `3.5% of the price`, `fixed 0.10 USD`, `cashback`, `top-ups`, `gateway` or `at most 5 USD a day`"
_TIMES = "say `every 100 payments`, `every 5 USD`, `weekly on monday at Asia/Seoul`, `monthly on day 1 at Asia/Seoul` or `when I say so`"
_PURCHASES = "say `merchant mer_…`, or `category coffee` with at most 32 letters, digits, and single spaces or .&+/·- between them"

CASHBACK, GATEWAY = "cashback", "gateway"
INFLOWS = (CASHBACK, "top-ups", GATEWAY)
ON_REQUEST = "when I say so"


# ------------------------------------------------------------------- parsing


def _read_gather(text: str) -> Gather:
    found: dict[str, object] = {}
    inflows = []
    for part in text.split(", "):
        if part in INFLOWS:
            inflows.append(part)
        elif match := _ROUND_UP.fullmatch(part):
            most_times = int(match[3]) if match[3] else None
            _once(found, step=_money(match[1]), times=int(match[2] or 1), most_times=most_times)
        elif match := re.fullmatch(r"([0-9.]+)% of the price", part):
            _once(found, share=_share(match[1]))
        elif match := re.fullmatch(r"fixed (.+)", part):
            _once(found, fixed=_money(match[1]))
        elif match := re.fullmatch(r"at most (.+) a (day|month)", part):
            _once(found, **{f"per_{match[2]}": _money(match[1])})
        else:
            raise NotARule(f"{part!r} gathers nothing: {_SOURCES}")
    return Gather(**found, inflows=tuple(inflows))  # type: ignore[arg-type]


def _read_fires(text: str) -> Fires:
    found: dict[str, object] = {}
    for part in text.split(", "):
        if part == ON_REQUEST:
            _once(found, on_request=True)
        elif match := re.fullmatch(r"every ([0-9]{1,6}) payments", part):
            _once(found, count=int(match[1]))
        elif match := re.fullmatch(r"every (.+)", part):
            _once(found, value=_money(match[1]))
        elif match := re.fullmatch(r"weekly on ([a-z]+) at (.+)", part):
            _once(found, weekday=_weekday(match[1]), zone=match[2])
        elif match := re.fullmatch(r"monthly on day ([0-9]{1,2}) at (.+)", part):
            _once(found, day_of_month=int(match[1]), zone=match[2])
        else:
            raise NotARule(f"{part!r} is no time to fire: {_TIMES}")
    return Fires(**found)  # type: ignore[arg-type]


def _read_only(text: str) -> Only:
    merchants: list[str] = []
    categories: list[str] = []
    for part in text.split(", ") if text else ():
        kind, _, name = part.partition(" ")
        if name in (merchants if kind == "merchant" else categories):
            raise NotARule(f"{part!r} is said twice")
        if kind == "merchant" and _MERCHANT.fullmatch(name):
            merchants.append(name)
        elif kind == "category" and _is_category(name):
            categories.append(name)
        else:
            raise NotARule(f"{part!r} names no purchases: {_PURCHASES}")
    return Only(tuple(merchants), tuple(categories))


def _is_category(name: str) -> bool:
    """One way to write it: composed letters, and single spaces inside."""
    return bool(_CATEGORY.fullmatch(name)) and "  " not in name and unicodedata.is_normalized("NFC", name)


def _checked_gather(gather: Gather) -> None:
    if not (gather.of_purchases or gather.inflows):
        raise NotARule("nothing gathers")
    if gather.step is not None and gather.step.value not in STEPS[gather.step.currency]:
        steps = ", ".join(str(Money(step, gather.step.currency)) for step in STEPS[gather.step.currency])
        raise NotARule(f"purchases are rounded up to {steps}")
    if not 1 <= gather.times <= MOST_TIMES:
        raise NotARule(f"a round-up is taken 1 to {MOST_TIMES} times")
    if gather.most_times is not None and not gather.times < gather.most_times <= MOST_TIMES:
        raise NotARule(f"a tier takes a round-up more often than its rule alone, and at most {MOST_TIMES} times")
    if gather.share is not None and not 0 < gather.share <= ALL_OF_IT:
        raise NotARule("a share of the price is more than 0% and at most 100%")
    if gather.of_gateways and gather != Gather(inflows=(GATEWAY,)):
        raise NotARule("what gateways convert is gathered by itself")
    _check_amounts(gather.amounts)


def _checked_fires(fires: Fires) -> None:
    if fires.count is not None and not 1 <= fires.count <= MOST_PAYMENTS:
        raise NotARule(f"a jar fires after 1 to {MOST_PAYMENTS} payments")
    if fires.weekday is not None and fires.day_of_month is not None:
        raise NotARule("a jar fires weekly or monthly")
    if fires.day_of_month is not None and not 1 <= fires.day_of_month <= 31:
        raise NotARule("a month has 31 days at most")
    if fires.on_date and fires.zone not in days.zones():
        raise NotARule(f"{fires.zone!r} is no time zone of the IANA's database")
    _check_amounts(() if fires.value is None else (fires.value,))


def _check_amounts(amounts: tuple[Money, ...]) -> None:
    if any(money.value == 0 for money in amounts):
        raise NotARule("amounts are more than zero")
    if len({money.currency for money in amounts}) > 1:
        raise NotARule("all amounts are in one currency")


def _parsed(text: str, read: Callable[[str], T], check: Callable[[T], None] | None = None) -> T:
    if len(text) > MAX_TEXT:
        raise NotARule(f"at most {MAX_TEXT} characters")
    value = read(text)
    if check is not None:
        check(value)
    if str(value) != text:
        raise NotARule(f"say {str(value)!r} for {text!r}")
    return value


@lru_cache(10_000)
def parse_gather(text: str) -> Gather:
    """:raises NotARule:"""
    return _parsed(text, _read_gather, _checked_gather)


@lru_cache(10_000)
def parse_fires(text: str) -> Fires:
    """:raises NotARule:"""
    return _parsed(text, _read_fires, _checked_fires)


@lru_cache(10_000)
def parse_only(text: str) -> Only:
    """:raises NotARule:"""
    return _parsed(text, _read_only)


def parse(gather: str, fires: str, only: str) -> Words:
    """:raises NotARule:"""
    return Words(parse_gather(gather), parse_fires(fires), parse_only(only))


def _money(text: str) -> Money:
    match = _MONEY.fullmatch(text)
    if match is None or match[3] not in CURRENCIES:
        raise NotARule(f"{text!r} is no amount in {' or '.join(CURRENCIES)}")
    exponent = CURRENCIES[match[3]]
    decimals = match[2] or ""
    if len(decimals) not in (0, exponent) or len(match[1]) > 12:
        raise NotARule(f"{text!r} is no amount: {match[3]} has {exponent} decimals")
    return Money(int(match[1]) * 10**exponent + int(decimals or 0), match[3])


def _share(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?", text)
    if match is None:
        raise NotARule(f"{text!r} is no number of per cent with at most two decimals")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def _percent(share: int) -> str:
    return f"{share // 100}" + (f".{share % 100:02d}".rstrip("0") if share % 100 else "")


def _weekday(name: str) -> int:
    if name not in WEEKDAYS:
        raise NotARule(f"{name!r} is no day of the week")
    return WEEKDAYS.index(name)


def _once(found: dict[str, object], **new: object) -> None:
    if found.keys() & new.keys() - {"zone"}:
        raise NotARule("each thing is said once")
    found.update(new)
