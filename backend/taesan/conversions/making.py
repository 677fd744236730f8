"""Conversions come to be when a batch is posted: then the gift tokens of the firings that it took along are in their payers' wallets."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from eth_utils.address import to_checksum_address
from sqlalchemy import delete, select
from sqlmodel import Session, col

from taesan.conversions.models import DESTINATIONS, Conversion
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.values import MAX_AMOUNT
from taesan.hub import Hub
from taesan.jars import rules
from taesan.jars.market_models import CollectibleOffer, ListedPool
from taesan.jars.models import JarFiring
from taesan.jars.rule_models import SignedRule
from taesan.jars.signed import WALLET


def handlers(hub: Hub) -> dict[str, Handler]:
    def batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        make(session, event["args"]["batchId"], now)

    def pool_listed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        session.merge(ListedPool(token=event["args"]["token"], pool=event["args"]["pool"]))

    def collectible_offered(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """One that no rule can name, or no amount pays, counts as not offered."""
        args = event["args"]
        if args["collectible"] >= 1 << 160:
            return
        token = to_checksum_address(f"0x{args['collectible']:040x}")
        price = args["price"] if args["price"] <= MAX_AMOUNT else 0
        session.add(CollectibleOffer(event=event["key"], token=token, beneficiary=args["beneficiary"], price=price))

    def rule_cancelled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """Anybody can cancel numbers of his own that nobody knows."""
        payer, number = event["args"]["payer"], event["args"]["id"]
        if number > MAX_AMOUNT:
            return
        rule = session.scalar(
            select(SignedRule).where(col(SignedRule.payer) == payer, col(SignedRule.number) == number)
        )
        if rule is not None:
            rules.end(session, rule, "cancelled", "cancelled-on-chain", now)

    return {
        "settlement.BatchSettled": batch_settled,
        "standing_orders.PoolListed": pool_listed,
        "standing_orders.CollectibleOffered": collectible_offered,
        "standing_orders.RuleCancelled": rule_cancelled,
    }


def undo(hub: Hub) -> dict[str, Handler]:
    def batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """What was sent stays: the chain says what becomes of it. And what its payer has kept, she has kept."""
        of_batch = col(Conversion.batch_id) == event["args"]["batchId"]
        session.execute(delete(Conversion).where(of_batch, col(Conversion.state).in_(["waiting", "held"])))

    def pool_listed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        session.execute(delete(ListedPool).where(col(ListedPool.token) == event["args"]["token"]))

    def collectible_offered(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        session.execute(delete(CollectibleOffer).where(col(CollectibleOffer.event) == event["key"]))

    def rule_cancelled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """It stays ended: its payer has said so."""

    return {
        "settlement.BatchSettled": batch_settled,
        "standing_orders.PoolListed": pool_listed,
        "standing_orders.CollectibleOffered": collectible_offered,
        "standing_orders.RuleCancelled": rule_cancelled,
    }


_IN_TURN = col(JarFiring.rule_id), col(JarFiring.fired_before)


def _stretches(firings: Iterable[JarFiring]) -> Iterator[tuple[int, int, int]]:
    """Rule, what it had fired before, and how much: firings that follow each other are split as one, for there may be thousands."""
    rule_id, before, amount = 0, 0, 0
    for firing in firings:
        assert firing.rule_id is not None
        assert firing.fired_before is not None
        if (firing.rule_id, firing.fired_before) != (rule_id, before + amount):
            if amount:
                yield rule_id, before, amount
            rule_id, before, amount = firing.rule_id, firing.fired_before, 0
        amount += firing.amount
    if amount:
        yield rule_id, before, amount


def make(session: Session, batch_id: int, now: datetime) -> None:
    """All that a batch brought to a rule's destination is one conversion. Safe to repeat."""
    fired = (col(JarFiring.batch_id) == batch_id, col(JarFiring.rule_id).is_not(None), ~col(JarFiring.returned))
    amounts: Counter[tuple[int, int]] = Counter()
    for rule_id, before, amount in _stretches(session.scalars(select(JarFiring).where(*fired).order_by(*_IN_TURN))):
        for part in rules.split(session.get_one(SignedRule, rule_id), before, amount):
            if part.destination.kind != WALLET:
                amounts[rule_id, part.number] += part.amount
    there = select(col(Conversion.rule_id), col(Conversion.destination)).where(col(Conversion.batch_id) == batch_id)
    known = {(rule_id, destination) for rule_id, destination in session.execute(there)}
    for (rule_id, number), amount in amounts.items():
        if (rule_id, number) in known:
            continue
        assert number < DESTINATIONS
        rule = session.get_one(SignedRule, rule_id)
        session.add(
            Conversion(
                public_id=new_id("cnv"),
                channel_id=rule.channel_id,
                payer=rule.payer,
                rule_id=rule_id,
                batch_id=batch_id,
                destination=number,
                kind=rule.signed.destinations[number].kind,
                amount=amount,
                due_at=now,
                created_at=now,
            )
        )
    session.flush()
