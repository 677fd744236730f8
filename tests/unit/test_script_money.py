"""How the pages' scripts read amounts that people type, and write those that they are told."""

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
