"""The audit of direct payments. They stand in no book, as their money never was the hub's: each must be its payer's word, and
what merchants were told is settled must be on the chain."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.payments import direct
from taesan.payments.direct_models import DirectPayment
from taesan.settlement.audit_payments import STREAMED


def audit_direct(session: Session, hub: Hub, report: Report) -> None:
    """Asks the chain as it is now: what is settled stays so."""
    block = int(hub.node.head()["number"])
    tokens = {hub.asset.address: hub.asset, hub.gift.address: hub.gift}
    rows = session.scalars(select(DirectPayment).order_by(col(DirectPayment.id)).execution_options(yield_per=STREAMED))
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
    if count:
        report.counted["direct payments"] = count
