"""Amounts and dates as banks write them. Exact, or refused. Pure."""

import re
from datetime import date, time
from typing import Literal

from babel.core import Locale
from babel.numbers import get_currency_precision

from taesan.insights.movements import MAX_TOLD

Order = Literal["ymd", "dmy", "mdy"]
DecimalSign = Literal[".", ","]

CURRENCIES = frozenset(Locale("en").currencies) - {"XTS", "XXX"}  # for tests, and for none
_UNIT = r"(?:[₩$€£¥원]|[A-Z]{3})"
_AMOUNT = re.compile(
    rf"(?P<open>\()? ?(?P<sign>[+-])? ?{_UNIT}? ?(?P<sign_behind_unit>[+-])?"
    rf"(?P<digits>[0-9][0-9.,' ]*) ?(?P<behind>[+-])? ?{_UNIT}? ?(?P<close>\))?"
)
_MINUS = str.maketrans({"−": "-", "–": "-", "△": "-", "▲": "-"})
_MONTHS = {name.lower(): number for number, name in Locale("en").months["format"]["abbreviated"].items()}
_TIME = r"(\d{1,2})[:시]\s?(\d{2})(?:[:분]\s?(\d{2}))?(?:[.,]\d{1,9})?[분초]?"
_DATE = re.compile(
    r"(\d{1,4})\s?[./년-]\s?(\d{1,2})\s?[./월-]\s?(\d{1,4})\s?[.일]?(?:\s?\([^)]{1,9}\))?(?:[T\s]\s?" + _TIME + ")?"
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\s?(\d{2}):?(\d{2}):?(\d{2})?)?")
_NAMED_MONTH = re.compile(r"\b([A-Za-z]{3})[a-z]*\.?,?")


def exponent_of(currency: str) -> int:
    """Of an ISO 4217 code. :raises ValueError: it is none"""
    if currency not in CURRENCIES:
        raise ValueError(currency)
    return get_currency_precision(currency)


def minor_units(text: str, exponent: int, decimal: DecimalSign) -> int:
    """An amount with its sign.

    Thousands may be grouped, by threes. A minus stands before or behind, or is a pair of brackets.

    :raises ValueError: no amount, or one that minor units cannot hold: nothing is rounded
    """
    found = _AMOUNT.fullmatch(" ".join(text.translate(_MINUS).split()))
    if found is None or (found["open"] is None) != (found["close"] is None):
        raise ValueError(text)
    signs = [found["sign"], found["sign_behind_unit"], found["behind"], found["open"]]
    if sum(sign is not None for sign in signs) > 1:
        raise ValueError(text)
    whole, point, fraction = found["digits"].rstrip().partition(decimal)
    grouping = r"\." if decimal == "," else ","
    if not re.fullmatch(rf"[0-9]+|[0-9]{{1,3}}(?:(?:{grouping}|'| )[0-9]{{3}})+", whole):
        raise ValueError(text)
    if point and not re.fullmatch(r"[0-9]+", fraction):
        raise ValueError(text)
    # "1.000" is one thousand to some: more decimals than anybody writes are not taken for zeros.
    if len(fraction) > max(exponent, 2) or fraction[exponent:].strip("0"):
        raise ValueError(text)
    is_negative = any(sign in ("-", "(") for sign in signs)
    return _bounded(re.sub(r"[^0-9]", "", whole), fraction, exponent, is_negative, text)


def plain_units(text: str, exponent: int) -> int:
    """An amount as OFX writes it: no thousands are grouped, a point or a comma before the decimals.

    :raises ValueError: as `minor_units`
    """
    found = re.fullmatch(r"([+-]?)([0-9]{1,18})(?:[.,]([0-9]{0,18}))?", text)
    if found is None or (found[3] or "")[exponent:].strip("0"):
        raise ValueError(text)
    return _bounded(found[2], found[3] or "", exponent, found[1] == "-", text)


def _bounded(whole: str, fraction: str, exponent: int, is_negative: bool, text: str) -> int:
    if len(whole) > 20:
        raise ValueError(text)
    value = int(whole + fraction[:exponent].ljust(exponent, "0"))
    if value > MAX_TOLD:
        raise ValueError(text)
    return -value if is_negative else value


def moment(text: str, order: Order) -> tuple[date, time | None]:
    """A date, and the time if it is told. :raises ValueError: there is no such day"""
    text = " ".join(_NAMED_MONTH.sub(_numbered, text).split())
    if found := _COMPACT.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
    else:
        text = re.sub(r"^(\d{1,4}) (\d{1,2}),? (\d{1,4})\b", r"\1-\2-\3", text)
        found = _DATE.fullmatch(text)
        if found is None:
            raise ValueError(text)
        parts = dict(zip(order, found.groups()[:3], strict=True))
        year, month, day = parts["y"], parts["m"], parts["d"]
    if len(year) not in (2, 4) or len(day) > 2:
        raise ValueError(text)
    on = date(int(year) + (2_000 if len(year) == 2 else 0), int(month), int(day))
    if not 1990 <= on.year < 2100:
        raise ValueError(text)
    return on, _time(*found.groups()[3:6])


def clock(text: str) -> time | None:
    """A time in a column of its own; None if it is empty. :raises ValueError: there is no such time"""
    text = text.strip()
    if not text:
        return None
    found = re.fullmatch(_TIME, text) or re.fullmatch(r"(\d{2})(\d{2})(\d{2})?", text)
    if found is None:
        raise ValueError(text)
    return _time(*found.groups()[:3])


def _time(hour: str | None, minute: str | None, second: str | None) -> time | None:
    return None if hour is None else time(int(hour), int(minute or 0), int(second or 0))


def _numbered(found: re.Match[str]) -> str:
    number = _MONTHS.get(found[1].lower())
    return found[0] if number is None else str(number)
