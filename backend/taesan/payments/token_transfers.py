"""Signed transfers of gift tokens as they are checked, stored and read. `gathering.py` brings them to the chain."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from taesan.chain import erc3009
from taesan.chain.erc3009 import SignedTransfer
from taesan.chain.models import ChainCursor
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found, too_small
from taesan.hub import Hub
from taesan.jars import prospects
from taesan.payments import direct
from taesan.payments.decision import invalid_recipient
from taesan.payments.gathering import Gathering
from taesan.payments.token_models import TokenTransfer, TokenTransferPublic

KIND = "token transfers"
PERSON = "person"


def gathering(hub: Hub) -> Gathering:
    return Gathering(hub, TokenTransfer, KIND, hub.settings.exact_max_items)


# ------------------------------------------------------------------- checking


def check(hub: Hub, transfer: SignedTransfer, now: datetime) -> int:
    """Asks the node last; returns what the holder has, minor units.

    :raises Problem: `amount-too-small`, `cannot-gather`, `invalid-recipient`, `invalid-token-transfer`, `node-unavailable`
    """
    if transfer.amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    check_word(hub, transfer, now)
    found = erc3009.look(hub.node, hub.contracts, transfer, hub.signer.address)
    if found.is_used:
        raise invalid("Its nonce was used or cancelled.")
    if found.balance < transfer.amount:
        raise _too_little(found.balance)
    if found.refusal is not None:
        raise invalid(f"The token would refuse it: {found.refusal}.")
    return found.balance


def check_word(hub: Hub, transfer: SignedTransfer, now: datetime) -> None:
    """What can be said without the node: recipient, times, signature. :raises Problem: as `check`"""
    if hub.gift.address not in hub.gathered:
        raise Problem(
            "cannot-gather",
            409,
            "This hub cannot bring signed transfers to its chain.",
            "There is no Multicall3 on it: the holder has to send the tokens itself.",
        )
    check_recipient(hub, transfer.payer, transfer.pay_to)
    unix_s = int(now.timestamp())
    if transfer.valid_after > unix_s:
        raise invalid("It is not valid yet: look at valid_after.")
    if transfer.valid_before < unix_s + direct.LEAST_LIFE_S:
        raise invalid(f"It must be good for {direct.LEAST_LIFE_S} s more: look at valid_before.")
    if not transfer.is_signed(hub.gift):
        raise invalid(f"It is not signed by the key of {transfer.payer} for this recipient, amount, time and nonce.")


def check_recipient(hub: Hub, payer: str, recipient: str) -> None:
    """:raises Problem: `invalid-recipient` for who could not use it, or has it already"""
    if recipient == payer or recipient in hub.contracts.deployment.dead_ends:
        raise invalid_recipient(recipient)


def invalid(detail: str) -> Problem:
    return Problem("invalid-token-transfer", 422, "The signed transfer of gift tokens cannot be used.", detail)


def _too_little(free: int) -> Problem:
    return invalid(f"The holder has {free} minor units of gift tokens that are not promised to somebody else.")


# -------------------------------------------------------------------- storing


def store(
    session: Session, hub: Hub, transfer: SignedTransfer, purpose: str, now: datetime, balance: int | None = None
) -> TokenTransfer:
    """Keeps a checked one for the next gathering; the caller's commit makes it accepted.

    :param balance: what the holder has; None: that does not matter
    :raises Problem: `invalid-recipient` for a pool of the market, `invalid-token-transfer` if it came before, or if what the holder has is promised to others already
    """
    if transfer.pay_to in prospects.pools_listed(session):
        raise invalid_recipient(transfer.pay_to)
    known = select(col(TokenTransfer.public_id)).where(
        col(TokenTransfer.payer) == transfer.payer, col(TokenTransfer.nonce) == transfer.nonce
    )
    if (before := session.scalar(known)) is not None:
        raise invalid(f"This nonce was received before, as {before}.")
    if balance is not None and (free := balance - pending(session, transfer.payer)) < transfer.amount:
        raise _too_little(max(0, free))
    row = TokenTransfer(
        public_id=new_id("tok"),
        purpose=purpose,
        state="received",
        due_at=_due(hub, transfer, now),
        accepted_at=now,
        accepted_block=session.get_one(ChainCursor, 1).head_block,
        **vars(transfer),
    )
    session.add(row)
    session.flush()
    return row


def _due(hub: Hub, transfer: SignedTransfer, now: datetime) -> datetime:
    latest = direct.moment(transfer.valid_before) - timedelta(seconds=direct.LANDING_S)
    return max(now, min(now + timedelta(seconds=hub.settings.token_gather_s), latest))


def hurry(session: Session, row: TokenTransfer, now: datetime) -> None:
    """Somebody waits for it, who would rather not."""
    is_waiting = col(TokenTransfer.state) == "received", col(TokenTransfer.due_at) > now
    session.execute(update(TokenTransfer).where(col(TokenTransfer.id) == row.id, *is_waiting).values(due_at=now))


def pending(session: Session, payer: str) -> int:
    """What a holder has signed over and the chain has not carried out yet."""
    found = select(func.sum(col(TokenTransfer.amount))).where(
        col(TokenTransfer.payer) == payer, col(TokenTransfer.state).in_(direct.UNSETTLED)
    )
    return int(session.scalar(found) or 0)


# -------------------------------------------------------------------- reading


def find(session: Session, transfer_id: str) -> TokenTransfer:
    """:param transfer_id: `tok_…`. :raises Problem: `not-found`"""
    row = session.scalar(select(TokenTransfer).where(col(TokenTransfer.public_id) == transfer_id))
    if row is None:
        raise not_found("The transfer", transfer_id)
    return row


def sent_by(session: Session, payer: str, before: int | None, limit: int) -> Sequence[TokenTransfer]:
    """To persons; parts of gifts are told with their gifts."""
    query = select(TokenTransfer).where(col(TokenTransfer.payer) == payer, col(TokenTransfer.purpose) == PERSON)
    return newest_first(session, query, col(TokenTransfer.id), before, limit)


def public(row: TokenTransfer) -> TokenTransferPublic:
    return TokenTransferPublic(
        id=row.public_id,
        sender=row.payer,
        recipient=row.pay_to,
        amount=row.amount,
        state={"confirmed": "done", "failed": "failed"}.get(row.state, "pending"),
        reason=row.reason,
        accepted_at=rfc3339(row.accepted_at),
        transaction=row.transaction_hash,
    )
