"""Why gift tokens were not converted, in words for their owner. Pure."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

AGAIN_AFTER, AT_MOST = timedelta(minutes=1), timedelta(days=1)
_DAY_IS_FULL = "The rule's limit for today is reached"
PERMIT_WANTED = "The wallet has not allowed so much: sign a permit"
MORE_THAN_A_DAY = "It is more than the rule lets pass on any day: the gift tokens stay; a new rule needs a higher limit"
"""Which no other day changes."""

_WORDS: dict[str, Callable[..., str]] = {
    "StandingOrders_TooLittleReceived": lambda received, minimum: (
        f"The price has moved: it would have brought {received}, and {minimum} is the least that was accepted"
    ),
    "StandingOrders_TooThin": lambda *_: "The market is too thin for this amount",
    "StandingOrders_NoPool": lambda *_: "There is no market for this token here",
    "StandingOrders_ExceedsDay": lambda *_: _DAY_IS_FULL,
    "StandingOrders_Cancelled": lambda *_: "The rule was cancelled",
    "StandingOrders_Expired": lambda *_: "It came too late to the chain, or the rule has ended",
    "StandingOrders_NotOffered": lambda *_: "This collectible is not offered by its recipient",
    "StandingOrders_TooLittlePaid": lambda amount, price: f"The collectible costs {price}, here are {amount}",
    "StandingOrders_Paused": lambda: "The hub is paused",
    "ERC20InsufficientAllowance": lambda *_: PERMIT_WANTED,
    "ERC20InsufficientBalance": lambda *_: "The gift tokens are not in the wallet any more",
    "Badges_AllAwarded": lambda *_: "All of this collectible are given away",
    "SavingsVault_ZeroShares": lambda *_: "Too little for the savings vault",
    "Error": lambda message: (
        "The market has no mean price yet" if message == "OLD" else f"The market refuses: {message}"
    ),
}


def in_words(told: str) -> str:
    """:param told: as `Contracts.explain` does, `Name(argument, …)`"""
    found = re.fullmatch(r"(\w+)\((.*)\)", told, re.DOTALL)
    if found is None or found[1] not in _WORDS:
        return told
    arguments = [argument for argument in found[2].split(", ") if argument]
    try:
        return _WORDS[found[1]](*arguments)
    except TypeError:  # a message with commas of its own
        return told


def again_at(reason: str, attempts: int, now: datetime) -> datetime:
    """When it is tried again: later each time, and not before the next day (UTC) if this one's limit is reached."""
    if reason == _DAY_IS_FULL:
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now + min(AGAIN_AFTER * (1 << min(attempts, 11)), AT_MOST)
