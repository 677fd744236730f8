"""Reading gifts."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.gifts import service
from taesan.gifts.models import Gift, GiftPublic, WayBack
from taesan.gifts.states import state_of
from taesan.hub import Hub


def public(session: Session, hub: Hub, gift: Gift, now: datetime) -> GiftPublic:
    transfers = service.transfers_of(session, gift)
    known = state_of(service.steps_of(transfers), gift.expires_at, now)
    newest = transfers.get(service.RETURN) or transfers.get(service.CLAIM) or transfers[service.WRAP]
    claim = transfers.get(service.CLAIM)
    return GiftPublic(
        id=gift.public_id,
        state=known,
        sender=gift.sender,
        sender_name=gift.sender_name,
        message=gift.message,
        asset=f"{hub.contracts.network}/erc20:{hub.gift.address}",
        amount=gift.amount,
        exponent=hub.gift.exponent,
        currency=hub.settings.asset_currency,
        key_address=gift.key_address,
        made_at=rfc3339(gift.made_at),
        expires_at=rfc3339(gift.expires_at),
        claimed_at=rfc3339(claim.accepted_at) if claim is not None and known in ("claiming", "claimed") else None,
        reason=newest.reason,
        transaction=newest.transaction_hash,
        taking_back=_way_back(hub, gift),
        url=f"{hub.settings.public_url.rstrip('/')}/gifts/{gift.public_id}",
    )


def _way_back(hub: Hub, gift: Gift) -> WayBack:
    back = service.stored_back(hub, gift)
    return WayBack(
        sender=back.payer,
        recipient=back.pay_to,
        amount=back.amount,
        valid_after=back.valid_after,
        valid_before=back.valid_before,
        nonce=back.nonce,
        signature=back.signature,
    )


def sent_by(session: Session, sender: str, before: int | None, limit: int) -> Sequence[Gift]:
    return newest_first(session, select(Gift).where(col(Gift.sender) == sender), col(Gift.id), before, limit)
