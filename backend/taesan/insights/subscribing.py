"""To which mail address a person's reports go: only to one whose holder has agreed, by a code that was sent there.

A hub that mails whomever it is told to is a weapon, so mails with codes are bounded: of an address, of a wallet, and of the hub.
"""

import hashlib
import hmac
import math
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.days import day_of
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.identity.auth import hash_secret
from taesan.insights import persons, turns
from taesan.insights.mail import CODE_HOURS, REFUSED_DAYS
from taesan.insights.models import Person
from taesan.insights.movements import month_of
from taesan.insights.schedule_models import MailLimit, MailPublic, MailTerms, ReportMail

OF_ADDRESS, OF_WALLET = 3, 5  # a day
MOST_ATTEMPTS = 5
SECRET_BYTES = 32
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def put(session: Session, hub: Hub, person: Person, wallet: str, terms: MailTerms, now: datetime) -> ReportMail:
    """A code is sent there, unless the address is confirmed already. Nothing goes to the one of before any more.

    :param wallet: that asks. :raises Problem: `mail-not-offered`, `rate-limited`
    """
    if hub.settings.smtp_host is None:
        raise Problem(
            "mail-not-offered",
            409,
            "This hub sends no e-mail.",
            "Have reports sent to a URL instead: PUT /v1/insights/me/schedule.",
        )
    row = turns.of_person(session, ReportMail, person)
    if row is not None and row.address == terms.address and row.is_monthly:
        return row
    _count(session, _of_address(terms.address), OF_ADDRESS, DAY, now)
    _count(session, _hashed("wallet", wallet), OF_WALLET, DAY, now)
    _count(session, "hub", hub.settings.mail_confirmations_hourly, HOUR, now)
    row = row or ReportMail(owner=persons.number_of(person), created_at=now)  # type: ignore[call-arg]
    if row.address != terms.address:
        row.address, row.token = terms.address, secrets.token_urlsafe(SECRET_BYTES)
    _begin(row, person, now)
    row.confirmed_at = row.sent_at = row.code_hash = row.code_expires_at = None
    row.due_at = now
    session.add(row)
    session.flush()
    return row


def new_code(row: ReportMail, now: datetime) -> str:
    """In place of any earlier one; it is not stored."""
    code = secrets.token_urlsafe(SECRET_BYTES)
    row.code_hash, row.code_expires_at, row.attempts = hash_secret(code), now + timedelta(hours=CODE_HOURS), 0
    return code


def confirm(session: Session, person: Person, code: str, now: datetime) -> tuple[ReportMail, bool]:
    """Returns whether the address is confirmed; if not, that was a wrong attempt, and has to be kept as such.

    :raises Problem: `not-found`: there is no address
    """
    row = find(session, person)
    if row.is_monthly:
        return row, True
    is_good = row.code_expires_at is not None and now < row.code_expires_at and row.attempts < MOST_ATTEMPTS
    if is_good and hmac.compare_digest(row.code_hash or "", hash_secret(code)):
        row.confirmed_at, row.code_hash, row.code_expires_at = now, None, None
        _begin(row, person, now)
    else:
        row.attempts += 1
    session.add(row)
    session.flush()
    return row, row.is_monthly


def wrong_code() -> Problem:
    return Problem(
        "mail-code-refused",
        422,
        "This code does not confirm the address.",
        f"It is wrong, not the newest, older than {CODE_HOURS} hours, or there were {MOST_ATTEMPTS} wrong ones: put the address again.",
    )


def find(session: Session, person: Person) -> ReportMail:
    """:raises Problem: `not-found`"""
    row = turns.of_person(session, ReportMail, person)
    if row is None:
        raise not_found("A mail address of", person.public_id)
    return row


def remove(session: Session, person: Person) -> None:
    """:raises Problem: `not-found`"""
    session.delete(find(session, person))
    session.flush()


def is_subscribed(session: Session, token: str) -> bool:
    return bool(session.scalar(select(exists(select(1).where(col(ReportMail.token) == token)))))


def unsubscribe(session: Session, token: str, now: datetime) -> None:
    """Whoever holds it; done twice it is done. An address that has never agreed is not asked again for a while, whoever names it."""
    row = session.scalar(select(ReportMail).where(col(ReportMail.token) == token))
    if row is None:
        return
    if not row.is_monthly:
        session.merge(
            MailLimit(key=_of_address(row.address), count=OF_ADDRESS, until=now + timedelta(days=REFUSED_DAYS))
        )
    session.delete(row)
    session.flush()


def public(hub: Hub, row: ReportMail | None) -> MailPublic:
    is_monthly = row is not None and row.is_monthly
    return MailPublic(
        offered=hub.settings.smtp_host is not None,
        address=row.address if row else None,
        confirmed=is_monthly,
        month=row.month.isoformat()[:7] if row and is_monthly else None,
        due_at=rfc3339(row.due_at) if row and is_monthly else None,
        sent_at=rfc3339(row.sent_at) if row and row.sent_at else None,
        fault=row.fault if row else None,
    )


def _begin(row: ReportMail, person: Person, now: datetime) -> None:
    """The running month's report is the first."""
    row.attempts = row.doubtful = 0
    turns.wait_for(row, person, month_of(day_of(now, persons.zone_of(person))))


# --------------------------------------------------------------------- limits


def _count(session: Session, key: str, most: int, window: timedelta, now: datetime) -> None:
    """One more mail. :raises Problem: `rate-limited`"""
    session.execute(delete(MailLimit).where(col(MailLimit.until) <= now))
    row = session.get(MailLimit, key) or MailLimit(key=key, count=0, until=now + window)
    if row.count >= most:
        wait_s = math.ceil((row.until - now).total_seconds())
        raise Problem(
            "rate-limited",
            429,
            "Too many requests in too short a time.",
            "No more mails are sent there for now; nothing was stored.",
            headers={"retry-after": str(wait_s)},
        )
    row.count += 1
    session.add(row)


def _of_address(address: str) -> str:
    """Alike for all spellings by which many servers know one mailbox."""
    name, _, host = address.lower().partition("@")
    return _hashed("address", f"{name.partition('+')[0].replace('.', '')}@{host}")


def _hashed(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind} {value}".encode()).hexdigest()
