"""Why gift tokens were not converted, and when that is tried again. Pure."""

import re
from datetime import datetime, timedelta

from taesan.core.reasons import written

AGAIN_AFTER, AT_MOST = timedelta(minutes=1), timedelta(days=1)

TITLES = {
    "price-moved": "The price has moved: it would have brought {received}, and {minimum} is the least that was accepted.",
    "market-too-thin": "The market is too thin for this amount.",
    "no-market": "There is no market for this token here.",
    "no-mean-price": "The market has no mean price yet.",
    "market-refuses": "The market refuses: {message}.",
    "day-is-full": "The rule's limit for today is reached.",
    "more-than-a-day": "It is more than the rule lets pass on any day: the gift tokens stay; a new rule needs a higher limit.",
    "cancelled": "The rule was cancelled.",
    "too-late": "It came too late to the chain, or the rule has ended.",
    "rule-ended": "The rule is valid no longer.",
    "not-offered": "This collectible is not offered by its recipient.",
    "price-not-paid": "The collectible costs {price}, here are {amount}.",
    "all-awarded": "All of this collectible are given away.",
    "hub-paused": "The hub is paused.",
    "permit-wanted": "The wallet has not allowed so much: sign a permit.",
    "tokens-gone": "The gift tokens are not in the wallet any more.",
    "too-little-to-save": "It is too little for the savings vault.",
    "too-little": "It is less than {least}, for which the hub pays no gas: let the rule gather more before it fires.",
    "too-large": "It needs more gas than a transaction may have.",
    "failed-as-a-whole": "The transaction failed as a whole.",
    "kept-by-payer": "Its payer keeps the gift tokens.",
    "contract-refuses": "The contract refuses: {error}.",
}

# The contracts' errors → their code, and what their arguments are.
_ERRORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "StandingOrders_TooLittleReceived": ("price-moved", ("received", "minimum")),
    "StandingOrders_TooThin": ("market-too-thin", ()),
    "StandingOrders_NoPool": ("no-market", ()),
    "StandingOrders_ExceedsDay": ("day-is-full", ()),
    "StandingOrders_Cancelled": ("cancelled", ()),
    "StandingOrders_Expired": ("too-late", ()),
    "StandingOrders_NotOffered": ("not-offered", ()),
    "StandingOrders_TooLittlePaid": ("price-not-paid", ("amount", "price")),
    "StandingOrders_Paused": ("hub-paused", ()),
    "ERC20InsufficientAllowance": ("permit-wanted", ()),
    "ERC20InsufficientBalance": ("tokens-gone", ()),
    "Badges_AllAwarded": ("all-awarded", ()),
    "SavingsVault_ZeroShares": ("too-little-to-save", ()),
}

DAY_IS_FULL, KEPT_BY_PAYER, PERMIT_WANTED = written("day-is-full"), written("kept-by-payer"), written("permit-wanted")
FAILED_AS_A_WHOLE, RULE_ENDED, NO_MARKET = written("failed-as-a-whole"), written("rule-ended"), written("no-market")
TOO_LARGE = written("too-large")
MORE_THAN_A_DAY = written("more-than-a-day")
"""Which no other day changes."""


def too_little(least: int) -> str:
    return written("too-little", least=least)


def of(told: str) -> str:
    """:param told: as `Contracts.explain` does, `Name(argument, …)`"""
    found = re.fullmatch(r"(\w+)\((.*)\)", told, re.DOTALL)
    if found is None:
        return written("contract-refuses", error=told)
    if found[1] == "Error":
        return written("no-mean-price") if found[2] == "OLD" else written("market-refuses", message=found[2])
    code, names = _ERRORS.get(found[1], ("", ()))
    arguments = found[2].split(", ")
    if not code or len(arguments) < len(names):
        return written("contract-refuses", error=told)
    return written(code, **dict(zip(names, arguments, strict=False)))


def again_at(reason: str, attempts: int, now: datetime) -> datetime:
    """When it is tried again: later each time, and not before the next day (UTC) if this one's limit is reached."""
    if reason == DAY_IS_FULL:
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now + min(AGAIN_AFTER * (1 << min(attempts, 11)), AT_MOST)
