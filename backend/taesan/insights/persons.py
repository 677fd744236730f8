"""Persons: who has asked for insights, and which wallets are theirs. To see and to ask is all that this gives; no money moves by it."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import delete, exists, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.gateways.models import GatewayCustomer
from taesan.gifts import service as gifts
from taesan.insights import following, streams
from taesan.insights.models import (
    Erasure,
    Filling,
    Person,
    PersonPublic,
    PersonTerms,
    PersonWallet,
    WalletPublic,
)

MOST_WALLETS = 20


def find(session: Session, wallet: str) -> Person:
    """Whose wallet this is. :raises Problem: `no-insights`"""
    linked = session.get(PersonWallet, wallet)
    if linked is None:
        raise Problem(
            "no-insights",
            404,
            "Nothing is gathered about this wallet.",
            "Ask for insights first: PUT /v1/insights/me.",
        )
    return session.get_one(Person, linked.owner)


def zone_of(person: Person) -> ZoneInfo:
    return ZoneInfo(person.zone)


def number_of(person: Person) -> int:
    """The `owner` of all that is kept of the person."""
    assert person.id is not None
    return person.id


def ask(session: Session, wallet: str, terms: PersonTerms, now: datetime, language: str = "en") -> Person:
    """Makes the wallet's person, or changes what it has said. :param language: at first, if it says none"""
    linked = session.get(PersonWallet, wallet)
    if linked is None:
        person = Person(public_id=new_id("per"), zone=terms.zone, language=terms.language or language, created_at=now)
        session.add(person)
        session.flush()
        _link(session, person, wallet, now)
        return person
    person = session.get_one(Person, linked.owner)
    if person.zone != terms.zone:
        person.zone, person.redated = terms.zone, 0
    person.language = terms.language or person.language
    session.add(person)
    session.flush()
    return person


# ------------------------------------------------------------------- wallets


def link(session: Session, person: Person, wallet: str, now: datetime) -> None:
    """:param wallet: that has signed for it. :raises Problem: `wallet-linked` to somebody else, `too-many-wallets`"""
    linked = session.get(PersonWallet, wallet)
    if linked is not None and linked.owner == person.id:
        return
    if linked is not None:
        raise Problem(
            "wallet-linked",
            409,
            "This wallet has insights of its own.",
            "Erase those first, or unlink the wallet there.",
        )
    if len(wallets_of(session, person)) >= MOST_WALLETS:
        raise Problem("too-many-wallets", 409, "Too many wallets are linked.", f"At most {MOST_WALLETS} may be.")
    _link(session, person, wallet, now)


def _link(session: Session, person: Person, wallet: str, now: datetime) -> None:
    """With all that there is to be read of it. From here on what comes is followed; what both read counts once."""
    owner = number_of(person)
    following.started(session)
    session.add(PersonWallet(wallet=wallet, owner=owner, linked_at=now))
    # A gateway's channel pays for nothing of its wallet's own.
    of_wallet = (col(Channel.payer) == wallet, col(Channel.gateway_id).is_(None))
    channels = session.scalars(select(col(Channel.account_id)).where(*of_wallet)).all()
    customers = session.scalars(select(col(GatewayCustomer.id)).where(col(GatewayCustomer.wallet) == wallet)).all()
    session.add_all([Filling(owner=owner, wallet=wallet, source="payments", subject=id_) for id_ in channels])
    session.add_all([Filling(owner=owner, wallet=wallet, source="gateway", subject=id_ or 0) for id_ in customers])
    of_wallet_itself = ("rewards", "direct", "redemptions")
    session.add_all([Filling(owner=owner, wallet=wallet, source=source, subject=0) for source in of_wallet_itself])
    session.flush()


def unlink(session: Session, person: Person, wallet: str, now: datetime) -> None:
    """And has what moved there removed. :raises Problem: `not-found`, `last-wallet`"""
    linked = session.get(PersonWallet, wallet)
    if linked is None or linked.owner != person.id:
        raise not_found("The wallet", wallet)
    if len(wallets_of(session, person)) == 1:
        raise Problem(
            "last-wallet", 409, "This is the person's last wallet.", "Erase the person: DELETE /v1/insights/me."
        )
    session.delete(linked)
    owner = number_of(person)
    of_wallet = (col(Filling.owner) == owner, col(Filling.wallet) == wallet)
    session.execute(delete(Filling).where(*of_wallet))
    session.add(Erasure(owner=owner, wallet=wallet, until=streams.newest(session, owner), asked_at=now))
    session.flush()


def erase(session: Session, person: Person, now: datetime) -> None:
    """At once nobody reaches anything of the person; the worker removes it. Names that the person has given elsewhere go, too."""
    owner = number_of(person)
    gifts.forget_words(session, [row.wallet for row in wallets_of(session, person)])
    session.execute(delete(PersonWallet).where(col(PersonWallet.owner) == owner))
    session.execute(delete(Filling).where(col(Filling.owner) == owner))
    session.execute(delete(Erasure).where(col(Erasure.owner) == owner))
    session.delete(person)
    session.add(Erasure(owner=owner, until=streams.newest(session, owner), asked_at=now))
    session.flush()


def wallets_of(session: Session, person: Person) -> Sequence[PersonWallet]:
    """The first comes first."""
    of_person = select(PersonWallet).where(col(PersonWallet.owner) == person.id)
    return session.scalars(of_person.order_by(col(PersonWallet.linked_at), col(PersonWallet.wallet))).all()


# ------------------------------------------------------------------- reading


def public(session: Session, person: Person) -> PersonPublic:
    owner = number_of(person)
    is_filling = session.scalar(select(exists(select(1).where(col(Filling.owner) == owner))))
    is_erasing = session.scalar(select(exists(select(1).where(col(Erasure.owner) == owner))))
    return PersonPublic(
        id=person.public_id,
        zone=person.zone,
        language=person.language,
        wallets=[
            WalletPublic(wallet=row.wallet, linked_at=rfc3339(row.linked_at)) for row in wallets_of(session, person)
        ],
        complete=not is_filling and not is_erasing and person.redated is None,
        created_at=rfc3339(person.created_at),
    )
