"""What is told, and when it is tried again. Pure."""

from datetime import timedelta
from typing import Literal, get_args

EventType = Literal[
    "payment.received",
    "payment.settled",
    "payout.paid",
    "payout.failed",
    "redemption.confirmed",
    "redemption.failed",
    "invoice.paid",
    "invoice.expired",
    "refund.accepted",
    "campaign.ended",
    "member.tier_changed",
    "member.tier_at_risk",
    "points.expiring",
    "points.expired",
    "reminder.due",
    "webhook.test",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

# After each failed try, as the Standard Webhooks specification proposes. The first try comes at once.
WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.2
"""By so much of it a wait may be longer: those who failed together should not come back together."""
DISABLED_AFTER = timedelta(days=3)
"""So long nothing but failures: less than all waits together, so that one delivery alone can show that nobody is there."""
GONE = 410


def wait_after(tries: int, random: float) -> timedelta | None:
    """How long to wait after so many failed tries; None: no more of them.

    :param tries: from 1. :param random: from 0 to 1
    """
    return WAITS[tries - 1] * (1 + JITTER * random) if tries <= len(WAITS) else None
