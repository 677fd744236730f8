"""How the pages' scripts read amounts that people type, and write those that they are told."""

from taesan.web.router import money_text
from tests.support.modules import run_script

TYPED = {
    "5": "5000000",
    "12.50": "12500000",
    " $0.25 ": "250000",
    "₩1,500": "1500000000",
    "1,234,567.89": "1234567890000",
    "0.000001": "1",
    "7.": "7000000",
    "0": None,
    "1,50": None,
    "0,25": None,
    "1,5000": None,
    "12,34,567": None,
    "1234,567": None,
    ",500": None,
    "1.5,000": None,
    "0.0000001": None,
    "-1": None,
    "1e3": None,
    "": None,
}


def test_an_amount_is_read_as_it_was_meant_or_not_at_all() -> None:
    """Somebody who writes decimals with a comma must not pay a hundred times as much."""
    read = """const { minorUnits } = await import("/static/lib/money.js"); return given.map((typed) => minorUnits(typed, 6));"""
    assert dict(zip(TYPED, run_script(read, list(TYPED)), strict=True)) == TYPED


AMOUNTS = [
    *(0, 1, 30, 99, 100, 101, 150, 250, 350, 9_999, 10_000, 15_000, 1_000_000, 1_500_000, 1_234_550, 1_234_650),
    *(3_700_001, 999_999_999_999, 123_456_789_012_345_678),
]


def test_the_scripts_and_the_templates_write_amounts_alike() -> None:
    """So that a figure of the page as it was sent does not change when its script runs."""
    write = """const { dollars } = await import("/static/lib/money.js"); return given.map(([value, exponent]) => dollars(value, exponent));"""
    cases = [(str(amount), exponent) for exponent in (2, 6, 18) for amount in AMOUNTS]
    assert run_script(write, cases) == [money_text(int(amount), exponent, "en") for amount, exponent in cases]
    assert run_script(write, [("30", 6), ("-1500000", 6)]) == ["$0.00003", "-$1.50"]
