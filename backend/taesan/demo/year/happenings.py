"""What customers do besides buying: say so, give, send, spend, keep; and what the market does to them."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from taesan.client import LocalKey
from taesan.conversions.models import Conversion
from taesan.conversions.reasons import PERMIT_WANTED, TITLES
from taesan.core.reasons import told
from taesan.demo.wallet import key_of
from taesan.demo.year.cast import Customer, ask, claim_of
from taesan.demo.year.scene import Link, Scene
from taesan.jars.models import JarFiring
from taesan.jars.rule_models import SignedRule

DOLLAR, CENT = 10**6, 10**4
SHOCK_PERCENT, LARGEST_MOVE_PERCENT = 8.0, 12.0
LINK_LIFE = timedelta(days=30)
A_GIFT, A_PRESENT, A_TOP_UP = DOLLAR // 2, DOLLAR, 2 * DOLLAR
SPONSORED = 12
"""Thousandths of what is saved, each time."""
LINKS, PRESENTS = 12, 5
ALLOWED = 1_000 * DOLLAR
KEPT = 3
"""Of so many conversions that are held, one's owner would rather keep the gift tokens."""


# ------------------------------------------------------------------- the market


async def price_moves(story: Scene) -> None:
    story.market.move_price(story.random.uniform(-LARGEST_MOVE_PERCENT, LARGEST_MOVE_PERCENT))


async def sponsor_savings(story: Scene) -> None:
    """The sponsor has the trader add something to what is saved: the hub sends nothing to the vault, where other people's would be lost."""
    amount = story.world.read("vault", "totalAssets") * SPONSORED // 1_000
    if CENT <= amount <= story.tokens_of(story.sponsor.address):
        await story.sponsor.send_tokens(amount, story.market.trader)


async def begin_drip(story: Scene) -> None:
    """Over the next month it becomes the savers'."""
    story.market.sponsor_savers()


# --------------------------------------------------------------------- the rules


async def say_so(story: Scene) -> None:
    """Those whose rule waits for their word put something in, and say it."""
    for customer in story.of_kind("on her word"):
        await customer.pay(A_TOP_UP, customer.rule_ids[0])
        await customer.change_rule("fire")


async def put_cashback_by(story: Scene) -> None:
    """What came back as gift tokens goes into the jar once more, out of the channel."""
    for customer in story.of_kind("bargain hunter"):
        rewards = (await customer.as_wallet("GET", "/v1/rewards"))["items"]
        done = sum(int(reward["amount"]) - int(reward["reversed"]) for reward in rewards if reward["state"] == "done")
        if done - customer.put_by >= CENT:
            await customer.pay(done - customer.put_by, customer.rule_ids[0])
            customer.put_by = done


async def pause(story: Scene) -> None:
    """Some take a break from saving."""
    await _change(story.of_kind("saver")[::4], "pause")


async def resume(story: Scene) -> None:
    await _change(story.of_kind("saver")[::4], "resume")


async def cancel(story: Scene) -> None:
    """Some have had enough."""
    await _change(story.of_kind("spender")[::8], "cancel")


async def _change(customers: Sequence[Customer], how: str) -> None:
    for customer in customers:
        await customer.change_rule(how)


async def look_at_held(story: Scene) -> None:
    """Whoever is asked for a permit signs one; and some whose conversion is held would rather keep the gift tokens."""
    by_address = {customer.address: customer for customer in story.customers}
    for id_, payer, reason in _held(story):
        customer = by_address[payer]
        if reason == PERMIT_WANTED:
            await customer.allow(ALLOWED)
        if id_ in story.held:
            continue
        story.held[id_] = told(reason, TITLES, "en").title.partition(":")[0].rstrip(".")
        if len(story.held) % KEPT == 0 and reason != PERMIT_WANTED:
            await customer.as_wallet("POST", f"/v1/conversions/{id_}/keep")


def _held(story: Scene) -> list[tuple[str, str, str]]:
    """In an order that does not hang on chance."""
    rows = (
        select(col(Conversion.public_id), col(Conversion.payer), col(Conversion.reason))
        .join(SignedRule, col(SignedRule.id) == col(Conversion.rule_id))
        .where(col(Conversion.state) == "held")
        .order_by(col(Conversion.id))
    )
    with story.world.hub.db.read() as session:
        return [(id_, payer, reason or "") for id_, payer, reason in session.execute(rows)]


def unfinished(story: Scene) -> bool:
    """Whether something has fired that no batch has taken along, or a conversion is still to come."""
    fired = select(col(JarFiring.id)).where(col(JarFiring.batch_id).is_(None), ~col(JarFiring.returned)).limit(1)
    left = select(col(Conversion.id)).where(col(Conversion.state).in_(["waiting", "sent", "held"])).limit(1)
    with story.world.hub.db.read() as session:
        return session.scalar(fired) is not None or session.scalar(left) is not None


# ----------------------------------------------------------------------- presents


async def spend(story: Scene) -> None:
    """Every third who has gift tokens that are for nothing else spends them at a shop, at face value."""
    for number, customer in enumerate(story.customers):
        free = story.free_tokens_of(customer)
        if number % 3 == story.month % 3 and free >= DOLLAR:
            shop = story.shops[number % len(story.shops)]
            await shop.ask("POST", "/v1/redemptions", await customer.gift(free, shop.id))


async def give_links(story: Scene) -> None:
    """Gift tokens for whoever has the link."""
    givers = [customer for customer in story.customers if story.free_tokens_of(customer) >= A_GIFT]
    for customer in givers[:LINKS]:
        secret = hashlib.sha256(f"{customer.name} gives in month {story.month}".encode()).digest()
        made = await customer.give(A_GIFT, lives_for=LINK_LIFE, message="Happy listening!", secret=secret)
        story.links.append(Link(made.id, customer, LocalKey(secret), A_GIFT, made.expires_at))


async def claim_links(story: Scene) -> None:
    """Half of the links reach somebody, who has had no wallet before."""
    waiting, story.links = story.links, []
    for number, link in enumerate(waiting):
        if number % 2:
            story.links.append(link)
            continue
        recipient = key_of(f"{link.key.address}'s finder").address
        nonce = "0x" + hashlib.sha256(link.id.encode()).hexdigest()
        body = claim_of(story.facts, link.key, recipient, link.amount, int(link.expires_at.timestamp()), nonce)
        await ask(story.world, "POST", f"/v1/gifts/{link.id}/claim", body)


async def take_links_back(story: Scene) -> None:
    """Of those that nobody has opened some are taken back; the rest comes back by itself."""
    over = [link for link in story.links if link.expires_at < story.world.now()]
    for link in over[::2]:
        await link.sender.take_back(link.id)
    story.links = []


async def send(story: Scene) -> None:
    """Channel credit to one another, and gift tokens."""
    some = story.random.sample(story.customers, min(2 * PRESENTS, len(story.customers)))
    for number, customer in enumerate(some):
        friend = some[number - 1]
        if number % 2:
            await customer.pay(A_PRESENT, friend.address)
        elif story.free_tokens_of(customer) >= A_PRESENT:
            await customer.send_tokens(A_PRESENT, friend.address)
