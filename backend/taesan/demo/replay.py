"""The story: customers open channels, their purchases are replayed, gift tokens arrive and are spent. All over HTTP."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console

from taesan.client import HubFacts, State
from taesan.demo.client import JSON, HubClient
from taesan.demo.faucet import Faucet, TransferGas
from taesan.demo.processes import DemoFailed
from taesan.demo.progress import Phase, counted, phase
from taesan.demo.purchases import Purchase
from taesan.demo.stage import Stage
from taesan.demo.wallet import Payer, key_of

T = TypeVar("T")

MERCHANTS = ("Blue Note Reviews", "Attic Games", "Lyrics & Liner Notes", "Corner Café", "Weather by the Minute")
DEPOSIT_STEP_CENTS = 500
LANES = 16
"""So many requests at once; what has one payer goes through one lane, so each channel's payments keep their order."""
POLL_S = 0.25
STALLED_AFTER_S = 90
TRANSFER_SAMPLE = 10


def jar_rule(facts: HubFacts, number: int) -> dict[str, str | int]:
    """A quarter of the customers each wants a gift token for every $0.25, $0.50, $1.00, or 5 payments."""
    rule: dict[str, str | int] = {"round_up_step": str(facts.units(100))}
    if number % 4 == 3:
        return rule | {"trigger_count": 5}
    return rule | {"trigger_count": 100, "trigger_value": str(facts.units((25, 50, 100)[number % 4]))}


@dataclass
class Merchant:
    """:ivar token: the API key"""

    id: str
    address: str
    token: str


@dataclass
class Told:
    """What the client was told and counted by itself. Amounts in minor units."""

    payments: dict[str, int] = field(default_factory=dict)
    payers: set[int] = field(default_factory=set)
    round_ups: int = 0
    small: int = 0
    gathered: int = 0
    deposited: int = 0
    fired: int = 0
    redeemed: int = 0
    paid_out: int = 0
    replay_s: float = 0
    retries: int = 0


class Replay:
    def __init__(self, client: HubClient, stage: Stage, console: Console) -> None:
        self.client, self.stage, self.console = client, stage, console
        self.told = Told()
        self.merchants: list[Merchant] = []
        self.payers: dict[int, Payer] = {}
        self._state = State(stage.place / "wallets.db")

    # ------------------------------------------------------------ opening

    async def meet(self) -> None:
        """Reads what the hub is, and signs up the merchants."""
        self.facts = HubFacts.read(await self.client.get("/v1/hub"))
        with phase(self.console, "merchants sign up", len(MERCHANTS)) as bar:
            for number, name in enumerate(MERCHANTS, start=1):
                key = key_of(f"taesan demo merchant {number}")
                session = await self.client.sign_in(key, self.facts.chain_id)
                made = await self.client.post("/v1/merchants", {"name": name}, token=session)
                self.merchants.append(Merchant(made["id"], made["address"], made["api_key"]))
                bar.advance()

    async def open_channels(self, customers: int, purchases: Sequence[Purchase], faucet: Faucet) -> None:
        """Each customer gets a wallet with test dollars, signs a deposit, and chooses when the jar fires."""
        needed: dict[int, int] = defaultdict(int)
        for purchase in purchases:
            needed[purchase.customer] += purchase.round_up_cents + (purchase.cents if purchase.is_small else 0)
        deposits = {}
        with phase(self.console, "wallets get test dollars from the faucet") as bar:
            for number in range(1, customers + 1):
                self.payers[number] = self._customer(number)
                steps = max(-(-needed[number] // DEPOSIT_STEP_CENTS), 1)
                deposits[number] = self.facts.units(steps * DEPOSIT_STEP_CENTS)
            await asyncio.to_thread(faucet.give, {self.payers[n].wallet.address: d for n, d in deposits.items()})
            bar.say(counted(customers, "wallets"))
        with phase(self.console, "channels open, each by one signature", customers) as bar:

            async def begin(payer: Payer) -> None:
                deposit = await payer.begin_deposit(deposits[payer.number])
                rule, session = jar_rule(self.facts, payer.number), await payer.sign_in()
                await self.client.put(f"/v1/channels/{deposit['channel_id']}/jar", rule, session)
                bar.advance()

            await _in_lanes(list(self.payers.values()), begin, lambda payer: payer.number)
        with phase(self.console, "deposits are confirmed on chain", customers) as bar:

            async def finish(payer: Payer) -> None:
                await payer.open_channel(deposits[payer.number])
                self.told.deposited += deposits[payer.number]
                bar.advance()

            await _in_lanes(list(self.payers.values()), finish, lambda payer: payer.number)

    def _customer(self, number: int) -> Payer:
        return Payer(number, self.client.site, self._state, self.client.http, self.client.on_trouble)

    # ------------------------------------------------------------- replay

    async def pay(self, purchases: Sequence[Purchase], kill_midway: bool) -> None:
        """Every purchase in date order: its round-up to the jar, and a small one itself to a merchant."""
        done, killed_at = 0, 0.0
        with phase(self.console, "purchases are replayed", len(purchases)) as bar:

            async def pay_one(numbered: tuple[int, Purchase]) -> None:
                nonlocal done, killed_at
                index, purchase = numbered
                if kill_midway and not killed_at and done >= len(purchases) // 2:
                    self.stage.kill_hub()
                    killed_at = time.perf_counter()
                    self.console.print(
                        f"[yellow]⚡[/] kill -9 of service and worker after {done:,} purchases; starting them again"
                    )
                    self.stage.start_hub()
                await self._pay_purchase(index, purchase)
                done += 1
                bar.advance(f"{purchase.day:%b %Y}")

            started = time.perf_counter()
            await _in_lanes(list(enumerate(purchases)), pay_one, lambda numbered: numbered[1].customer)
            self.told.replay_s = time.perf_counter() - started
            self.told.retries = self.client.retries + sum(payer.retries for payer in self.payers.values())
            bar.say(
                f"{counted(len(self.told.payments), 'payments')}, {counted(self.told.retries, 'requests')} sent again"
            )

    async def _pay_purchase(self, index: int, purchase: Purchase) -> None:
        payer = self.payers[purchase.customer]
        if purchase.round_up_cents:
            amount = self.facts.units(purchase.round_up_cents)
            bought = {"value": str(purchase.cents), "asset": "USD", "exponent": 2}
            accepted = await self._pay(payer, amount, f"round-up-{index}", purchase=bought)
            self.told.round_ups += 1
            self.told.gathered += amount
            fired = int(accepted["jar"]["fired"] or 0)
            payer.fired += fired
            self.told.fired += fired
        if purchase.is_small:
            merchant = self.merchants[purchase.customer % len(self.merchants)]
            await self._pay(payer, self.facts.units(purchase.cents), f"purchase-{index}", to=merchant.id)
            self.told.small += 1

    async def _pay(
        self, payer: Payer, amount: int, key: str, to: str | None = None, purchase: JSON | None = None
    ) -> JSON:
        accepted = await payer.pay(amount, to, purchase=purchase, key=key)
        self.told.payers.add(payer.number)
        self.told.payments[accepted["id"]] = amount
        return accepted

    # ----------------------------------------------------------- afterwards

    async def settle(self, faucet: Faucet) -> TransferGas:
        """Waits until all is settled and posted. Meanwhile asks for each accepted payment again, and measures what
        plain transfers of the same amounts cost."""
        amounts = list(self.told.payments.values())[:TRANSFER_SAMPLE]
        with phase(self.console, "batches are settled on chain", len(self.told.payments)) as bar:
            transfers, _, _ = await asyncio.gather(
                asyncio.to_thread(faucet.measure_transfers, amounts), self._find_accepted(), self._until_posted(bar)
            )
        return transfers

    async def _find_accepted(self) -> None:
        """No payment that was answered 201 may be lost."""

        async def find(payment: tuple[str, int]) -> None:
            id_, amount = payment
            found = await self.client.get(f"/v1/payments/{id_}")
            if int(found["amount"]) != amount:
                raise DemoFailed(f"{id_} was accepted with {amount} and is {found['amount']} now")

        await _in_lanes(list(self.told.payments.items()), find, lambda payment: hash(payment[0]))

    async def _until_posted(self, bar: Phase) -> None:
        reached, since = -1, time.monotonic()
        while True:
            overview = await self.client.get("/v1/overview")
            counts, money = overview["counts"], overview["money"]
            posted, wanted = counts["payments_settled"], len(self.told.payments)
            bar.reach(posted, wanted, f"batch {counts['batches']}")
            if posted >= wanted and money["minted"] == money["converted"]:
                return
            if posted != reached:
                reached, since = posted, time.monotonic()
            if time.monotonic() - since > STALLED_AFTER_S:
                raise DemoFailed(f"no settlement for {STALLED_AFTER_S} s: see {self.stage.place / 'worker.log'}")
            self.stage.require_running()
            await asyncio.sleep(POLL_S)

    async def spend(self) -> None:
        """Every second holder spends the gift tokens, at face value and without gas."""
        holders = [payer for payer in self.payers.values() if payer.fired][::2]
        with phase(self.console, "gift tokens are spent at merchants", len(holders)) as bar:
            sent: list[tuple[Merchant, JSON]] = []

            async def redeem(payer: Payer) -> None:
                merchant = self.merchants[payer.number % len(self.merchants)]
                body = payer.redemption(self.facts, merchant.address, payer.fired, datetime.now(UTC))
                answer = await self.client.post(
                    "/v1/redemptions", body, key=f"gift-{payer.number}", token=merchant.token
                )
                sent.append((merchant, answer))

            await _in_lanes(holders, redeem, lambda payer: payer.number)
            for merchant, redemption in sent:
                await self._until(f"/v1/redemptions/{redemption['id']}", "confirmed", merchant.token)
                self.told.redeemed += int(redemption["amount"])
                bar.advance()
            bar.say(f"by {counted(len(holders), 'holders')}")

    async def pay_out(self) -> None:
        """Each merchant takes all its credit, in one transfer."""
        with phase(self.console, "merchants are paid out", len(self.merchants)) as bar:
            ordered: list[tuple[Merchant, JSON]] = []
            for merchant in self.merchants:
                account = await self.client.get("/v1/account", merchant.token)
                if int(account["credit"]):
                    order = await self.client.post("/v1/payouts", {}, key="all", token=merchant.token)
                    ordered.append((merchant, order))
                else:
                    bar.advance()
            for merchant, order in ordered:
                await self._until(f"/v1/payouts/{order['id']}", "paid", merchant.token)
                self.told.paid_out += int(order["amount"])
                bar.advance()

    async def _until(self, path: str, state: str, token: str | None = None) -> None:
        """:raises DemoFailed: it failed, or did not get there in time"""
        deadline = time.monotonic() + STALLED_AFTER_S
        while True:
            answer = await self.client.get(path, token)
            if answer["state"] == state:
                return
            if answer["state"] == "failed":
                raise DemoFailed(f"{path} failed: {answer['reason']}")
            if time.monotonic() > deadline:
                raise DemoFailed(f"{path} is still {answer['state']}: see {self.stage.place / 'worker.log'}")
            self.stage.require_running()
            await asyncio.sleep(POLL_S)


async def _in_lanes(items: Sequence[T], work: Callable[[T], Awaitable[None]], lane_of: Callable[[T], int]) -> None:
    """Lanes side by side, each lane's items one after the other."""
    lanes: dict[int, list[T]] = defaultdict(list)
    for item in items:
        lanes[lane_of(item) % LANES].append(item)

    async def walk(lane: list[T]) -> None:
        for item in lane:
            await work(item)

    await asyncio.gather(*(walk(lane) for lane in lanes.values()))
