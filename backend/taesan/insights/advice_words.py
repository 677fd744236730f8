"""Advice in plain words, English and Korean, with its figures as people write them. Pure but for the catalogues."""

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from taesan.core.i18n import translate
from taesan.core.money import in_currency
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
        currency = currencies.get(unit.asset, unit.asset)
        return in_currency(int(value), unit.exponent, currency, language, is_rounded=True)
    return format_decimal(value, locale=language) if isinstance(value, int) else value
