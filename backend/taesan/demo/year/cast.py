"""The story's people as clients of the hub: customers with their wallets, shops with their API keys."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import httpx

from taesan.client import AsyncClient, HubFacts, LocalKey, State, signing
from taesan.client.signing import Json
from taesan.client.steps import Send, Wait
from taesan.demo.processes import DemoFailed
from taesan.demo.purchases import Purchase
from taesan.demo.wallet import key_of
from taesan.demo.year.people import kind_of
from taesan.demo.year.world import World

_keys = itertools.count(1)


class Person(AsyncClient):
    """Whoever has a wallet, and goes by the story's clock. To wait is to let the hub get on."""

    def __init__(self, name: str, world: World, state: State, key: LocalKey | None = None) -> None:
        self._world = world
        wallet, hot_key = key or key_of(name), key_of(f"{name} hot key")
        site, http = world.settings.public_url, world.http
        super().__init__(site, wallet, state, hot_key=hot_key, http=http, now=world.now)
        self.wallet = wallet

    async def _do(self, step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Wait):
            self._world.rest()
            return None
        return await super()._do(step)


class Customer(Person):
    """:param place: among those who take part. :param number: the data set's
    :ivar rule_ids: ids of what is signed, by their place in `people.KINDS`
    :ivar channel_id: hers. :ivar put_by: cashback that went into the jar, minor units"""

    def __init__(self, place: int, number: int, purchases: list[Purchase], world: World, state: State) -> None:
        self.place, self.kind, self.purchases = place, kind_of(place), purchases
        self.name = f"taesan demo customer {number:05}"
        self.rule_ids: list[str] = []
        self.channel_id = ""
        self.put_by = 0
        super().__init__(self.name, world, state)

    async def change_rule(self, how: str) -> None:
        """Pauses, resumes, cancels or fires her first. :param how: as the hub's API calls it"""
        await self.as_wallet("POST", f"/v1/channels/{self.channel_id}/rules/{self.rule_ids[0]}/{how}")
        self._change.known = None  # else it would hang on how fast this machine is when she hears of it


def friend_of(customer: Customer) -> str:
    """Whom her rule thinks of: the address."""
    return key_of(f"{customer.name}'s friend").address


@dataclass
class Shop:
    """:ivar token: the API key. :ivar sold: payments it has got, oldest first: (id, minor units)"""

    world: World
    name: str
    category: str
    id: str = ""
    address: str = ""
    token: str = field(default="", repr=False)
    sold: list[tuple[str, int]] = field(default_factory=list)
    refunded: list[tuple[str, int]] = field(default_factory=list)

    async def open(self, state: State) -> None:
        owner = Person(f"taesan demo shop {self.name}", self.world, state)
        made = await owner.as_wallet("POST", "/v1/merchants", {"name": self.name})
        self.id, self.address, self.token = made["id"], made["address"], made["api_key"]

    async def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        return await ask(self.world, method, path, body, self.token)


async def ask(world: World, method: str, path: str, body: Json | None = None, token: str = "") -> Any:
    """:raises DemoFailed: it was refused"""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if method == "POST":
        headers["Idempotency-Key"] = f"year-{next(_keys)}"
    answer = await world.http.request(method, path, json=body, headers=headers)
    if answer.is_error:
        raise DemoFailed(f"{method} {path} was refused: {answer.status_code} {answer.text[:500]}")
    return answer.json()


async def facts_of(world: World) -> HubFacts:
    return HubFacts.read(await ask(world, "GET", "/v1/hub"))


def claim_of(facts: HubFacts, key: LocalKey, recipient: str, amount: int, expires_at: int, nonce: str) -> Json:
    """The body of `POST /v1/gifts/…/claim`: what the page of whoever has a gift's link signs. :param key: the link's"""
    signature = signing.transfer(facts, key, recipient, amount, 0, expires_at, nonce)
    return {"recipient": recipient, "nonce": nonce, "signature": signature}
