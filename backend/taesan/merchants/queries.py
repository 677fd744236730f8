"""Reading a merchant's account, redemptions and payouts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.core.pages import newest_first
from taesan.core.problems import not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.merchants.models import AccountPublic, Payout, PayoutPublic, Redemption, RedemptionPublic


def find_redemption(session: Session, merchant: Merchant, redemption_id: str) -> Redemption:
    """One of the merchant's own. :param redemption_id: `red_…`. :raises Problem: `not-found`"""
    row = session.scalar(
        select(Redemption).where(col(Redemption.public_id) == redemption_id, col(Redemption.merchant_id) == merchant.id)
    )
    if row is None:
        raise not_found("The redemption", redemption_id)
    return row


def find_payout(session: Session, merchant: Merchant, payout_id: str) -> Payout:
    """One of the merchant's own. :param payout_id: `out_…`. :raises Problem: `not-found`"""
    row = session.scalar(
        select(Payout).where(col(Payout.public_id) == payout_id, col(Payout.merchant_id) == merchant.id)
    )
    if row is None:
        raise not_found("The payout", payout_id)
    return row


def redemptions_of(session: Session, merchant: Merchant, before: int | None, limit: int) -> Sequence[Redemption]:
    query = select(Redemption).where(col(Redemption.merchant_id) == merchant.id)
    return newest_first(session, query, col(Redemption.id), before, limit)


def payouts_of(session: Session, merchant: Merchant, before: int | None, limit: int) -> Sequence[Payout]:
    query = select(Payout).where(col(Payout.merchant_id) == merchant.id)
    return newest_first(session, query, col(Payout.id), before, limit)


def public_account(session: Session, hub: Hub, merchant: Merchant) -> AccountPublic:
    return AccountPublic(
        merchant_id=merchant.id,
        pending=posting.balance(session, hub.chart.pending(merchant.address)),
        credit=posting.balance(session, hub.chart.credit(merchant.address)),
        paying_out=posting.balance(session, hub.chart.paying_out(merchant.address)),
        refunding=posting.balance(session, hub.chart.refunding(merchant.address)),
        budget=posting.balance(session, hub.chart.budget(merchant.address)),
    )


def public_redemption(session: Session, row: Redemption) -> RedemptionPublic:
    return RedemptionPublic(
        id=row.public_id,
        holder=row.holder,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=_hash(session, row.transaction_id),
        invoice_id=row.invoice_id,
    )


def public_payout(session: Session, row: Payout) -> PayoutPublic:
    return PayoutPublic(
        id=row.public_id,
        address=row.address,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=_hash(session, row.transaction_id),
        period=row.period,
    )


def _hash(session: Session, transaction_id: int | None) -> str | None:
    transaction = session.get(ChainTransaction, transaction_id) if transaction_id else None
    return transaction.hash if transaction else None
