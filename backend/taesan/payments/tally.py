"""Keeps count of payments, firings and payers, so that the overview need not."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection
from sqlmodel import Session

from taesan.core import bulk, counters
from taesan.payments.decision import ChannelState
from taesan.payments.store import Accepted

# Two statements: of their join PostgreSQL makes something slow as long as it has no statistics.
_CHANNELS = "SELECT account_id, payer FROM channel WHERE payer IN (:values)"
_CHARGED = "SELECT account_id FROM charged WHERE amount > 0 AND account_id IN (:values)"


def count(session: Session, accepted: Sequence[Accepted], channels: Mapping[str, ChannelState]) -> None:
    """To be called with the books locked, before the channels' rows tell of these payments."""
    decisions = [a.decision for a in accepted]
    first = [d.submission.channel_id for d in decisions if d.submission.cumulative == d.submission.amount]
    payers = {channels[id_].payer for id_ in first}
    if payers:
        payers -= paid_before(session.connection(), payers)
    fired = sum(d.jar_fired is not None for d in decisions)
    counters.add(session, {"payments": len(accepted), "firings": fired, "payers": len(payers)})


def paid_before(connection: Connection, payers: set[str]) -> set[str]:
    """Those with a channel that was charged."""
    payer_of = dict(map(tuple, bulk.select_in(connection, _CHANNELS, payers)))
    return {payer_of[id_] for (id_,) in bulk.select_in(connection, _CHARGED, payer_of)}
