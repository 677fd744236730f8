"""Gift links: made, claimed, taken back. The tokens go from the sender to the link's key, and from there to whoever has the
link or, after its end, back: each time by a signature that the hub only relays, so that it can neither keep nor redirect them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.chain import erc3009
from taesan.chain.erc3009 import SignedTransfer
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.gifts.models import RETURN_LIFE_S, Gift, GiftClaim, GiftCreate
from taesan.gifts.states import Steps, state_of
from taesan.hub import Hub
from taesan.payments import direct, token_transfers
from taesan.payments.token_models import TokenTransfer

WRAP, CLAIM, RETURN = "wrap", "claim", "return"
DAY_S = 86_400


def forget_words(session: Session, senders: Collection[str]) -> None:
    """Removes the names and messages that stand beside the gifts of these wallets; the gifts themselves go on."""
    theirs = update(Gift).where(col(Gift.sender).in_(senders))
    session.execute(theirs.values(sender_name="", message=""))


def find(session: Session, gift_id: str) -> Gift:
    """:param gift_id: `gift_…`. :raises Problem: `not-found`"""
    row = session.scalar(select(Gift).where(col(Gift.public_id) == gift_id))
    if row is None:
        raise not_found("The gift", gift_id)
    return row


def transfers_of(session: Session, gift: Gift) -> dict[str, TokenTransfer]:
    """By their part in it: those that there are."""
    ids = {gift.wrap_id: WRAP, gift.claim_id: CLAIM, gift.return_id: RETURN}
    found = session.scalars(select(TokenTransfer).where(col(TokenTransfer.id).in_([id_ for id_ in ids if id_])))
    return {ids[row.id]: row for row in found}


def steps_of(transfers: dict[str, TokenTransfer]) -> Steps:
    claim, back = transfers.get(CLAIM), transfers.get(RETURN)
    return Steps(transfers[WRAP].state, claim.state if claim else None, back.state if back else None)


def state(session: Session, gift: Gift, now: datetime) -> str:
    return state_of(steps_of(transfers_of(session, gift)), gift.expires_at, now)


# --------------------------------------------------------------------- making


def check(hub: Hub, asked: GiftCreate, now: datetime) -> int:
    """Both signatures, and whether the tokens are there; returns how many the sender has.

    :raises Problem: `invalid-gift`, and as `token_transfers.check`
    """
    ends_in = asked.expires_at - now.timestamp()
    least, most = hub.settings.gift_least_s, hub.settings.gift_most_days * DAY_S
    if not least <= ends_in <= most:
        raise _invalid(f"expires_at must be {least} to {most} s from now, it is {ends_in:.0f}.")
    if asked.key_address == asked.sender:
        raise _invalid("The link needs a key of its own.")
    if not _back(hub, asked).is_signed(hub.gift):
        raise _invalid("taking_back is not signed by the link's key for the sender, amount and time.")
    return token_transfers.check(hub, _wrap(hub, asked), now)


def make(session: Session, hub: Hub, asked: GiftCreate, balance: int, now: datetime) -> Gift:
    """Stores a checked one; its tokens go with the next gathering. :raises Problem: `invalid-gift`, `invalid-token-transfer`"""
    known = session.scalar(select(col(Gift.public_id)).where(col(Gift.key_address) == asked.key_address))
    if known is not None:
        raise _invalid(f"The link's key has been used before, for {known}: make a new one for each gift.")
    used = col(TokenTransfer.payer) == asked.key_address, col(TokenTransfer.nonce) == asked.taking_back.nonce
    if (before := session.scalar(select(col(TokenTransfer.public_id)).where(*used))) is not None:
        raise _invalid(f"The nonce of taking_back was used before, in {before}: make a new one.")
    wrap = store(session, hub, _wrap(hub, asked), WRAP, now, balance)
    assert wrap.id is not None
    expires_at = direct.moment(asked.expires_at)
    row = Gift(
        public_id=new_id("gift"),
        sender=asked.sender,
        key_address=asked.key_address,
        amount=asked.amount,
        message=asked.message,
        sender_name=asked.sender_name,
        made_at=now,
        expires_at=expires_at,
        return_nonce=asked.taking_back.nonce,
        return_signature=asked.taking_back.signature,
        wrap_id=wrap.id,
        look_at=min(now + timedelta(days=hub.settings.gift_reminder_days), expires_at),
    )
    session.add(row)
    session.flush()
    return row


def store(
    session: Session, hub: Hub, transfer: SignedTransfer, purpose: str, now: datetime, balance: int | None = None
) -> TokenTransfer:
    """As `token_transfers.store`, but for what would use up the nonce that takes a gift back: whoever has its link could sign it.

    :raises Problem: `invalid-token-transfer`
    """
    of_gift = col(Gift.key_address) == transfer.payer, col(Gift.return_nonce) == transfer.nonce
    if session.scalar(select(col(Gift.id)).where(*of_gift)) is not None:
        raise token_transfers.invalid("This nonce is kept for the gift's way back to its sender.")
    return token_transfers.store(session, hub, transfer, purpose, now, balance)


def _wrap(hub: Hub, asked: GiftCreate) -> SignedTransfer:
    signed, token = asked.wrapping, hub.gift.address
    times = 0, signed.valid_before
    return SignedTransfer(token, asked.sender, asked.key_address, asked.amount, *times, signed.nonce, signed.signature)


def _back(hub: Hub, asked: GiftCreate) -> SignedTransfer:
    signed, token = asked.taking_back, hub.gift.address
    times = asked.expires_at, asked.expires_at + RETURN_LIFE_S
    return SignedTransfer(token, asked.key_address, asked.sender, asked.amount, *times, signed.nonce, signed.signature)


# ------------------------------------------------------------------- claiming


def check_claim(hub: Hub, gift_id: str, asked: GiftClaim, now: datetime) -> None:
    """:raises Problem: `not-found`, `gift-claimed`, `gift-expired`, `gift-not-ready`, `gift-gone`, `invalid-recipient`,
    `invalid-token-transfer`, `node-unavailable`"""
    with hub.db.read() as session:
        gift = find(session, gift_id)
        _refuse_if_not_open(session, gift, now)
    transfer = _claim(hub, gift, asked)
    token_transfers.check_word(hub, transfer, now)
    _require_tokens(hub, gift, transfer)


def claim(session: Session, hub: Hub, gift_id: str, asked: GiftClaim, now: datetime) -> Gift:
    """Stores a checked claim: the first. Its tokens go with the next gathering, which is soon.

    :raises Problem: as `check_claim`
    """
    gift = find(session, gift_id)
    _refuse_if_not_open(session, gift, now)
    row = store(session, hub, _claim(hub, gift, asked), CLAIM, now)
    token_transfers.hurry(session, row, now)
    gift.claim_id = row.id
    session.add(gift)
    session.flush()
    return gift


def _claim(hub: Hub, gift: Gift, asked: GiftClaim) -> SignedTransfer:
    times = 0, int(gift.expires_at.timestamp())
    token, keys = hub.gift.address, (gift.key_address, asked.recipient)
    return SignedTransfer(token, *keys, gift.amount, *times, asked.nonce, asked.signature)


def _refuse_if_not_open(session: Session, gift: Gift, now: datetime) -> None:
    known = state(session, gift, now)
    if known in ("claiming", "claimed"):
        raise Problem("gift-claimed", 409, "Somebody has taken this gift already.", "A gift link can be used once.")
    if known in ("returning", "returned", "expired") or (gift.expires_at - now).total_seconds() < direct.LEAST_LIFE_S:
        raise Problem("gift-expired", 409, "The time to take this gift is over.", "It goes back to who gave it.")
    if known == "failed":
        raise Problem(
            "gift-failed", 409, "There is nothing in this gift.", "Its sender had not got the tokens any more."
        )
    if known == "wrapping":
        raise Problem(
            "gift-not-ready",
            409,
            "This gift is not wrapped yet.",
            "Its tokens are on their way: try again soon.",
            headers={"retry-after": "5"},
        )


def _require_tokens(hub: Hub, gift: Gift, transfer: SignedTransfer) -> None:
    """Whoever has the link can go to the chain without the hub, too."""
    found = erc3009.look(hub.node, hub.contracts, transfer, hub.signer.address)
    if found.is_used:
        raise token_transfers.invalid("Its nonce was used or cancelled.")
    if found.balance < gift.amount:
        raise Problem(
            "gift-gone",
            409,
            "The tokens of this gift have left it already.",
            f"Of {gift.amount} minor units {found.balance} are there: somebody with the link has moved them without this hub.",
        )


# --------------------------------------------------------------- taking back


def check_return(hub: Hub, gift_id: str, now: datetime) -> None:
    """:raises Problem: `not-found`, `gift-not-expired`, `gift-claimed`, `gift-gone`, `node-unavailable`"""
    with hub.db.read() as session:
        gift = find(session, gift_id)
        if not _is_to_return(session, gift, now):
            return
    _require_tokens(hub, gift, stored_back(hub, gift))


def take_back(session: Session, hub: Hub, gift_id: str, now: datetime) -> Gift:
    """Orders its tokens' way back, once; asked again, it is on its way already. :raises Problem: as `check_return`"""
    gift = find(session, gift_id)
    if _is_to_return(session, gift, now):
        row = token_transfers.store(session, hub, stored_back(hub, gift), RETURN, now)
        token_transfers.hurry(session, row, now)
        gift.return_id, gift.look_at = row.id, now
        session.add(gift)
        session.flush()
    return gift


def _is_to_return(session: Session, gift: Gift, now: datetime) -> bool:
    """False if it is on its way. :raises Problem: `gift-not-expired`, `gift-claimed`, `gift-failed`"""
    known = state(session, gift, now)
    if known in ("returning", "returned"):
        return False
    if known in ("claiming", "claimed", "failed"):
        _refuse_if_not_open(session, gift, now)
    if known != "expired":
        raise Problem(
            "gift-not-expired",
            409,
            "This gift can still be taken.",
            "Who has its link can send it anywhere, to its sender too; without the link it goes back after its end.",
        )
    return True


def stored_back(hub: Hub, gift: Gift) -> SignedTransfer:
    """What takes the gift back after its end."""
    ends = int(gift.expires_at.timestamp())
    token, keys, times = hub.gift.address, (gift.key_address, gift.sender), (ends, ends + RETURN_LIFE_S)
    return SignedTransfer(token, *keys, gift.amount, *times, gift.return_nonce, gift.return_signature)


def _invalid(detail: str) -> Problem:
    return Problem("invalid-gift", 422, "This gift cannot be made.", detail)
