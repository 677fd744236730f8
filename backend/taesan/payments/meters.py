"""What this process has seen of payments, and of its intake, since it began."""

from collections.abc import Iterable

from taesan.core.meters import Counter, Histogram
from taesan.payments.messages import Outcome, Result

PAYMENTS = Counter(
    "taesan_payments",
    "Payments answered: accepted, replayed (as before), or refused for a problem.",
    ("result", "problem"),
)
GROUP_PAYMENTS = Histogram(
    "taesan_intake_group_payments",
    "Payments that went to the intake together, to be one transaction.",
    bounds=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000),
)
GROUP_SECONDS = Histogram("taesan_intake_group_seconds", "From a group's sending to the intake to its answer.")
LOST = Counter("taesan_intake_lost", "Times that the intake's process has ended by itself.")

_ACCEPTED, _REPLAYED = ("accepted", ""), ("replayed", "")


def count(results: Iterable[Result]) -> None:
    """To be called for each request, in the event loop."""
    values = PAYMENTS.values
    for result in results:
        if isinstance(result, Outcome):
            values[_REPLAYED if result.replayed else _ACCEPTED] += 1
        else:
            values["refused", result.type] += 1


def count_refused(problem: str, payments: int) -> None:
    """Of a request that was refused as a whole."""
    PAYMENTS.values["refused", problem] += payments
