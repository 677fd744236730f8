"""Books what the settlement contract did, once it is deep enough, whoever sent it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.settlement.models import Batch, BatchCredit, BatchEntitlement, Entitlement

log = structlog.get_logger()


class BooksDisagree(Exception):
    """The chain settled something else than we froze; a person has to look."""


def handlers(hub: Hub) -> dict[str, Handler]:
    chart = hub.chart

    def pulled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """Claimed money moved from the channels to the reserve."""
        args = event["args"]
        deployment = hub.contracts.deployment
        if (args["receiver"], args["token"]) != (deployment.settlement, deployment.asset):
            return
        lines = [Line(chart.reserve, args["amount"]), Line(chart.escrow, -args["amount"])]
        posting.post(session, f"settled:{event['key']}", "channels settled", now, lines)

    def batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        args = event["args"]
        batch = session.get(Batch, args["batchId"])
        theirs = (args["paymentsRoot"], args["entitlementRoot"], args["entitled"], args["credited"])
        if batch is None or theirs != (
            batch.payments_root,
            batch.entitlement_root,
            batch.entitled,
            batch.credited,
        ):
            raise BooksDisagree(f"batch {args['batchId']} on chain is not the one frozen here")
        lines: list[Line] = []
        for credit in session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id)):
            lines += transfer(chart.pending(credit.address), chart.credit(credit.address), credit.amount)
        for e in session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)):
            lines += transfer(chart.converting(e.account), chart.entitled(e.account), e.amount)
        if lines:
            posting.post(session, f"batch:{batch.id}", "batch settled", now, lines)
        batch.state, batch.posted_at = "posted", now
        session.add(batch)
        log.info("batch.posted", batch_id=batch.id)

    def minted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        account, amount = event["args"]["account"], event["args"]["amount"]
        lines = transfer(chart.entitled(account), chart.gift_supply, amount)
        posting.post(session, f"minted:{event['key']}", "gift tokens minted", now, lines)
        row = session.get_one(Entitlement, account)
        row.claimed = event["args"]["cumulative"]
        session.add(row)

    def funded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        amount = event["args"]["amount"]
        lines = [Line(chart.reserve, amount), Line(chart.surplus, -amount)]
        posting.post(session, f"funded:{event['key']}", "reserve funded", now, lines)

    return {
        "channels.Settled": pulled,
        "settlement.BatchSettled": batch_settled,
        "settlement.EntitlementClaimed": minted,
        "settlement.Funded": funded,
    }
