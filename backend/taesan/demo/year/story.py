"""What happens when: day by day through the months, each customer's purchases, and by the calendar all else."""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

from taesan.demo.faucet import Faucet
from taesan.demo.processes import DemoFailed
from taesan.demo.progress import Phase
from taesan.demo.purchases import Purchase
from taesan.demo.year import calendar, happenings, people, shopkeeping
from taesan.demo.year.cast import Customer, Person, ask, facts_of, friend_of
from taesan.demo.year.market import Market
from taesan.demo.year.people import Places
from taesan.demo.year.scene import DEPOSIT_MONTHS, Scene
from taesan.demo.year.world import PAUSE

BETWEEN_BATCHES, LAST_DAYS = 14, 80
BADGES_GATHER = timedelta(minutes=20)
"""New tiers wait for others at the hub, for less than that."""
MORNING, EVENING = time(0, 10), time(22, 0)
FIRST_SALE = time(8, 0)
SPONSORED = 90 * 10**6
ALLOWED = 25 * 10**6, 1_000 * 10**6
"""What wallets let be moved: the cautious first a little, so that they are asked again; minor units."""
OPENS = datetime(1996, 12, 30, 9, tzinfo=UTC)


class Story(Scene):
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
        needed = {c.address: sum(self.needed(c, m) for m in self._half_years()) for c in self.customers}
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
        if amount := self.paid(purchase):
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
                self.world.until(self.world.now() + BADGES_GATHER)
                self.world.settle()
                return
        raise DemoFailed("something is still under way that should have come to its end")


def _at(day: date, of_day: time) -> datetime:
    return datetime.combine(day, of_day, UTC)
