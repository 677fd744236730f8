"""Makes a failing list of actions short: delta debugging (Zeller and Hildebrandt 2002), taking away ever smaller parts."""

from collections.abc import Callable, Sequence

from tests.simulation.actions import Action

TRIES = 400


def shrink(actions: Sequence[Action], fails: Callable[[list[Action]], bool], tries: int = TRIES) -> list[Action]:
    """The shortest list found that still fails; nothing more can be taken from it, unless the tries ran out."""
    left = list(actions)
    size = len(left) // 2
    while size and tries:
        start, found = 0, False
        while start < len(left) and tries:
            without = left[:start] + left[start + size :]
            tries -= 1
            if fails(without):
                left, found = without, True
            else:
                start += size
        if size == 1 and found:
            continue
        size = min(size // 2, len(left))
    return left
