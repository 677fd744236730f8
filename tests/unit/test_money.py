"""Money as people write it."""

import pytest

from taesan.core.money import in_currency, in_tokens


@pytest.mark.parametrize(
    ("amount", "exponent", "currency", "english", "korean"),
    [
        (12_300, 0, "KRW", "₩12,300", "12,300원"),
        (-12_300, 0, "KRW", "-₩12,300", "-12,300원"),
        (0, 0, "KRW", "₩0", "0원"),
        (12_345_678, 6, "USD", "$12.345678", "12.345678달러"),
        (1_234_000_000, 6, "USD", "$1,234.00", "1,234.00달러"),
        (1_050, 2, "EUR", "€10.50", "€10.50"),
        (1_500, 3, "KWD", "KWD1.500", "KWD1.500"),
    ],
)
def test_an_amount_of_a_currency_is_told_to_its_last_unit(
    amount: int, exponent: int, currency: str, english: str, korean: str
) -> None:
    assert in_currency(amount, exponent, currency, "en") == english
    assert in_currency(amount, exponent, currency, "ko") == korean


@pytest.mark.parametrize(
    ("amount", "english", "korean"),
    [
        (12_345_678, "$12.35", "12.35달러"),
        (12_345_000, "$12.35", "12.35달러"),  # half up
        (1_234_000_000, "$1,234.00", "1,234.00달러"),
        (4_300, "$0.0043", "0.0043달러"),  # or nothing would be left
        (0, "$0.00", "0.00달러"),
    ],
)
def test_it_is_rounded_to_the_smallest_coin(amount: int, english: str, korean: str) -> None:
    assert in_currency(amount, 6, "USD", "en", is_rounded=True) == english
    assert in_currency(amount, 6, "USD", "ko", is_rounded=True) == korean


@pytest.mark.parametrize(
    ("amount", "exponent", "told"),
    [(12_345_678, 6, "12.345678 TUSD"), (3_000_000, 6, "3.00 TUSD"), (15, 1, "1.5 TUSD"), (1_200, 0, "1,200 TUSD")],
)
def test_tokens_are_told_to_the_last_unit(amount: int, exponent: int, told: str) -> None:
    assert in_tokens(amount, exponent, "TUSD", "en") == in_tokens(amount, exponent, "TUSD", "ko") == told
