"""What an amount in a currency is in the reserve asset: exact fractions, rounded up to the asset's minor unit at the end. Pure."""

from fractions import Fraction
from math import ceil

from babel.numbers import get_currency_precision

CURRENCIES = ("USD", "KRW")


class NoRate(Exception):
    """The hub has not been told what the currency is worth."""


def quote(
    amount: int, currency: str, asset_currency: str, asset_exponent: int, won_for_a_dollar: Fraction | None
) -> tuple[int, Fraction | None]:
    """What is due, in minor units of the asset, and the rate (won for a dollar) that this needed, if any.

    :param amount: minor units of the currency. :param asset_currency: what one whole unit of the asset stands for
    :raises NoRate: no rate leads from the one to the other
    """
    units = Fraction(amount, 10 ** get_currency_precision(currency))
    rate = None
    if currency != asset_currency:
        if won_for_a_dollar is None or {currency, asset_currency} != set(CURRENCIES):
            raise NoRate(currency)
        rate = won_for_a_dollar
        units *= rate if currency == "USD" else Fraction(rate.denominator, rate.numerator)
    return ceil(units * 10**asset_exponent), rate
