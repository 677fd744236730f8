"""Round-up and triggers: when small change becomes a gift. Pure."""

from fractions import Fraction
from typing import NamedTuple

from taesan.jars import reasons


class Rule(NamedTuple):
    """:ivar trigger_count: payments. :ivar trigger_value: minor units. At least one is set."""

    trigger_count: int | None
    trigger_value: int | None


class Firing(NamedTuple):
    """:ivar amount: minor units that leave the jar; what is over stays in it. :ivar reason: see `reasons`. :ivar divisible: less of it may go as well"""

    amount: int
    reason: str
    divisible: bool = False


def round_up(amount: int, step: int) -> int:
    """What is missing to the next multiple of `step`; zero on a multiple. Both in the same minor units."""
    if amount < 0 or step <= 0:
        raise ValueError("amount must not be negative and step must be positive")
    return -amount % step


def rescale(amount: int, exponent: int, to_exponent: int) -> int | None:
    """The same amount in another minor unit, such as cents in millionths; None if that is not a whole number."""
    if to_exponent >= exponent:
        return int(amount * 10 ** (to_exponent - exponent))
    whole, rest = divmod(amount, 10 ** (exponent - to_exponent))
    return None if rest else whole


def decide(rule: Rule, payment_count: int, gathered: int) -> Firing | None:
    """Whether a jar with this much in it after this many payments fires now."""
    if gathered <= 0:
        return None
    if rule.trigger_count is not None and payment_count >= rule.trigger_count:
        return Firing(gathered, reasons.payments(payment_count), divisible=True)
    if rule.trigger_value is not None and gathered >= rule.trigger_value:
        return Firing(gathered - gathered % rule.trigger_value, reasons.value(rule.trigger_value))
    return None


def nearness(rule: Rule, payment_count: int, gathered: int) -> Fraction:
    """How much of the way to its firing is done, by the trigger that comes first."""
    ways = ((rule.trigger_count, payment_count), (rule.trigger_value, gathered))
    return max(Fraction(done, whole) for whole, done in ways if whole)
