"""What the client refuses before it signs anything."""

from datetime import UTC, datetime

import pytest

from taesan.client import BadArgument, Client, ClientError, GiftLink, Terms
from taesan.client.card import card
from taesan.client.errors import require_address, require_amount, require_price, require_secret
from taesan.jars.grammar import Money
from taesan.jars.signed import Destination

ANNA = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
NOBODY = "0x" + "00" * 20


@pytest.mark.parametrize("amount", [0, -5, 1.5, True, "7", None, 2**63])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(BadArgument, match="whole number of minor units"):
        require_amount(amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["", "anna", "0x12", ANNA + "0", ANNA[2:], 7, ANNA.replace("F", "f", 1)])
def test_what_is_no_address_is_refused(address: object) -> None:
    with pytest.raises(BadArgument, match=r"an address is|is mistyped"):
        require_address(address)  # type: ignore[arg-type]


def test_an_address_is_signed_in_mixed_case() -> None:
    assert require_address(ANNA.lower()) == require_address(ANNA) == ANNA


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(32), "a" * 32, b"x" * 33])
def test_what_is_no_secret_is_refused(secret: object) -> None:
    with pytest.raises(BadArgument, match="32 random bytes"):
        require_secret(secret)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("price", "why"),
    [
        ({}, "not in no currency"),
        ({"value": "1", "asset": "EUR"}, "not in EUR"),
        ({"value": "1.5", "asset": "USD"}, "not '1.5'"),
        ({"asset": "USD"}, "not ''"),
        ({"value": "-1", "asset": "USD"}, "not '-1'"),
        ({"value": "310000000", "asset": "USD", "exponent": 6}, "USD has 2 decimals, and not 6"),
    ],
)
def test_what_is_no_price_is_refused(price: dict[str, object], why: str) -> None:
    with pytest.raises(BadArgument, match=why):
        require_price(price)


def test_an_invoices_amount_is_a_price() -> None:
    assert require_price({"value": "310", "asset": "USD", "exponent": 2}) == Money(310, "USD")


def test_nothing_is_asked_for_what_makes_no_sense() -> None:
    """There is no hub at this address: whatever is refused here was refused before anybody was asked."""
    bad = (Destination("person", 10_000, "anna", NOBODY, 0),)
    with Client("http://127.0.0.1:1", key="0x" + "a7" * 32, patience_s=0.01) as me:
        for call in (
            lambda: me.pay(0),
            lambda: me.pay(-5, "mer_1"),
            lambda: me.open_channel(0),
            lambda: me.give(-5),
            lambda: me.give(5, secret=bytes(31)),
            lambda: me.allow(-1),
            lambda: me.gift(0, "mer_1"),
            lambda: me.send_tokens(1, "anna"),
            lambda: me.pay(1, "0x12"),
            lambda: me.add_change({}),
        ):
            with pytest.raises(BadArgument) as told:
                call()
            assert isinstance(told.value, ClientError)
    with pytest.raises(BadArgument, match="en or ko"):
        card(GiftLink("gift_1", "http://x/#y", 1, 6, "USD", datetime.now(UTC), "", "", {}), "fr")
    assert Terms("top-ups", "when I say so", destinations=bad).destinations == bad
