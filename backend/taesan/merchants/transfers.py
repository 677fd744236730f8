"""Invoices paid in the reserve asset itself, by a plain transfer to the merchant's payout wallet, from any wallet.

The hub never holds this money: it only recognises it, by an amount that no other invoice of that wallet has meanwhile. What is in
the newest blocks is told of as seen, and nobody else may pay; what is as deep as everything that counts has paid.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import exists, select
from sqlmodel import Session, col

from taesan.chain import transfers as on_chain
from taesan.chain.models import ChainCursor, ChainEvent, transaction_of
from taesan.chain.watcher import MAX_BLOCKS
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.values import MAX_AMOUNT
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import schedule
from taesan.merchants.transfer_terms import free_amount, spread
from taesan.payments import invoices
from taesan.payments.invoices import Invoice
from taesan.payments.transfers import Transfer, TransferOffer

GRACE = timedelta(hours=1)
"""So long after an invoice its amount is kept for it, and its wallet watched: who pays late is told apart from who pays the next."""
FREED_AT_ONCE = 500
MOST_HELD = 1_000  # amounts of a merchant


def offer(session: Session, hub: Hub, merchant: Merchant, invoice: Invoice) -> None:
    """Keeps an amount for the invoice, if it is worth a transaction, its merchant takes transfers, and neither all of them nor `MOST_HELD` are taken. To be called in
    a transaction that is alone in writing."""
    exponent = hub.asset.exponent
    most = invoice.quote + spread(exponent)
    if not hub.settings.least_relayed <= invoice.quote <= most <= MAX_AMOUNT:
        return
    if not schedule.settings_of(session, merchant).takes_transfers:
        return
    held = (col(TransferOffer.address) == merchant.address, col(TransferOffer.held_until).is_not(None))
    if len(session.scalars(select(col(TransferOffer.amount)).where(*held).limit(MOST_HELD)).all()) == MOST_HELD:
        return
    taken = select(col(TransferOffer.amount)).where(*held, col(TransferOffer.amount).between(invoice.quote, most))
    amount = free_amount(invoice.quote, set(session.scalars(taken)), exponent, invoice.public_id)
    if amount is not None:
        held_until = invoice.expires_at + GRACE
        session.add(
            TransferOffer(invoice_id=invoice.public_id, address=merchant.address, amount=amount, held_until=held_until)
        )
        session.flush()


def free_step(hub: Hub) -> bool:
    """Worker step: amounts whose time is over may be others'; returns whether there were any."""
    with hub.db.read() as session:
        # What we have not read yet may hold what was sent in time.
        until = min(hub.clock.now(), session.get_one(ChainCursor, 1).read_at)
        due = select(TransferOffer).where(col(TransferOffer.held_until) <= until)
        due = due.order_by(col(TransferOffer.held_until)).limit(FREED_AT_ONCE)
        if session.scalar(due.limit(1)) is None:
            return False
    with hub.db.write() as session:
        for row in session.scalars(due):
            row.held_until = None
    return True


# ------------------------------------------------------------ what is on chain


def wallets(session: Session) -> set[str]:
    """Those that wait for a transfer, or for one to get deep enough."""
    waiting = select(col(TransferOffer.address)).where(col(TransferOffer.held_until).is_not(None)).distinct()
    seen = select(col(Transfer.address)).where(col(Transfer.state) == "seen")
    return {*session.scalars(waiting), *session.scalars(seen)}


class Lookout:
    """Sees transfers before they count: those in the blocks after the last that does. All of these are asked for again with each
    new block, so what a reorganisation takes out of them is missed at once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._looked: tuple[int, int] | None = None

    def step(self) -> bool:
        """Worker step; returns whether there were any."""
        hub = self._hub
        with hub.db.read() as session:
            cursor = session.get_one(ChainCursor, 1)
            watched = wallets(session)
        last, head = cursor.block_number, cursor.head_block
        if not watched or self._looked == (last, head) or head - last > MAX_BLOCKS:
            return False
        events = on_chain.to_wallets(hub.node, hub.contracts, watched, last + 1, head, hub.settings.least_relayed)
        now = hub.clock.now()
        with hub.db.write() as session:
            if session.get_one(ChainCursor, 1).block_number != last:
                return False  # another worker has read on meanwhile
            for event in events:
                row = _noted(session, event.payload, now)
                if row is not None and row.state == "seen":
                    _hold(session, row)
            _miss(session, {event.key for event in events})
        self._looked = last, head
        return bool(events)


def _noted(session: Session, seen: Mapping[str, Any], now: datetime) -> Transfer | None:
    """The transfer's row, made when it is first seen; None if it is none of a customer's. :param seen: an event's payload"""
    args, key = seen["args"], _key(seen)
    if session.scalar(transaction_of(seen["transaction"])) is not None:
        return None  # we have sent it: payments by `exact`, which have rows of their own
    row = session.scalar(select(Transfer).where(col(Transfer.key) == key))
    mined_at = datetime.fromtimestamp(seen["block_time"], UTC)
    if row is None:
        merchant_id = session.scalar(select(col(Merchant.id)).where(col(Merchant.address) == args["to"]))
        if merchant_id is None:
            return None
        row = Transfer(
            public_id=new_id("tra"),
            key=key,
            merchant_id=merchant_id,
            address=args["to"],
            sender=args["from"],
            amount=args["value"],
            invoice_id=_whose(session, args["to"], args["value"]),
            state="seen",
            transaction_hash=seen["transaction"],
            block_number=seen["block_number"],
            mined_at=mined_at,
            seen_at=now,
        )
    row.block_number, row.mined_at = seen["block_number"], mined_at
    if row.state == "gone":
        row.state = "seen"
    session.add(row)
    session.flush()
    return row


def _key(seen: Mapping[str, Any]) -> str:
    """Without the name that an event gets which comes back after it was un-posted."""
    return str(seen["key"]).partition("@")[0]


def _whose(session: Session, address: str, amount: int) -> str | None:
    """The invoice that has this amount, or was the last to have it."""
    having = select(col(TransferOffer.invoice_id)).where(
        col(TransferOffer.address) == address, col(TransferOffer.amount) == amount
    )
    return session.scalar(having.order_by(col(TransferOffer.invoice_id).desc()).limit(1))


def _in_time(row: Transfer, invoice: Invoice) -> bool:
    """By its block or by when we saw it: neither a hub that was away nor a chain whose clock is ahead makes anybody late."""
    return min(row.mined_at, row.seen_at) < invoice.expires_at


def _hold(session: Session, row: Transfer) -> None:
    """Nobody else may pay its invoice while it is getting deeper."""
    invoice = _invoice(session, row)
    if invoice is not None and invoice.state in ("open", "expired") and _in_time(row, invoice):
        invoice.state, invoice.paid_by = "paying", row.public_id
        session.add(invoice)


def _miss(session: Session, visible: set[str]) -> None:
    """What was seen, and is neither in the newest blocks nor among the events that count, is gone: others may pay again."""
    counts = exists().where(col(ChainEvent.event_key) == col(Transfer.key), ~col(ChainEvent.orphaned))
    for row in session.scalars(select(Transfer).where(col(Transfer.state) == "seen", ~counts)):
        if row.key not in visible:
            row.state = "gone"
            _reopen(session, row, "paying")


def _reopen(session: Session, row: Transfer, state: str) -> None:
    invoice = _invoice(session, row)
    if invoice is not None and invoice.state == state and invoice.paid_by == row.public_id:
        invoice.state, invoice.paid_at, invoice.paid_by = "open", None, None
        session.add(invoice)


def _invoice(session: Session, row: Transfer) -> Invoice | None:
    if row.invoice_id is None:
        return None
    return session.scalar(select(Invoice).where(col(Invoice.public_id) == row.invoice_id))


# ----------------------------------------------------------------- what counts


def handlers(hub: Hub) -> dict[str, Handler]:
    def transferred(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = _noted(session, event, now)
        if row is not None:
            row.confirmed_at = now
            row.state = _settled(session, row, now)

    return {on_chain.EVENT: transferred}


def _settled(session: Session, row: Transfer, now: datetime) -> str:
    """Pays its invoice, if it can. Money that has arrived goes before what is still on its way for the same invoice."""
    invoice = _invoice(session, row)
    if invoice is None:
        return "unmatched"
    if invoice.state == "paid":
        return "paid" if invoice.paid_by == row.public_id else "twice"
    if invoice.state == "cancelled" or not _in_time(row, invoice):
        return "late"
    invoices.mark_paid(invoice, row.public_id, now)
    session.add(invoice)
    invoices.tell(session, invoices.PAID, [invoice], now)
    return "paid"


def undo(hub: Hub) -> dict[str, Handler]:
    """Takes back what `handlers` did, for events that a reorganisation has removed for good."""

    def transferred(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(select(Transfer).where(col(Transfer.key) == _key(event)))
        if row is not None:
            row.state, row.confirmed_at = "gone", None
            session.add(row)
            _reopen(session, row, "paid")

    return {on_chain.EVENT: transferred}
