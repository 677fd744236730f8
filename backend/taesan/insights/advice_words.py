"""Advice in plain words, English and Korean, with its figures as people write them. Pure but for the catalogues."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal, get_currency_precision

from taesan.core.i18n import translate
from taesan.insights.advice import Advice, Unit

TITLES = {
    "round-up-merchant": "Round up to {step} at {merchant}: about {gathered} a month, by your {count} payments there in {month}, "
    "{spent} in all.",
    "round-up-category": "Round up to {step} for {category}: about {gathered} a month, by your {count} purchases in {month}, "
    "{spent} in all.",
    "save-what-fell": "You spent {less} less in {month} than the month before. {fixed} put aside with each purchase would "
    "have gathered {gathered}.",
    "idle-rule": "{gathered} lies in a jar that has not fired for {days} days. Let it fire on the first of each month too.",
    "idle-jar": "{gathered} lies in your jar, which has not fired for {days} days. Let it fire earlier, or take it out.",
    "price-rose": "{name} costs {price} now and was {was} before: {more} more a year.",
    "paid-twice": "You pay {name} twice at once, {first} and {second}. Without the cheaper one you keep {yearly} a year.",
    "alike-twice": "{name} ({first}) and {other} ({second}) are both {category}. Without the cheaper one you keep {yearly} a year.",
    "trial-went-on": "{name} began with {trial} on {day} and costs {price} since {since}: {yearly} a year. Do you still use it?",
    "cashback-here": "You paid {merchant} {count} times elsewhere in {month}, {spent} in all. Paid over this hub, {rate}% comes back: "
    "{back} of that.",
}
_MONEY = {
    "step", "gathered", "spent", "less", "fixed", "price", "was", "more", "first", "second", "yearly", "trial", "back"
}  # fmt: skip
NAMES = {"merchant", "category", "name", "other"}
_WON, _DOLLAR = "원", "달러"


def title(advice: Advice, language: str, currencies: Mapping[str, str]) -> str:
    """:param currencies: of assets that have no code of their own, such as the hub's"""
    shown = {name: _shown(name, value, advice.unit, language, currencies) for name, value in advice.values.items()}
    return translate(TITLES[advice.code], language).format_map(shown)


def values(advice: Advice) -> dict[str, str]:
    """What it rests on, exactly: amounts in minor units of `asset`, days as ISO 8601 has them."""
    unit = {"asset": advice.unit.asset, "exponent": str(advice.unit.exponent)}
    return {name: _exact(name, value) for name, value in advice.values.items()} | unit


def _exact(name: str, value: int | str | date) -> str:
    return f"{value:%Y-%m}" if name == "month" else str(value)


def _shown(name: str, value: int | str | date, unit: Unit, language: str, currencies: Mapping[str, str]) -> str:
    if isinstance(value, date):
        return (
            format_skeleton("yMMMM", value, locale=language)
            if name == "month"
            else format_date(value, "long", locale=language)
        )
    if name in _MONEY:
        return money(int(value), unit, language, currencies.get(unit.asset, unit.asset))
    return format_decimal(value, locale=language) if isinstance(value, int) else value


def money(amount: int, unit: Unit, language: str, currency: str) -> str:
    """As the currency is written; a part of its smallest coin is rounded, unless there is nothing else."""
    exact = Decimal(amount).scaleb(-unit.exponent)
    digits = get_currency_precision(currency)
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if not rounded and amount:
        rounded, digits = exact.normalize(), unit.exponent
    if language == "ko" and currency in ("KRW", "USD"):
        pattern = "#,##0" + ("." + "0" * min(digits, 2) + "#" * (digits - 2) if digits else "")
        return format_decimal(rounded, format=pattern, locale=language) + (_WON if currency == "KRW" else _DOLLAR)
    if digits > get_currency_precision(currency):
        return format_currency(
            rounded, currency, format="¤#,##0.00" + "#" * (digits - 2), locale=language, currency_digits=False
        )
    return format_currency(rounded, currency, locale=language)
