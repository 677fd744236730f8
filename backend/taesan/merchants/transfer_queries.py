"""Reading what was transferred, and what an invoice's payer has to transfer."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainCursor
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants.models import InvoiceTransfer, MoneyOut, TransferPublic
from taesan.merchants.transfer_terms import transfer_uri
from taesan.payments.invoices import Invoice
from taesan.payments.transfers import Transfer, TransferOffer


def find(session: Session, merchant: Merchant, transfer_id: str) -> Transfer:
    """One of the merchant's own. :param transfer_id: `tra_…`. :raises Problem: `not-found`"""
    query = select(Transfer).where(col(Transfer.public_id) == transfer_id, col(Transfer.merchant_id) == merchant.id)
    row = session.scalar(query)
    if row is None:
        raise not_found("The transfer", transfer_id)
    return row


def of_merchant(
    session: Session, merchant: Merchant, state: str | None, before: int | None, limit: int
) -> Sequence[Transfer]:
    query = select(Transfer).where(col(Transfer.merchant_id) == merchant.id)
    if state is not None:
        query = query.where(col(Transfer.state) == state)
    return newest_first(session, query, col(Transfer.id), before, limit)


def public(row: Transfer) -> TransferPublic:
    return TransferPublic(
        id=row.public_id,
        state=row.state,
        invoice_id=row.invoice_id,
        sender=row.sender,
        amount=row.amount,
        transaction=row.transaction_hash,
        block_number=row.block_number,
        seen_at=rfc3339(row.seen_at),
        confirmed_at=rfc3339(row.confirmed_at) if row.confirmed_at else None,
    )


def for_payer(session: Session, hub: Hub, invoice: Invoice, state: str) -> InvoiceTransfer | None:
    """None if the invoice is not, or no longer, to be paid so, or is being paid in another way. :param state: as it is now"""
    offered = session.get(TransferOffer, invoice.public_id) if state in ("open", "paying") else None
    if offered is None:
        return None
    seen = None
    if state == "paying":
        seen = session.scalar(select(Transfer).where(col(Transfer.public_id) == invoice.paid_by))
        if seen is None:
            return None
    depth, asset = hub.settings.depth, hub.asset
    return InvoiceTransfer(
        to=offered.address,
        amount=MoneyOut(value=offered.amount, asset=asset.id, exponent=asset.exponent),
        uri=transfer_uri(asset, offered.address, offered.amount),
        confirmations=None if seen is None else _confirmations(session, seen, depth),
        confirmations_needed=depth,
    )


def _confirmations(session: Session, seen: Transfer, depth: int) -> int:
    head = session.get_one(ChainCursor, 1).head_block
    return min(max(head - seen.block_number, 0), depth)


def refuse_refund(session: Session, merchant: Merchant, source: str) -> None:
    """:raises Problem: `paid-on-chain` if that is a transfer to the merchant"""
    query = select(Transfer).where(col(Transfer.public_id) == source, col(Transfer.merchant_id) == merchant.id)
    row = session.scalar(query)
    if row is not None:
        raise Problem(
            "paid-on-chain",
            409,
            "The hub does not hold this money: send it back from your payout wallet.",
            f"{row.sender} has sent {row.amount} minor units straight to {row.address}. Ask who paid where it should go back "
            "to: what an exchange has sent is not to be sent there.",
            sender=row.sender,
            amount=str(row.amount),
        )
