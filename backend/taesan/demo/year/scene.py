"""Where the story plays: who is there, what they have, and what there is to remember."""

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import col

from taesan.client import HubFacts, LocalKey, State
from taesan.conversions.models import Conversion
from taesan.demo.purchases import Purchase
from taesan.demo.year import people
from taesan.demo.year.cast import Customer, Person, Shop
from taesan.demo.year.market import Market
from taesan.demo.year.people import Places
from taesan.demo.year.world import LARGEST_PAYMENT, World

DEPOSIT_MONTHS = 6
SPENDING_MONEY = 20 * 10**6
"""Deposited besides what purchases need, for six months: for presents and top-ups, minor units."""


@dataclass
class Link:
    """A gift link that was given. :ivar key: the one in its fragment"""

    id: str
    sender: Customer
    key: LocalKey
    amount: int
    expires_at: datetime


class Scene:
    """:param seed: of all that is left to chance
    :ivar held: conversion → the first reason why it was held. :ivar links: gift links that nobody has used yet. :ivar month: from 0
    """

    facts: HubFacts
    market: Market
    sponsor: Person
    price_at_first: int

    def __init__(self, world: World, chosen: dict[int, list[Purchase]], months: int, seed: int) -> None:
        self.world, self.months = world, months
        self.random = random.Random(seed)
        self.state = State(":memory:")
        self.chosen = chosen
        self.customers: list[Customer] = []
        self.shops = [Shop(world, name, category) for name, category in people.SHOPS]
        self.held: dict[str, str] = {}
        self.links: list[Link] = []
        self.month = 0

    async def deposit(self, month: int) -> None:
        """What each will need in the next six months, signed and brought to the chain by the hub."""
        for customer in self.customers:
            await customer.begin_deposit(self.needed(customer, month))
        self.world.settle()
        for customer in self.customers:
            customer.channel_id = await customer.open_channel(self.needed(customer, month))

    def needed(self, customer: Customer, month: int) -> int:
        starts, ends = people.first_of(month), people.first_of(month + DEPOSIT_MONTHS)
        bought = [purchase for purchase in customer.purchases if starts <= purchase.day < ends]
        terms = people.KINDS[customer.kind](Places(people.NOWHERE, people.NOWHERE, people.NOWHERE, "mer_0"))
        exponent = self.facts.asset_exponent
        change = sum(people.gathered_of(terms, p.cents, exponent) or self.facts.units(p.round_up_cents) for p in bought)
        return SPENDING_MONEY + change + sum(self.paid(purchase) for purchase in bought)

    def paid(self, purchase: Purchase) -> int:
        """What of a purchase goes through the hub: large ones are paid elsewhere, and leave their small change here."""
        amount = self.facts.units(purchase.cents)
        return amount if amount <= LARGEST_PAYMENT else 0

    # ----------------------------------------------------------------- who has what

    def of_kind(self, kind: str) -> list[Customer]:
        return [customer for customer in self.customers if customer.kind == kind]

    def tokens_of(self, address: str) -> int:
        """Gift tokens on chain, minor units."""
        return self.world.read("gift_token", "balanceOf", address)

    def free_tokens_of(self, customer: Customer) -> int:
        """Without those that her rules are about to make something else of."""
        of_payer = select(func.sum(Conversion.amount)).where(col(Conversion.payer) == customer.address)
        with self.world.hub.db.read() as session:
            bound = session.scalar(of_payer.where(col(Conversion.state).in_(["waiting", "sent", "held"])))
        return self.tokens_of(customer.address) - int(bound or 0)
