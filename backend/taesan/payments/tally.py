"""Keeps count of payments, firings and payers, so that the overview need not."""

from collections.abc import Mapping, Sequence

from sqlmodel import Session

from taesan.core import bulk, counters
from taesan.payments.decision import ChannelState
from taesan.payments.store import Accepted

_PAID_BEFORE = (
    "SELECT DISTINCT payer FROM channel JOIN charged ON charged.account_id = channel.account_id "
    "WHERE charged.amount > 0 AND payer IN (:values)"
)


def count(session: Session, accepted: Sequence[Accepted], channels: Mapping[str, ChannelState]) -> None:
    """To be called with the books locked, before the channels' rows tell of these payments."""
    decisions = [a.decision for a in accepted]
    first = [d.submission.channel_id for d in decisions if d.submission.cumulative == d.submission.amount]
    payers = {channels[id_].payer for id_ in first}
    if payers:
        payers -= {payer for (payer,) in bulk.select_in(session.connection(), _PAID_BEFORE, payers)}
    fired = sum(d.jar_fired is not None for d in decisions)
    counters.add(session, {"payments": len(accepted), "firings": fired, "payers": len(payers)})
