"""Merchants and their API keys."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core import counters
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.identity.auth import hash_secret, unauthorized
from taesan.identity.models import ApiKey, Merchant

PREFIX = "tsk_"
KEYS_MAX = 20  # of one merchant


def register(session: Session, name: str, address: str, now: datetime, most: int | None = None) -> tuple[Merchant, str]:
    """Makes the merchant of a wallet; returns it with its first API key, which is not stored.

    :param most: how many merchants there may be; None: as many as come
    :raises Problem: `merchant-exists` if the wallet has one, `registration-closed`
    """
    if session.scalar(select(col(Merchant.id)).where(col(Merchant.address) == address)) is not None:
        raise Problem("merchant-exists", 409, "This wallet is a merchant already.", f"{address} has an account here.")
    if most is not None and counters.read(session)["merchants"] >= most:
        raise Problem(
            "registration-closed",
            403,
            "This hub takes no more merchants.",
            f"There are {most}, as its operator has set.",
        )
    merchant = Merchant(id=new_id("mer"), name=name, address=address, created_at=now)
    session.add(merchant)
    session.flush()
    counters.add(session, {"merchants": 1})
    return merchant, add_key(session, merchant.id, now)


def add_key(session: Session, merchant_id: str, now: datetime) -> str:
    """:raises Problem: `too-many-keys`"""
    if len(keys_of(session, merchant_id)) >= KEYS_MAX:
        raise Problem("too-many-keys", 409, "This merchant has too many API keys.", f"At most {KEYS_MAX}: revoke one.")
    key = PREFIX + secrets.token_urlsafe(32)
    session.add(ApiKey(key_hash=hash_secret(key), merchant_id=merchant_id, hint=key[:10], created_at=now))
    return key


def keys_of(session: Session, merchant_id: str) -> Sequence[ApiKey]:
    """Oldest first."""
    return session.scalars(
        select(ApiKey)
        .where(col(ApiKey.merchant_id) == merchant_id)
        .order_by(col(ApiKey.created_at), col(ApiKey.key_hash))
    ).all()


def id_of(key: ApiKey) -> str:
    """Names a key without telling it: a piece of the hash of 32 random bytes."""
    return f"key_{key.key_hash[:16]}"


def revoke(session: Session, merchant_id: str, key_id: str) -> None:
    """The key is nobody's from now on.

    :param key_id: `key_…`. :raises Problem: `not-found` if it is none of this merchant's
    """
    for key in keys_of(session, merchant_id):
        if id_of(key) == key_id:
            session.delete(key)
            return
    raise not_found("The API key", key_id)


def own_merchant(session: Session, wallet: str) -> Merchant:
    """The merchant of a signed-in wallet.

    :raises Problem: `unknown-merchant`
    """
    merchant = session.scalar(select(Merchant).where(col(Merchant.address) == wallet))
    if merchant is None:
        raise Problem("unknown-merchant", 404, "This merchant is not known here.", f"{wallet} is no merchant here.")
    return merchant


def merchant_of(session: Session, key: str) -> Merchant:
    """The merchant behind an API key.

    :raises Problem: `unauthorized`
    """
    row = find(session, key)
    if row is None:
        raise unauthorized("Send a merchant's API key as `Authorization: Bearer tsk_…`.")
    return session.get_one(Merchant, row.merchant_id)


def find(session: Session, key: str) -> ApiKey | None:
    """What is known of a key; None if it is nobody's."""
    return session.get(ApiKey, hash_secret(key)) if key.startswith(PREFIX) else None


def unknown_merchant(merchant_id: str) -> Problem:
    return Problem(
        "unknown-merchant", 404, "This merchant is not known here.", f"No merchant has the id {merchant_id[:80]}."
    )


def find_merchant(session: Session, merchant_id: str) -> Merchant:
    """:raises Problem: `unknown-merchant`"""
    merchant = session.get(Merchant, merchant_id)
    if merchant is None:
        raise unknown_merchant(merchant_id)
    return merchant
