"""The card of a gift link tells what it is worth as people write it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from taesan.client.card import card
from taesan.client.gifts import GiftLink

LINK: dict[str, Any] = {
    "id": "gift_1",
    "url": "https://hub.example/gifts/gift_1#key",
    "exponent": 6,
    "expires_at": datetime(2026, 12, 26, 12, tzinfo=UTC),
    "message": "",
    "sender_name": "",
    "taking_back": {},
}


@pytest.mark.parametrize(
    ("amount", "currency", "language", "worth"),
    [
        (20_000, "USD", "en", "$0.02"),
        (1_234_567_800, "USD", "en", "$1,234.5678"),
        (2_300, "USD", "en", "$0.0023"),
        (1_000_000, "USD", "ko", "$1.00"),
        (4_500_000_000, "KRW", "ko", "₩4,500"),
        (4_500_500_000, "KRW", "en", "₩4,500.5"),
    ],
)
def test_the_worth_is_in_the_currency_that_the_token_stands_for(
    amount: int, currency: str, language: str, worth: str
) -> None:
    page = card(GiftLink(**LINK, amount=amount, currency=currency), language)
    assert f'<p class="worth">{worth}</p>' in page
