"""Amounts and dates as banks write them."""

from datetime import date, time

import pytest

from taesan.insights.figures import DecimalSign, Order, clock, exponent_of, minor_units, moment, plain_units
from taesan.insights.movements import MAX_TOLD


@pytest.mark.parametrize(
    ("text", "currency", "decimal", "amount"),
    [
        ("12.50", "USD", ".", 1250),
        ("12.5", "USD", ".", 1250),
        ("12", "USD", ".", 1200),
        ("1,234.56", "USD", ".", 123456),
        ("-1.234,56", "EUR", ",", -123456),
        ("1 234,56", "EUR", ",", 123456),
        ("1\u00a0234,56 €", "EUR", ",", 123456),
        ("1'234.50", "CHF", ".", 123450),
        ("1,234", "KRW", ".", 1234),
        ("1,234원", "KRW", ".", 1234),
        ("₩-1,234", "KRW", ".", -1234),
        ("1234.00", "KRW", ".", 1234),
        ("(5.00)", "USD", ".", -500),
        ("5.00-", "USD", ".", -500),
        ("\u22125.00", "USD", ".", -500),
        ("$ 5.00", "USD", ".", 500),
        ("-$5.00", "USD", ".", -500),
        ("EUR 5,00", "EUR", ",", 500),
        ("+5", "USD", ".", 500),
        ("1.234", "BHD", ".", 1234),
        ("0.00", "USD", ".", 0),
        ("10,000,000,000.00", "USD", ".", MAX_TOLD),
    ],
)
def test_amounts(text: str, currency: str, decimal: DecimalSign, amount: int) -> None:
    assert minor_units(text, exponent_of(currency), decimal) == amount


@pytest.mark.parametrize(
    ("text", "currency", "decimal"),
    [
        ("", "USD", "."),
        ("-", "USD", "."),
        ("12.505", "USD", "."),  # nothing is rounded
        ("12.500", "USD", "."),  # twelve and a half, or twelve thousand five hundred?
        ("1.000", "KRW", "."),
        ("0.5", "KRW", "."),
        ("1,23", "USD", "."),
        ("12,34,567.00", "USD", "."),
        ("1.234.56", "USD", "."),
        ("1.234,56", "EUR", "."),
        ("1,234.56", "EUR", ","),
        ("--5", "USD", "."),
        ("-5-", "USD", "."),
        ("(-5)", "USD", "."),
        ("(5", "USD", "."),
        ("5)", "USD", "."),
        ("5.", "USD", "."),
        (".5", "USD", "."),
        ("1e3", "USD", "."),
        ("NaN", "USD", "."),
        ("0x10", "USD", "."),
        ("five", "USD", "."),
        ("٥", "USD", "."),
        ("=1+1", "USD", "."),
        ("10,000,000,000.01", "USD", "."),
        ("9" * 999, "USD", "."),
    ],
)
def test_what_is_no_amount_or_does_not_fit_is_refused(text: str, currency: str, decimal: DecimalSign) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        minor_units(text, exponent_of(currency), decimal)


@pytest.mark.parametrize(
    ("text", "amount"), [("-4.75", -475), ("-4,75", -475), ("4", 400), ("4.", 400), ("4.7500", 475)]
)
def test_amounts_of_ofx(text: str, amount: int) -> None:
    assert plain_units(text, 2) == amount


@pytest.mark.parametrize("text", ["", "4.755", "1,234.50", "4 75", "1e2", "-", "9" * 18])
def test_what_ofx_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        plain_units(text, 2)


@pytest.mark.parametrize(
    ("text", "order", "day", "at"),
    [
        ("2026-10-31", "ymd", date(2026, 10, 31), None),
        ("2026.10.31 21:14:05", "ymd", date(2026, 10, 31), time(21, 14, 5)),
        ("2026. 1. 2.", "ymd", date(2026, 1, 2), None),
        ("2026년 1월 2일 9시 05분", "ymd", date(2026, 1, 2), time(9, 5)),
        ("2026.10.31(토) 21:14", "ymd", date(2026, 10, 31), time(21, 14)),
        ("2026-10-31T21:14:05.123", "ymd", date(2026, 10, 31), time(21, 14, 5)),
        ("20261031", "dmy", date(2026, 10, 31), None),
        ("20261031211405", "ymd", date(2026, 10, 31), time(21, 14, 5)),
        ("31.10.26", "dmy", date(2026, 10, 31), None),
        ("31/10/2026", "dmy", date(2026, 10, 31), None),
        ("10/31/2026", "mdy", date(2026, 10, 31), None),
        ("26/10/31", "ymd", date(2026, 10, 31), None),
        ("31 Oct 2026", "dmy", date(2026, 10, 31), None),
        ("October 31, 2026", "mdy", date(2026, 10, 31), None),
        ("29.02.2028", "dmy", date(2028, 2, 29), None),
    ],
)
def test_dates(text: str, order: Order, day: date, at: time | None) -> None:
    assert moment(text, order) == (day, at)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", "ymd"),
        ("2026-13-01", "ymd"),
        ("2026-02-29", "ymd"),
        ("10/31/2026", "dmy"),
        ("31.10.2026", "ymd"),
        ("2026-10", "ymd"),
        ("2026-10-3x", "ymd"),
        ("1026-10-31", "ymd"),
        ("2026-10-31 25:00", "ymd"),
        ("46326", "ymd"),  # a spreadsheet's number of a day
        ("yesterday", "ymd"),
    ],
)
def test_what_is_no_day_is_refused(text: str, order: Order) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        moment(text, order)


def test_times_in_a_column_of_their_own() -> None:
    assert [clock(t) for t in ("", "08:01:59", "0801", "080159", "8:01")] == [
        None,
        time(8, 1, 59),
        time(8, 1),
        time(8, 1, 59),
        time(8, 1),
    ]
    for text in ("25:00", "8", "noon"):
        with pytest.raises(ValueError):  # noqa: PT011
            clock(text)


@pytest.mark.parametrize("code", ["", "usd", "ABC", "DOLLAR"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        exponent_of(code)
