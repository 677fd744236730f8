"""The audit of what a restored database has learned from its chain: batches of which it does not know all payments. It can
check their sums, not their roots, and says how many they are."""

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from taesan.core import restoration
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.settlement import batcher
from taesan.settlement.models import Batch, BatchClaim, BatchCredit, BatchEntitlement, RecoveredCharge


class Gaps:
    """Where channels were charged without a payment that is known: their vouchers go on behind it."""

    def __init__(self, session: Session) -> None:
        rows = session.scalars(select(RecoveredCharge))
        self._ends = {(row.channel_id, row.charged_from): row.charged_to for row in rows}

    def passed(self, channel_id: str, charged: int, wanted: int | None = None) -> int:
        """What a channel is charged after its gaps, of which each is passed once.

        :param wanted: where to stop; None: at the last
        """
        while charged != wanted and (channel_id, charged) in self._ends:
            charged = self._ends.pop((channel_id, charged))
        return charged


def audit_batch(session: Session, batch: Batch, known_payments: int, report: Report) -> None:
    """What is known of it adds up. That its root is the chain's is checked with all others'."""

    def stored(model: Any) -> int:
        return session.scalar(select(func.sum(model.amount)).where(model.batch_id == batch.id)) or 0

    report.check(
        f"known payments of batch {batch.id} are no more than it has", True, known_payments <= batch.payment_count
    )
    report.check(f"credits of batch {batch.id}", batch.credited, stored(BatchCredit))
    report.check(f"entitlements of batch {batch.id}", batch.entitled, stored(BatchEntitlement))
    report.check(f"claims of batch {batch.id}", batch.claimed, batch.credited + batch.entitled)
    report.check(f"claims of batch {batch.id} are no more than it gave", True, stored(BatchClaim) <= batch.claimed)
    entitlement_root = hex_of(batcher.entitlements_tree(session, batch.id).root)
    report.check(f"entitlement root of batch {batch.id}", batch.entitlement_root, entitlement_root)
    counted = report.counted
    counted["recovered batches"] = counted.get("recovered batches", 0) + 1
    unknown = batch.payment_count - known_payments
    counted["payments in them unknown here"] = counted.get("payments in them unknown here", 0) + unknown


def count(session: Session, hub: Hub, report: Report) -> None:
    """What a restore has left to be seen."""
    amount = session.scalar(select(func.sum(RecoveredCharge.amount)))
    if amount is not None:
        report.counted["paid by vouchers unknown here"] = amount
    left = posting.balance(session, hub.chart.recovered)
    if left:
        report.counted["recovered, and whose it is not known"] = left
    if restoration.is_reconciling(session):
        report.counted["restored, still behind the chain"] = 1
