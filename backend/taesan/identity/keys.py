"""Merchants and their API keys."""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, or_, select, update
from sqlmodel import Session, col

from taesan.core import counters
from taesan.core.clock import has_passed
from taesan.core.db import UNAVAILABLE, Database, brief
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.identity.auth import hash_secret, unauthorized
from taesan.identity.models import ApiKey, Merchant
from taesan.identity.scopes import Scope, allows
from taesan.settings import Mode

log = structlog.get_logger()

PREFIX = "tsk_"
PREFIXES: dict[Mode, str] = {"test": "tsk_test_", "live": "tsk_live_"}
HINT_LENGTH = 13  # characters: the prefix and four more
KEYS_MAX = 20  # of one merchant
USE_NOTED_EVERY = timedelta(minutes=1)


def register(
    session: Session, name: str, address: str, now: datetime, mode: Mode, most: int | None = None
) -> tuple[Merchant, str]:
    """Makes the merchant of a wallet; returns it with its first API key, which is not stored and may do everything.

    :param mode: the hub's. :param most: how many merchants there may be; None: as many as come
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
    return merchant, add_key(session, merchant.id, now, mode)


def add_key(
    session: Session,
    merchant_id: str,
    now: datetime,
    mode: Mode,
    *,
    name: str | None = None,
    scopes: Collection[Scope] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Makes a key, which is not stored.

    :param mode: the hub's; a key of another is none here. :param scopes: None: all, those to come too
    :raises Problem: `too-many-keys`
    """
    expired = col(ApiKey.expires_at) <= now
    session.execute(delete(ApiKey).where(col(ApiKey.merchant_id) == merchant_id, expired))
    if len(keys_of(session, merchant_id, now)) >= KEYS_MAX:
        raise Problem("too-many-keys", 409, "This merchant has too many API keys.", f"At most {KEYS_MAX}: revoke one.")
    key = PREFIXES[mode] + secrets.token_urlsafe(32)
    row = ApiKey(
        key_hash=hash_secret(key),
        merchant_id=merchant_id,
        hint=key[:HINT_LENGTH],
        name=name,
        scopes=None if scopes is None else " ".join(sorted(set(scopes))),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return key


def rotate(session: Session, merchant_id: str, key_id: str, overlap_s: int, now: datetime, mode: Mode) -> str:
    """A new key in place of one: with its name, scopes and expiry. The old one ends after the overlap, at most.

    :param key_id: `key_…`. :param overlap_s: 0: at once
    :raises Problem: `not-found` if it is none of this merchant's, `too-many-keys` if there is no room for both
    """
    old = _own_key(session, merchant_id, key_id, now)
    kept_until = old.expires_at
    if overlap_s:
        end = now + timedelta(seconds=overlap_s)
        old.expires_at = min(end, kept_until) if kept_until else end
    else:
        session.delete(old)
    session.flush()
    scopes = scopes_of(old)
    return add_key(session, merchant_id, now, mode, name=old.name, scopes=scopes, expires_at=kept_until)


def keys_of(session: Session, merchant_id: str, now: datetime) -> Sequence[ApiKey]:
    """Those that have not expired, oldest first."""
    return session.scalars(
        select(ApiKey)
        .where(
            col(ApiKey.merchant_id) == merchant_id, or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > now)
        )
        .order_by(col(ApiKey.created_at), col(ApiKey.key_hash))
    ).all()


def id_of(key: ApiKey) -> str:
    """Names a key without telling it: a piece of the hash of 32 random bytes."""
    return f"key_{key.key_hash[:16]}"


def scopes_of(key: ApiKey) -> list[Scope] | None:
    """None: all."""
    return None if key.scopes is None else key.scopes.split()  # type: ignore[return-value]


def revoke(session: Session, merchant_id: str, key_id: str, now: datetime) -> None:
    """The key is nobody's from now on.

    :param key_id: `key_…`. :raises Problem: `not-found` if it is none of this merchant's
    """
    session.delete(_own_key(session, merchant_id, key_id, now))


def _own_key(session: Session, merchant_id: str, key_id: str, now: datetime) -> ApiKey:
    for key in keys_of(session, merchant_id, now):
        if id_of(key) == key_id:
            return key
    raise not_found("The API key", key_id)


def own_merchant(session: Session, wallet: str) -> Merchant:
    """The merchant of a signed-in wallet.

    :raises Problem: `unknown-merchant`
    """
    merchant = _find_by_wallet(session, wallet)
    if merchant is None:
        raise Problem("unknown-merchant", 404, "This merchant is not known here.", f"{wallet} is no merchant here.")
    return merchant


def merchant_of_wallet(session: Session, wallet: str) -> Merchant:
    """Who asks with a session for what merchants may. :raises Problem: `not-a-merchant`"""
    merchant = _find_by_wallet(session, wallet)
    if merchant is None:
        raise Problem(
            "not-a-merchant",
            403,
            "This wallet has no merchant account.",
            f"{wallet} opens one with POST /v1/merchants.",
        )
    return merchant


def _find_by_wallet(session: Session, wallet: str) -> Merchant | None:
    return session.scalar(select(Merchant).where(col(Merchant.address) == wallet))


def authenticate(session: Session, key: str, mode: Mode, now: datetime) -> ApiKey:
    """What is known of a key that opens something here.

    :param mode: the hub's. :raises Problem: `unauthorized`
    """
    for other, prefix in PREFIXES.items():
        if other != mode and key.startswith(prefix):
            raise unauthorized(f"This is a key for {other} hubs; the money of this one is {_MONEY[mode]}.")
    row = find(session, key)
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise unauthorized(f"Send a merchant's API key as `Authorization: Bearer {PREFIXES[mode]}…`.")
    return row


_MONEY: dict[Mode, str] = {"test": "a test chain's", "live": "real"}


def require(key: ApiKey, scope: Scope) -> None:
    """:raises Problem: `missing-scope`"""
    if not allows(scopes_of(key), scope):
        raise Problem(
            "missing-scope",
            403,
            "This API key may not do this.",
            f"It needs the scope {scope}; give it to a new key, or send another one.",
            scope=scope,
        )


def note_use(db: Database, key: ApiKey, now: datetime) -> None:
    """At most once a minute, so that reading stays reading; and never to the caller's harm."""
    if key.last_used_at is not None and not has_passed(USE_NOTED_EVERY, key.last_used_at, now):
        return
    try:
        with db.write() as session:
            session.execute(update(ApiKey).where(col(ApiKey.key_hash) == key.key_hash).values(last_used_at=now))
    except UNAVAILABLE as error:
        log.warning("key.use_not_noted", key_id=id_of(key), reason=brief(error))


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
