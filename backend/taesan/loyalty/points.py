"""Points: a whole number for each payment, which lapse after some time. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple


class PointTerms(NamedTuple):
    """:ivar per: minor units for one point. :ivar valid_days: from the payment on. :ivar notice_days: told so long before"""

    per: int
    valid_days: int
    notice_days: int


def earned(terms: PointTerms, price: int) -> int:
    return price // terms.per


def expires_at(terms: PointTerms, paid_at: datetime) -> datetime:
    return paid_at + timedelta(days=terms.valid_days)


def told_at(terms: PointTerms, paid_at: datetime) -> datetime:
    """When it has to be told that they lapse: at once, if they are not valid any longer than that."""
    return max(paid_at, expires_at(terms, paid_at) - timedelta(days=terms.notice_days))
