"""Books what the settlement contract did, once it is deep enough, whoever sent it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction, transaction_of
from taesan.chain.reorg import CannotUndo
from taesan.channels.models import Channel
from taesan.core import counters, restoration
from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.settlement import batcher, packing, recovery, refunds
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
        if (args["receiver"], args["token"]) != (deployment.settlement, deployment.asset) or not args["amount"]:
            return
        lines = [Line(chart.reserve, args["amount"]), Line(chart.escrow, -args["amount"])]
        posting.post(session, f"settled:{event['key']}", "channels settled", now, lines)

    def packed_claimed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        pulled(session, event, now)
        if not event["args"]["skipped"]:
            return
        batch_id = _sent_in(session, event["transaction"])
        if batch_id is not None:
            _note_skipped(session, batch_id, event["args"]["skipped"])
        elif not restoration.is_reconciling(session):  # then `batch_settled`, which comes next, knows whose they are
            raise BooksDisagree(f"claims were skipped in {event['transaction']}, which this hub has not sent")

    def batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        args = event["args"]
        batch = session.get(Batch, args["batchId"])
        owed = list(session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == args["batchId"])))
        theirs = (args["root"], args["entitled"], sorted(args["credits"]))
        ours = sorted(packing.word(credit.address, credit.amount) for credit in owed)
        if batch is None or theirs != (batch.root, batch.entitled, ours):
            if restoration.is_reconciling(session):
                recovery.recover(session, hub, event, now)
                return
            raise BooksDisagree(f"batch {args['batchId']} on chain is not the one frozen here")
        if _sent_in(session, event["transaction"]) is None:
            _note_skipped(session, batch.id, recovery.skipped_in(session, event["transaction"]))
        lines: list[Line] = []
        for credit in owed:
            lines += transfer(chart.pending(credit.address), chart.credit(credit.address), credit.amount)
        for e in session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)):
            lines += transfer(chart.converting(e.account), chart.entitled(e.account), e.amount)
        if lines:
            # Settled anew after a reorganisation had undone it, it is a new entry.
            first = f"batch:{batch.id}"
            ref = f"{first}:{event['key']}" if posting.is_undone(session, first) else first
            posting.post(session, ref, "batch settled", now, lines)
        refunds.hold(session, hub, [credit.address for credit in owed], event["key"], now)
        _note_claimed(session, batch.id)
        batch.state, batch.posted_at = "posted", now
        counters.add(session, {"payments_settled": batch.payment_count})
        session.add(batch)
        log.info("batch.posted", batch_id=batch.id, payments=batch.payment_count, transaction=event["transaction"])

    def minted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        account, amount = event["args"]["to"], event["args"]["value"]
        lines = transfer(chart.entitled(account), chart.gift_supply, amount)
        posting.post(session, f"minted:{event['key']}", "gift tokens minted", now, lines)
        session.get_one(Entitlement, account).claimed += amount

    def funded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        amount = event["args"]["amount"]
        lines = [Line(chart.reserve, amount), Line(chart.surplus, -amount)]
        posting.post(session, f"funded:{event['key']}", "reserve funded", now, lines)

    return {
        "channels.Settled": pulled,
        "channels.PackedClaimed": packed_claimed,
        "settlement.BatchSettled": batch_settled,
        "gift_token.Minted": minted,
        "settlement.Funded": funded,
    }


def undo(hub: Hub) -> dict[str, Handler]:
    """Takes back what `handlers` did, for events that a reorganisation has removed for good."""

    def pulled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        posting.undo(session, f"settled:{event['key']}", now)

    def packed_claimed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        pulled(session, event, now)
        if event["args"]["skipped"]:
            batch_id = _sent_in(session, event["transaction"])
            if batch_id is None:
                raise CannotUndo(f"the claims skipped in {event['transaction']}, which this hub has not sent")
            claims = batcher.claims_of(session, batch_id)
            for claim in (claims[number] for number in event["args"]["skipped"]):
                session.get_one(Channel, claim.channel_id).missing += claim.lost
                claim.skipped, claim.lost = False, 0
                session.add(claim)

    def batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        batch = session.get_one(Batch, event["args"]["batchId"])
        if batch.recovered_in is not None:
            raise CannotUndo(f"batch {batch.id}, which a restored database has learned from the chain")
        owed = select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id)
        credited = {credit.address: credit.amount for credit in session.scalars(owed)}
        refunds.let_go(session, hub, credited, event["key"], now)
        posting.undo(session, f"batch:{batch.id}", now)
        posting.undo(session, f"batch:{batch.id}:{event['key']}", now)
        for claim in batcher.claims_of(session, batch.id):
            if not claim.skipped:
                session.get_one(Channel, claim.channel_id).claimed = claim.total_claimed - claim.amount
        # As if it had been sent and not mined; what became of its transaction leads it on from there.
        batch.state, batch.posted_at = "broadcast" if batch.transaction_id else "frozen", None
        counters.add(session, {"payments_settled": -batch.payment_count})
        session.add(batch)
        log.error("batch.unposted", batch_id=batch.id)

    def minted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        posting.undo(session, f"minted:{event['key']}", now)
        session.get_one(Entitlement, event["args"]["to"]).claimed -= event["args"]["value"]

    def funded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        posting.undo(session, f"funded:{event['key']}", now)

    return {
        "channels.Settled": pulled,
        "channels.PackedClaimed": packed_claimed,
        "settlement.BatchSettled": batch_settled,
        "gift_token.Minted": minted,
        "settlement.Funded": funded,
    }


def _sent_in(session: Session, transaction: str) -> int | None:
    """The batch that a transaction of ours settles."""
    ref = session.scalar(
        select(col(ChainTransaction.ref)).where(
            col(ChainTransaction.id).in_(transaction_of(transaction)), col(ChainTransaction.kind) == "batch"
        )
    )
    return None if ref is None else int(ref)


def _note_claimed(session: Session, batch_id: int) -> None:
    for claim in batcher.claims_of(session, batch_id):
        if not claim.skipped:
            session.get_one(Channel, claim.channel_id).claimed = claim.total_claimed


def _note_skipped(session: Session, batch_id: int, numbers: Sequence[int]) -> None:
    """Between simulation and mining a channel was emptied, or claimed in another way: then nothing is missing.

    :param numbers: of the batch's claims as they were sent
    """
    if not numbers:
        return
    claims = batcher.claims_of(session, batch_id)
    for claim in (claims[number] for number in numbers):
        channel = session.get_one(Channel, claim.channel_id)
        if channel.claimed < claim.total_claimed:
            # What is lost is the reserve's loss now: the channel owes it to nobody.
            claim.skipped, claim.lost = True, min(channel.missing, claim.amount)
            channel.missing -= claim.lost
            log.error("claim.skipped", batch_id=claim.batch_id, channel_id=claim.channel_id)
