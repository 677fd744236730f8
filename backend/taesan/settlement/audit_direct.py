"""The audit of signed transfers: direct payments, and gift tokens that people send each other. They stand in no book, as
their money never was the hub's: each must be its payer's word, and what is told as settled must be on the chain."""

from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.payments import direct
from taesan.payments.direct_models import DirectPayment
from taesan.payments.token_models import TokenTransfer
from taesan.settlement.audit_payments import STREAMED


def audit_direct(session: Session, hub: Hub, report: Report) -> None:
    """Asks the chain as it is now: what is settled stays so."""
    block = int(hub.node.head()["number"])
    for table, name in ((DirectPayment, "direct payments"), (TokenTransfer, "token transfers")):
        if count := _audit(session, hub, table, block, report):
            report.counted[name] = count


def _audit(session: Session, hub: Hub, table: Any, block: int, report: Report) -> int:
    tokens = {hub.asset.address: hub.asset, hub.gift.address: hub.gift}
    rows = session.scalars(select(table).order_by(table.id).execution_options(yield_per=STREAMED))
    count = 0
    for some in rows.partitions(STREAMED):
        count += len(some)
        for row in some:
            is_signed = direct.signed(row).is_signed(tokens[row.token])
            report.check(f"payer's signature of {row.public_id}", True, is_signed)
        settled = [row for row in some if row.state == "confirmed"]
        asked = [direct.signed(row).was_used(hub.contracts) for row in settled]
        answers = hub.node.call_many([(token, hex_of(data)) for token, data in asked], block)
        for row, answer in zip(settled, answers, strict=True):
            report.check(f"transfer of {row.public_id} on chain", 1, int.from_bytes(answer, "big"))
    return count
