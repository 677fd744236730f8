"""Sign-in with Ethereum (EIP-4361): a nonce, a signed message, a session."""

import hashlib
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from eth_keys.exceptions import BadSignature
from sqlalchemy import delete, select
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.identity.models import LoginSession, SiweNonce

# `siwe` is imported where it is used (and by the router): most processes have no sign-in.

NONCE_MINUTES = 10
MAX_LINE = 500  # characters of a message's line: reading a longer URI would take a large part of a second
SESSIONS_MAX = 20  # of one wallet: the oldest ends


def hash_secret(secret: str) -> str:
    """Our secrets are 32 random bytes, so a plain hash is enough: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_nonce(session: Session, now: datetime) -> SiweNonce:
    from taesan.identity.plain_siwe import generate_nonce

    session.execute(delete(SiweNonce).where(col(SiweNonce.expires_at) < now))
    nonce = SiweNonce(nonce=generate_nonce(), expires_at=now + timedelta(minutes=NONCE_MINUTES))
    session.add(nonce)
    return nonce


def parse_message(message: str, signature: str, public_url: str, chain_id: int, now: datetime) -> tuple[str, str]:
    """Checks a signed message; returns (nonce, address). How fresh it is, its nonce tells, and not a client's clock.

    :raises Problem: `invalid-sign-in` for anything that is not an honest message for this site and chain
    """
    from taesan.identity.plain_siwe import SiweMessage, VerificationError

    if max(map(len, message.split("\n"))) > MAX_LINE:
        raise _invalid(f"a line is longer than {MAX_LINE} characters")
    here = urlsplit(public_url)
    try:
        # What is read, not the text, is what the signature is checked against, so nothing can be read that was not signed.
        parsed = SiweMessage.from_message(message, abnf=False)
        parsed.verify(signature, domain=here.netloc, timestamp=now)
        uri = urlsplit(parsed.uri)
    except (VerificationError, BadSignature, ValueError) as error:
        raise _invalid(_why(error, here.netloc)) from error
    if (uri.scheme, uri.netloc) != (here.scheme, here.netloc) or parsed.scheme not in (None, here.scheme):
        raise _invalid(
            f"the message is for {uri.scheme}://{uri.netloc[:80]}, this hub is at {here.scheme}://{here.netloc}"
        )
    if parsed.chain_id != chain_id:
        raise _invalid(f"the message is for chain {parsed.chain_id}, this hub is on {chain_id}")
    return parsed.nonce, str(parsed.address)


def sign_in(session: Session, nonce: str, address: str, now: datetime, hours: int) -> tuple[str, LoginSession]:
    """Uses up the nonce and opens a session; returns its token, which is not stored.

    :raises Problem: `invalid-sign-in` if the nonce is not ours, used, or too old
    """
    use_nonce(session, nonce, now)
    session.execute(delete(LoginSession).where(col(LoginSession.expires_at) < now))
    of_wallet = col(LoginSession.address) == address
    newest = select(col(LoginSession.token_hash)).where(of_wallet).order_by(col(LoginSession.expires_at).desc())
    kept = session.scalars(newest.limit(SESSIONS_MAX - 1)).all()
    session.execute(delete(LoginSession).where(of_wallet, col(LoginSession.token_hash).not_in(kept)))
    token = secrets.token_urlsafe(32)
    login = LoginSession(token_hash=hash_secret(token), address=address, expires_at=now + timedelta(hours=hours))
    session.add(login)
    return token, login


def use_nonce(session: Session, nonce: str, now: datetime) -> None:
    """What a message with it is good for, it is good for once. :raises Problem: `invalid-sign-in` if it is not ours, used, or too old"""
    used = session.execute(delete(SiweNonce).where(col(SiweNonce.nonce) == nonce, col(SiweNonce.expires_at) >= now))
    if used.rowcount == 0:  # type: ignore[attr-defined]
        raise _invalid("the nonce is unknown, used or expired: ask for a new one")


def address_of(session: Session, token: str, now: datetime) -> str:
    """The wallet behind a session token.

    :raises Problem: `unauthorized`
    """
    address = find_address(session, token, now)
    if address is None:
        raise unauthorized("Sign in with your wallet first (POST /v1/auth/sessions).")
    return address


def find_address(session: Session, token: str, now: datetime) -> str | None:
    """As `address_of`; None if it is no session's token, or not any more."""
    login = session.get(LoginSession, hash_secret(token))
    return None if login is None or login.expires_at < now else login.address


def sign_out(session: Session, token: str) -> None:
    """Ends one session."""
    session.execute(delete(LoginSession).where(col(LoginSession.token_hash) == hash_secret(token)))


def sign_out_everywhere(session: Session, address: str) -> None:
    """Ends all sessions of a wallet."""
    session.execute(delete(LoginSession).where(col(LoginSession.address) == address))


def unauthorized(detail: str) -> Problem:
    return Problem("unauthorized", 401, "You have to sign in for this.", detail, headers={"www-authenticate": "Bearer"})


def _why(error: Exception, site: str) -> str:
    name = type(error).__name__
    told = {
        "DomainMismatch": f"the message is for another site than {site}",
        "ExpiredMessage": "the message has expired: sign a new one",
        "NotYetValidMessage": "the message is not valid yet",
        "InvalidSignature": "the signature is not the message's, by the address that it names",
        "BadSignature": "the signature is not the message's, by the address that it names",
    }
    return told.get(name, "the message is not well-formed (EIP-4361)")


def _invalid(detail: str) -> Problem:
    return Problem("invalid-sign-in", 401, "The sign-in was not accepted.", detail)
