"""Customers whom only their gateway knows, and the one way in which a wallet becomes theirs: a code that the gateway has the
hub make, gives to its customer, and that the customer's wallet hands in. Names and codes are stored as hashes."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.ids import new_ids
from taesan.core.pages import newest_first
from taesan.core.problems import Problem
from taesan.gateways import news, releases
from taesan.gateways.models import Gateway, GatewayCustomer, GatewayPayment, LinkAsked, LinkCode, LinkPublic
from taesan.hub import Hub
from taesan.identity.auth import hash_secret
from taesan.jars import accrual, reasons, rules, sources
from taesan.jars.accrual import Firing
from taesan.jars.rule_models import SignedRule
from taesan.ledger import posting

CODE_MINUTES = 15
CODE_BYTES = 32


class SoFar(NamedTuple):
    """:ivar payments: since it last fired. :ivar gathered: minor units, not fired yet"""

    payments: int
    gathered: int


def of_names(session: Session, gateway: Gateway, names: Collection[str], now: datetime) -> dict[str, GatewayCustomer]:
    """By what the gateway calls them; who is new is made."""
    by_hash = {_hash(gateway, name): name for name in names}
    rows = session.scalars(
        select(GatewayCustomer).where(
            col(GatewayCustomer.gateway_id) == gateway.id, col(GatewayCustomer.name_hash).in_(by_hash)
        )
    )
    found = {by_hash[row.name_hash]: row for row in rows}
    missing = [hash_ for hash_, name in by_hash.items() if name not in found]
    made = [
        GatewayCustomer(public_id=id_, gateway_id=gateway.id, name_hash=hash_, created_at=now)
        for id_, hash_ in zip(new_ids("gwc", len(missing)), missing, strict=True)
    ]
    session.add_all(made)
    session.flush()
    return found | {by_hash[row.name_hash]: row for row in made}


def _hash(gateway: Gateway, name: str) -> str:
    """Names may be short, such as a telephone number: without the pepper nobody can try them all, with it anybody can."""
    return hmac.new(bytes.fromhex(gateway.pepper), name.encode(), hashlib.sha256).hexdigest()


# ------------------------------------------------------------------ linking


def new_code(session: Session, gateway: Gateway, message_id: str, asked: LinkAsked, now: datetime) -> LinkCode:
    """A code for the customer, in place of any earlier one; it is not stored.

    :param message_id: of the gateway's request. Whoever sends that again is told no other code.
    :raises Problem: `webhook-replayed`, `customer-linked`
    """
    scope, print_ = f"link-codes:{gateway.id}", idempotency.fingerprint(asked.model_dump(mode="json"))
    if idempotency.is_known(session, scope, message_id):
        raise Problem(
            "webhook-replayed", 409, "This webhook was taken in before.", "Ask for a new code by a new `webhook-id`."
        )
    idempotency.remember(session, scope, message_id, print_, 201, {}, now)
    name = asked.data.customer
    customer = of_names(session, gateway, [name], now)[name]
    if customer.wallet is not None:
        raise _linked()
    code = f"link_{secrets.token_urlsafe(CODE_BYTES)}"
    customer.code_hash, customer.code_expires_at = hash_secret(code), now + timedelta(minutes=CODE_MINUTES)
    session.add(customer)
    session.flush()
    return LinkCode(code=code, expires_at=rfc3339(customer.code_expires_at))


def link(session: Session, hub: Hub, code: str, wallet: str, now: datetime) -> GatewayCustomer:
    """The customer is this wallet from now on: all that is gathered goes there at once, and what comes by the rule of jars.

    :raises Problem: `unknown-link-code`, `link-code-expired`, `customer-linked`
    """
    customer = session.scalar(select(GatewayCustomer).where(col(GatewayCustomer.code_hash) == hash_secret(code)))
    if customer is None:
        raise Problem(
            "unknown-link-code", 404, "This link code is not known here.", "Have your payment provider make a new one."
        )
    if customer.wallet is not None:
        raise _linked()
    assert customer.code_expires_at is not None
    if customer.code_expires_at <= now:
        raise Problem(
            "link-code-expired",
            410,
            "This link code has expired.",
            f"It was good for {CODE_MINUTES} minutes: have your payment provider make a new one.",
        )
    customer.wallet, customer.linked_at = wallet, now
    session.add(customer)
    gathered = posting.balance(session, hub.chart.gathered(customer.public_id))
    gateway = session.get_one(Gateway, customer.gateway_id)
    releases.release(session, hub, gateway, customer, Firing(gathered, reasons.LINKED), now)
    news.linked(session, customer, now)
    return customer


def _linked() -> Problem:
    return Problem(
        "customer-linked",
        409,
        "This customer has a wallet already.",
        "A customer is linked once: what it gathers goes to that wallet.",
    )


# ------------------------------------------------------------------ reading


def of_wallet(session: Session, wallet: str, before: int | None, limit: int) -> Sequence[GatewayCustomer]:
    query = select(GatewayCustomer).where(col(GatewayCustomer.wallet) == wallet)
    return newest_first(session, query, col(GatewayCustomer.id), before, limit)


def nearest(session: Session, hub: Hub, rule: SignedRule, now: datetime) -> SoFar:
    """How far the rule is. Each of its payer's customers counts for itself: this is the one that fires next; of none nothing. And by a rule
    that is not the one in force nothing is counted."""
    current = rules.of_gateways(session, rule.payer, now)
    if current is None or current.id != rule.id:
        return SoFar(0, 0)
    trigger = sources.trigger(rule.words.fires, hub.asset.exponent)
    rows = session.scalars(select(GatewayCustomer).where(col(GatewayCustomer.wallet) == rule.payer)).all()
    so_far = [SoFar(row.payments, posting.balance(session, hub.chart.gathered(row.public_id))) for row in rows]
    return max(so_far, key=lambda one: accrual.nearness(trigger, *one), default=SoFar(0, 0))


def public(session: Session, hub: Hub, row: GatewayCustomer) -> LinkPublic:
    waiting = session.scalar(
        select(func.sum(GatewayPayment.amount)).where(
            col(GatewayPayment.customer_id) == row.id,
            col(GatewayPayment.drawn_at).is_(None),
            col(GatewayPayment.refunded_at).is_(None),
        )
    )
    assert row.wallet is not None
    assert row.linked_at is not None
    return LinkPublic(
        id=row.public_id,
        gateway_id=row.gateway_id,
        gateway_name=session.get_one(Gateway, row.gateway_id).name,
        wallet=row.wallet,
        gathered=posting.balance(session, hub.chart.gathered(row.public_id)),
        waiting=int(waiting or 0),
        released=row.released,
        owed=row.owed,
        linked_at=rfc3339(row.linked_at),
    )
