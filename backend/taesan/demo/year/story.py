"""What happens when: day by day through the months, each customer's purchases, and by the calendar all else."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, select
from sqlmodel import col

from taesan.client import State
from taesan.conversions.models import Conversion
from taesan.demo.faucet import Faucet
from taesan.demo.processes import DemoFailed
from taesan.demo.progress import Phase
from taesan.demo.purchases import Purchase
from taesan.demo.year import calendar, happenings, people, shopkeeping
from taesan.demo.year.cast import Customer, Person, Shop, ask, facts_of, friend_of
from taesan.demo.year.market import Market
from taesan.demo.year.people import Places
from taesan.demo.year.world import LARGEST_PAYMENT, PAUSE, World

BETWEEN_BATCHES, LAST_DAYS = 14, 80
MORNING, EVENING = time(0, 10), time(22, 0)
FIRST_SALE = time(8, 0)
DEPOSIT_MONTHS = 6
SPENDING_MONEY = 20 * 10**6
"""Deposited besides what purchases need, for six months: for presents and top-ups, minor units."""
SPONSORED = 90 * 10**6
ALLOWED = 25 * 10**6, 1_000 * 10**6
"""What wallets let be moved: the cautious first a little, so that they are asked again; minor units."""
OPENS = datetime(1996, 12, 30, 9, tzinfo=UTC)


class Story:
    """:param seed: of all that is left to chance
    :ivar held: conversion → the first reason why it was held. :ivar links: gift links that nobody has used yet. :ivar month: from 0
    """

    def __init__(self, world: World, chosen: dict[int, list[Purchase]], months: int, seed: int) -> None:
        self.world, self.months = world, months
        self.random = random.Random(seed)
        self.state = State(":memory:")
        self.chosen = chosen
        self.customers: list[Customer] = []
        self.shops = [Shop(world, name, category) for name, category in people.SHOPS]
        self.held: dict[str, str] = {}
        self.links: list[happenings.Link] = []
        self.month = 0

    # ------------------------------------------------------------------ opening

    async def open(self, bar: Phase) -> None:
        """Shops and customers come, with test dollars; each signs a deposit, her rules, and what they may move."""
        world = self.world
        world.settle()
        self.facts = await facts_of(world)
        destinations = await ask(world, "GET", "/v1/destinations")
        faucet = Faucet(world.node, world.contracts)
        self.market = Market(world, faucet, destinations["bought"][0]["token"], destinations["bought"][0]["pool"])
        self.price_at_first = self.market.price()
        for shop in self.shops:
            await shop.open(self.state)
        self.customers = [
            Customer(place, number, bought, world, self.state)
            for place, (number, bought) in enumerate(self.chosen.items())
        ]
        self.sponsor = Person("taesan demo sponsor", world, self.state)
        needed = {c.address: sum(self._needed(c, m) for m in self._half_years()) for c in self.customers}
        faucet.give(needed | {self.sponsor.address: SPONSORED})
        await self.sponsor.begin_deposit(SPONSORED)
        await self.deposit(0)
        await self.sponsor.open_channel(SPONSORED)
        await self.sponsor.pay(SPONSORED)
        for customer in self.customers:
            await self._sign(customer)
            bar.advance()
        await shopkeeping.found_programmes(self)

    def _half_years(self) -> range:
        return range(0, self.months, DEPOSIT_MONTHS)

    async def deposit(self, month: int) -> None:
        """What each will need in the next six months, signed and brought to the chain by the hub."""
        for customer in self.customers:
            await customer.begin_deposit(self._needed(customer, month))
        self.world.settle()
        for customer in self.customers:
            customer.channel_id = await customer.open_channel(self._needed(customer, month))

    def _needed(self, customer: Customer, month: int) -> int:
        starts, ends = people.first_of(month), people.first_of(month + DEPOSIT_MONTHS)
        bought = [purchase for purchase in customer.purchases if starts <= purchase.day < ends]
        terms = people.KINDS[customer.kind](Places(people.NOWHERE, people.NOWHERE, people.NOWHERE, "mer_0"))
        exponent = self.facts.asset_exponent
        change = sum(people.gathered_of(terms, p.cents, exponent) or self.facts.units(p.round_up_cents) for p in bought)
        return SPENDING_MONEY + change + sum(self._paid(purchase) for purchase in bought)

    def _paid(self, purchase: Purchase) -> int:
        """What of a purchase goes through the hub: large ones are paid elsewhere, and leave their small change here."""
        amount = self.facts.units(purchase.cents)
        return amount if amount <= LARGEST_PAYMENT else 0

    async def _sign(self, customer: Customer) -> None:
        shop = self.shops[customer.place % len(self.shops)]
        at = Places(customer.address, friend_of(customer), self.market.ether, shop.id)
        for number, terms in enumerate(people.KINDS[customer.kind](at), start=1):
            customer.rule_ids.append((await customer.sign_rule(terms, number))["id"])
        if customer.rule_ids:
            await customer.allow(ALLOWED[customer.place % 3 > 0])

    # ------------------------------------------------------------------- living

    async def live(self, bar: Phase) -> None:
        """Every day of the months."""
        by_day: dict[date, list[tuple[Customer, Purchase]]] = defaultdict(list)
        for customer in self.customers:
            for purchase in customer.purchases:
                by_day[purchase.day].append((customer, purchase))
        for month in range(self.months):
            self.month = month
            for day in people.days_of(month):
                await self._pass(day, by_day[day])
                bar.advance(f"{day:%B %Y}")

    async def _pass(self, day: date, sales: list[tuple[Customer, Purchase]]) -> None:
        happenings_ = calendar.of(day, self.month)
        if happenings_ or day.weekday() in calendar.RULES_FIRE_ON or day.day in calendar.RULES_FIRE_THE:
            self.world.until(_at(day, MORNING))
        for happening in happenings_:
            await happening(self)
        if happenings_:  # what was signed is brought to the chain within its hour
            self.world.until(self.world.now() + PAUSE)
        for number, (customer, purchase) in enumerate(sales):
            self.world.later(_at(day, FIRST_SALE) + timedelta(minutes=number))
            if purchase.cents:
                await self._buy(customer, purchase)
        if calendar.is_settled_on(day):
            await self._settle(_at(day, EVENING), calendar.is_eve_of_shock(day, self.month))

    async def _buy(self, customer: Customer, purchase: Purchase) -> None:
        # Most of what somebody buys is from one shop.
        shop = self.shops[(customer.place + (purchase.cents % 3 == 0) * purchase.cds) % len(self.shops)]
        if amount := self._paid(purchase):
            paid = await customer.pay(amount, shop.id)
            shop.sold.append((paid["id"], amount))
        price = {"value": str(purchase.cents), "asset": "USD", "exponent": 2}
        if customer.rule_ids:
            await customer.add_change(price, merchant_id=shop.id, category=shop.category)
        elif purchase.round_up_cents:
            await customer.pay(self.facts.units(purchase.round_up_cents), purchase=price)

    async def _settle(self, at: datetime, with_shock: bool = False) -> None:
        """The batch of the fortnight, and what it brings."""
        self.world.move_to(at)
        if with_shock:
            self.market.move_price(happenings.SHOCK_PERCENT)
        self.world.settle()
        await happenings.look_at_held(self)

    async def end(self) -> None:
        """All is settled, and each conversion is done or kept.

        :raises DemoFailed: some never are
        """
        last = _at(people.first_of(self.months), EVENING)
        for days_after in range(0, LAST_DAYS, 4):
            await self._settle(last + timedelta(days=days_after))
            if days_after > BETWEEN_BATCHES and not happenings.unfinished(self):
                return
        raise DemoFailed("something is still under way that should have come to its end")

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


def _at(day: date, of_day: time) -> datetime:
    return datetime.combine(day, of_day, UTC)
