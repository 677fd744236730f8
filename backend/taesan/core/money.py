"""Money as people write it, in the reader's language. Pure."""

from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import format_currency, format_decimal, get_currency_precision

_IN_WORDS = {"ko": {"KRW": "원", "USD": "달러"}}
"""Language → currencies that it writes behind the amount rather than as a sign before."""


def in_currency(amount: int, exponent: int, currency: str, language: str, *, is_rounded: bool = False) -> str:
    """Such as $1.50, or 4,500원 in Korean: to the last minor unit.

    :param currency: ISO 4217. :param is_rounded: to its smallest coin, unless nothing would be left
    """
    value, least = Decimal(amount).scaleb(-exponent), get_currency_precision(currency)
    most = max(least, exponent)
    if is_rounded:
        near = value.quantize(Decimal(1).scaleb(-least), ROUND_HALF_UP)
        if near or not amount:
            value, most = near, least
    digits = _digits(least, most)
    behind = _IN_WORDS.get(language, {}).get(currency)
    if behind is not None:
        return str(format_decimal(value, digits, locale=language)) + behind
    return str(format_currency(value, currency, f"¤{digits}", locale=language, currency_digits=False))


def in_tokens(amount: int, exponent: int, symbol: str, language: str) -> str:
    """Such as 12.345678 TUSD: to the last minor unit."""
    digits = _digits(min(2, exponent), exponent)
    return f"{format_decimal(Decimal(amount).scaleb(-exponent), digits, locale=language)} {symbol}"


def _digits(least: int, most: int) -> str:
    """A pattern of CLDR's. :param least, most: decimals"""
    return "#,##0" + ("." + "0" * least + "#" * (most - least) if most else "")
