"""Why jars fire, and why they do not; and what else becomes of a rule. Pure."""

from taesan.core.reasons import written

TITLES = {
    # It fires.
    "payments": "{count} payments have come together.",
    "value": "It has reached a value of {value} minor units.",
    "date": "Its date has come: {day}.",
    "request": "Its payer has said so.",
    "linked": "The customer was linked to a wallet.",
    "to-person": "It was paid to this person.",
    # It does not.
    "channel-closed": "The channel is closed to payments.",
    "nothing-gathered": "Nothing is gathered.",
    "voucher-lost": "The channel's newest voucher is lost, and the next payment brings another.",
    "unclaimed": "Too much of the channel is not claimed on the chain yet.",
    # Not all is gathered.
    "payment-cap": "{taken} of {amount} minor units: one payment may be no more.",
    "rule-cap": "{taken} of {amount} minor units: its caps leave no more.",
    # A rule's life.
    "paused": "Its payer has paused it.",
    "resumed": "Its payer has resumed it.",
    "cancelled": "Its payer has cancelled it.",
    "cancelled-on-chain": "Its payer has cancelled it on the chain.",
    "expired": "Its time is over.",
    "taken-out": "It was taken out of the jar.",
}

REQUEST, LINKED, TO_PERSON = written("request"), written("linked"), written("to-person")


def payments(count: int) -> str:
    return written("payments", count=count)


def value(minor_units: int) -> str:
    return written("value", value=minor_units)


def cut(code: str, taken: int, amount: int) -> str:
    """Minor units."""
    return written(code, taken=taken, amount=amount)


def date(day: str) -> str:
    """:param day: as ISO 8601 has it"""
    return written("date", day=day)
