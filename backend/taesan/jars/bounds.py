"""How much a rule fires at once, against how much it lets pass on a day: a firing is moved as a whole or not at all. Pure; amounts in
minor units of the reserve asset."""

from taesan.jars import sources
from taesan.jars.grammar import Fires, Gather, Words
from taesan.jars.splits import WHOLE

ROUNDING = 2
"""As much as the contract lets a destination be above its share of a day."""


def passes(amount: int, share: int, per_day: int) -> bool:
    """Whether a destination may get so much on a day on which it has got nothing yet. :param share: its, in ten-thousandths"""
    return amount <= min(per_day, per_day * share // WHOLE + ROUNDING)


def least_at_once(fires: Fires, exponent: int) -> int:
    """What each firing brings at least."""
    if fires.value is None or fires.count is not None or fires.on_date or fires.on_request:
        return 0
    return sources.in_units(fires.value, exponent) or 0


def most_at_once(words: Words, exponent: int, most: int) -> int | None:
    """What a firing brings at most; None: as much as has come together. :param most: of one payment"""
    of_one, fires = _of_one_payment(words.gather, exponent, most), words.fires
    bounds = []
    if fires.count is not None:
        bounds.append(fires.count * of_one)
    if value := fires.value and sources.in_units(fires.value, exponent):
        so_far = value - 1 + of_one
        bounds.append(so_far - so_far % value)
    if fires.on_date and (cap := words.gather.per_day) is not None:
        bounds.append((sources.in_units(cap, exponent) or 0) * (7 if fires.weekday is not None else 31))
    return min(bounds) if bounds else None


def _of_one_payment(gather: Gather, exponent: int, most: int) -> int:
    if gather.inflows or gather.share is not None:
        return most
    step = 0 if gather.step is None else (sources.in_units(gather.step, exponent) or 1) - 1
    fixed = 0 if gather.fixed is None else sources.in_units(gather.fixed, exponent) or 0
    return min(most, step * (gather.most_times or gather.times) + fixed)


def never_passes(fires: Fires, shares: list[int], per_day: int, exponent: int) -> str | None:
    """Why nothing that it fires can be moved, if so. :param shares: of what is moved"""
    least = least_at_once(fires, exponent)
    # A unit less: what is fired is dealt out over many firings.
    if all(passes(least * share // WHOLE - 1, share, per_day) for share in shares):
        return None
    return f"It fires {fires.value} or more at once, and `per_day` lets {per_day} minor units pass: let it be {least} at least"


def warning(words: Words, per_day: int, exponent: int, most: int, currency: str) -> str | None:
    """What a payer should know who lets so much pass on a day, if one firing may be more. :param currency: that the asset stands for"""
    bound = most_at_once(words, exponent, most)
    if bound is not None and bound <= per_day:
        return None
    limit = sources.in_money(per_day, currency, exponent)
    bring = "as much as has gathered" if bound is None else f"up to {sources.in_money(bound, currency, exponent)}"
    return (
        f"One firing may bring {bring}, and `per_day` lets {limit} pass. A firing is moved as a whole: one that is more stays in the "
        "wallet as gift tokens."
    )
