"""Draws on a gateway's funding for the payments that wait, in order of arrival: never more than is deposited, confirmed and
signed. What it does not cover waits until it grows."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.gateways import news, releases
from taesan.gateways.drawing import Draw, Funding, draws
from taesan.gateways.models import Gateway, GatewayCustomer, GatewayPayment
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.payments import intake
from taesan.payments.models import MAX_BULK
from taesan.payments.terms import terms_of

DRAWN = "drawn for a gateway's customers"  # the entries' kind


def draw_step(hub: Hub) -> bool:
    """Worker step: draws where funding has grown; returns whether any was."""
    with hub.db.read() as session:
        waiting = session.scalars(
            select(col(Gateway.id)).where(col(Gateway.waiting) > 0).order_by(col(Gateway.waiting), col(Gateway.id))
        ).all()
        due = [id_ for id_ in waiting if _first_fits(session, hub, id_)]
    for id_ in due:
        with hub.db.write() as session:
            draw(session, hub, session.get_one(Gateway, id_), hub.clock.now())
    return bool(due)


def _first_fits(session: Session, hub: Hub, gateway_id: str) -> bool:
    gateway = session.get_one(Gateway, gateway_id)
    return bool(_planned(session, hub, gateway, _waiting(session, gateway, 1), hub.clock.now()))


def draw(session: Session, hub: Hub, gateway: Gateway, now: datetime, new: Collection[int | None] = ()) -> None:
    """Draws for the first of its waiting payments, as many as the funding covers, a bulk of them at most.

    :param new: ids of those that nobody was told of before, and so have not been waiting
    """
    rows = _waiting(session, gateway, MAX_BULK)
    planned = _planned(session, hub, gateway, rows, now)
    if not planned:
        return
    customers = _customers(session, rows)
    amounts: dict[int, int] = defaultdict(int)
    counts: dict[int, int] = defaultdict(int)
    for row, taken in zip(rows, planned, strict=False):
        row.state, row.drawn_at, row.paid_back = "drawn", now, taken.paid_back
        gateway.waiting -= 1
        gateway.waiting_amount -= row.amount
        customers[row.customer_id].owed -= taken.paid_back
        amounts[row.customer_id] += taken.amount
        counts[row.customer_id] += 1
    _book(session, hub, gateway, rows[0], {customers[id_].public_id: n for id_, n in amounts.items() if n}, now)
    session.add(gateway)
    for id_, count in counts.items():
        customers[id_].payments += count
        session.add(customers[id_])
        releases.fire(session, hub, gateway, customers[id_], now)
    session.flush()
    news.drawn(session, [row for row in rows[: len(planned)] if row.id not in new], now)


def _planned(session: Session, hub: Hub, gateway: Gateway, rows: Sequence[GatewayPayment], now: datetime) -> list[Draw]:
    """What may be drawn now; nothing while a withdrawal may be on its way, or the chain is not heard from."""
    if not rows or gateway.channel_id is None or intake.view_problem(session, terms_of(hub), now):
        return []
    channel = session.get_one(Channel, gateway.channel_id)
    if channel.state != "open" or channel.quarantine_id is not None:
        return []
    funding = Funding(
        posting.balance(session, hub.chart.channel(channel.id)),
        gateway.signed,
        gateway.drawn,
        channel.claimed,
        hub.settings.channel_exposure,
    )
    owed = {id_: customer.owed for id_, customer in _customers(session, rows).items()}
    return draws([(row.customer_id, row.amount) for row in rows], owed, funding.room)


def _book(
    session: Session, hub: Hub, gateway: Gateway, first: GatewayPayment, amounts: Mapping[str, int], now: datetime
) -> None:
    """:param first: of the payments, which names the entry: each is drawn for once. :param amounts: by customers"""
    total = sum(amounts.values())
    if not total:
        return
    assert gateway.channel_id is not None
    lines: list[Line] = []
    for customer, amount in amounts.items():
        lines += transfer(hub.chart.channel(gateway.channel_id), hub.chart.gathered(customer), amount)
    posting.post(session, f"drawn:{first.public_id}", DRAWN, now, lines)
    gateway.drawn += total
    gateway.drawn_since = gateway.drawn_since or now


def _waiting(session: Session, gateway: Gateway, most: int) -> Sequence[GatewayPayment]:
    """In order of arrival."""
    return session.scalars(
        select(GatewayPayment)
        .where(
            col(GatewayPayment.gateway_id) == gateway.id,
            col(GatewayPayment.drawn_at).is_(None),
            col(GatewayPayment.refunded_at).is_(None),
        )
        .order_by(col(GatewayPayment.id))
        .limit(most)
    ).all()


def _customers(session: Session, rows: Sequence[GatewayPayment]) -> dict[int, GatewayCustomer]:
    ids = {row.customer_id for row in rows}
    found = session.scalars(select(GatewayCustomer).where(col(GatewayCustomer.id).in_(ids)))
    return {customer.id or 0: customer for customer in found}
