"""Finds what spoils a whole by trying parts of it. Pure."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class TooMany(Exception):
    """More than so many are bad: rather than each of them, something that they share is at fault."""


def culprits(items: Sequence[T], passes: Callable[[Sequence[T]], bool], most: int) -> list[T]:
    """The items that do not pass even alone, in their order; none if nothing is wrong but with their company.

    One bad item among n costs at most 1 + 2·⌈log₂ n⌉ trials, k of them at most k times as many: a part that passes is not
    looked at again. Each culprit was tried by itself, so nobody is accused by inference.

    :param passes: whether a part is fine; a part with a bad item in it is not
    :param most: how many there may be
    :raises TooMany: there are more
    """
    found: list[T] = []
    parts = [items] if items else []
    while parts:
        part = parts.pop()
        if passes(part):
            continue
        if len(part) == 1:
            found += part
            if len(found) > most:
                raise TooMany(f"more than {most}")
            continue
        middle = len(part) // 2
        parts += [part[middle:], part[:middle]]  # the first half is looked at first
    return found
