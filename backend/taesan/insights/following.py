"""Follows payments, refunds and what gateways report, each once and in its order, and keeps what is a person's. A page is one
transaction with the cursor's move; and as no intake is at work meanwhile, none with a lower number can come later.

What has its end later (a gateway's payment that is drawn or refunded, a direct payment or a redemption that gets to the chain, or is
removed from it) comes as an event, and so does who has linked a wallet.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlmodel import Session, col

from taesan.core.outbox import Handler
from taesan.core.pages import newest_id
from taesan.gateways import news
from taesan.gateways.models import GatewayCustomer, GatewayPayment
from taesan.hub import Hub
from taesan.insights import changes, doubles, reading
from taesan.insights.models import Filling, InsightsCursor, MovementRow, PersonWallet
from taesan.insights.reading import Owned
from taesan.merchants import redemption
from taesan.merchants.models import Redemption
from taesan.payments import gathering
from taesan.payments.direct_models import DirectPayment
from taesan.payments.models import Payment
from taesan.settlement.models import Refund

PAGE = 500


def started(session: Session) -> InsightsCursor:
    """Where the following is; with the first person it begins, behind all that there is."""
    found = session.get(InsightsCursor, 1)
    if found is not None:
        return found
    row = InsightsCursor(
        payment_id=newest_id(session, col(Payment.id)),
        refund_id=newest_id(session, col(Refund.id)),
        gateway_payment_id=newest_id(session, col(GatewayPayment.id)),
    )
    session.add(row)
    session.flush()
    return row


def follow_step(hub: Hub) -> bool:
    """Worker step: a page of each that has more; returns whether there may be more."""
    with hub.db.read() as session:
        at = session.get(InsightsCursor, 1)
        if at is None or not _is_behind(session, at):
            return False
    with hub.db.write() as session:
        at = session.get_one(InsightsCursor, 1)
        last = _end(at.payment_id, newest_id(session, col(Payment.id)))
        number = col(Payment.id)
        paid = reading.payments().where(number > at.payment_id, number <= last).order_by(number)
        reading.take_payments(session, hub, reading.page(session, paid))
        at.payment_id = last
        last, number = _end(at.refund_id, newest_id(session, col(Refund.id))), col(Refund.id)
        given_back = reading.refunds().where(number > at.refund_id, number <= last).order_by(number)
        reading.take_refunds(session, hub, reading.page(session, given_back))
        at.refund_id = last
        last, number = _end(at.gateway_payment_id, newest_id(session, col(GatewayPayment.id))), col(GatewayPayment.id)
        reported = reading.reports().where(number > at.gateway_payment_id, number <= last).order_by(number)
        reading.take_reports(session, hub, reading.page(session, reported))
        at.gateway_payment_id = last
        session.add(at)
        return _is_behind(session, at)


def _is_behind(session: Session, at: InsightsCursor) -> bool:
    return (
        newest_id(session, col(Payment.id)) > at.payment_id
        or newest_id(session, col(Refund.id)) > at.refund_id
        or newest_id(session, col(GatewayPayment.id)) > at.gateway_payment_id
    )


def _end(after: int, newest: int) -> int:
    """A page is so many numbers, whosever rows they are: it takes as long for one person as for many."""
    return max(after, min(newest, after + PAGE))


# -------------------------------------------------------------------- events


def handlers(hub: Hub) -> dict[str, Handler]:
    def payments_changed(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
        changed = reading.reports().where(col(GatewayPayment.id).in_(payload["ids"]))
        reading.take_reports(session, hub, reading.page(session, changed))

    def direct_payments_confirmed(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
        arrived = reading.direct_payments().where(col(DirectPayment.id).in_(payload["ids"]))
        reading.take_direct_payments(session, hub, reading.page(session, arrived))

    def redemption_confirmed(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
        arrived = reading.redemptions().where(col(Redemption.public_id) == payload["id"])
        reading.take_redemptions(session, hub, reading.page(session, arrived))

    def direct_payments_gone(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
        query = reading.of_persons(select(DirectPayment), col(DirectPayment.payer))
        _remove(session, reading.page(session, query.where(col(DirectPayment.id).in_(payload["ids"]))))

    def redemption_gone(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
        query = reading.of_persons(select(Redemption), col(Redemption.holder))
        _remove(session, reading.page(session, query.where(col(Redemption.public_id) == payload["id"])))

    return {
        news.PAYMENTS_CHANGED: payments_changed,
        news.CUSTOMER_LINKED: _customer_linked,
        gathering.CONFIRMED: direct_payments_confirmed,
        gathering.GONE: direct_payments_gone,
        "merchants.RedemptionConfirmed": redemption_confirmed,
        redemption.CAME_BACK: redemption_confirmed,
        redemption.GONE: redemption_gone,
    }


def _remove(session: Session, found: Sequence[Owned]) -> None:
    """What was spent by payments that the chain does not have any more."""
    for owned in found:
        row = MovementRow
        spent = (col(row.source) == "hub", col(row.kind) == "spent", col(row.key) == owned.row.public_id)
        ids = session.scalars(select(col(row.id)).where(col(row.owner) == owned.owner, *spent))
        gone = [id_ for id_ in ids if id_ is not None]
        changes.note_those_of(session, owned.owner, gone)
        session.execute(delete(row).where(col(row.id).in_(gone)))
        doubles.release(session, owned.owner, gone)


def _customer_linked(session: Session, payload: Mapping[str, Any], _now: datetime) -> None:
    """What was reported of the customer before becomes known as its wallet's."""
    customer = session.get_one(GatewayCustomer, payload["id"])
    assert customer.wallet is not None
    person = session.get(PersonWallet, customer.wallet)
    if person is not None:
        row = Filling(owner=person.owner, wallet=customer.wallet, source="gateway", subject=payload["id"])
        session.add(row)
        session.flush()
