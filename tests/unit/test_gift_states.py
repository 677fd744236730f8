"""What a gift link is told to be, of its transfers' states and the clock."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from taesan.gifts.states import OVER, Steps, state_of

END = datetime(2026, 12, 24, 12, tzinfo=UTC)
BEFORE, AFTER = END - timedelta(seconds=1), END


@pytest.mark.parametrize(
    ("steps", "now", "state"),
    [
        (Steps("received"), BEFORE, "wrapping"),
        (Steps("sent"), BEFORE, "wrapping"),
        (Steps("sent"), AFTER, "wrapping"),
        (Steps("failed"), BEFORE, "failed"),
        (Steps("failed"), AFTER, "failed"),
        (Steps("confirmed"), BEFORE, "open"),
        (Steps("confirmed"), AFTER, "expired"),
        (Steps("confirmed", "received"), BEFORE, "claiming"),
        (Steps("confirmed", "sent"), AFTER, "claiming"),
        (Steps("confirmed", "confirmed"), AFTER, "claimed"),
        (Steps("sent", "confirmed"), BEFORE, "claimed"),
        (Steps("confirmed", "failed"), BEFORE, "open"),
        (Steps("confirmed", "failed"), AFTER, "expired"),
        (Steps("confirmed", None, "received"), AFTER, "returning"),
        (Steps("confirmed", "failed", "sent"), AFTER, "returning"),
        (Steps("confirmed", None, "confirmed"), AFTER, "returned"),
        (Steps("confirmed", None, "failed"), AFTER, "expired"),
    ],
)
def test_states(steps: Steps, now: datetime, state: str) -> None:
    assert state_of(steps, END, now) == state


def test_what_is_over_stays_so_as_time_passes() -> None:
    each = ("received", "sent", "confirmed", "failed")
    for wrap, claim, back in product(each, (None, *each), (None, *each)):
        steps = Steps(wrap, claim, back)
        state = state_of(steps, END, BEFORE)
        assert state not in OVER or state_of(steps, END, AFTER) == state, steps
