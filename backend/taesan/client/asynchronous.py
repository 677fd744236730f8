"""The client for an event loop: `blocking.Client` with `await`, method by method."""

import asyncio
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from taesan.client import gifts
from taesan.client.base import A_MONTH, TIMEOUT_S, BaseClient
from taesan.client.change import Terms
from taesan.client.gifts import GiftLink
from taesan.client.signing import Json
from taesan.client.steps import Flow, Send, Wait

T = TypeVar("T")


class AsyncClient(BaseClient):
    __doc__ = (BaseClient.__doc__ or "").replace("What both have in common.", "As `Client`, for one event loop.")

    def __init__(self, *args: Any, http: httpx.AsyncClient | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT_S)
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()
        if self._owns_state:
            self.state.close()

    async def begin_deposit(self, amount: int) -> Json:
        """As `Client.begin_deposit`."""
        return await self._run(self._flows.deposit(amount))

    async def open_channel(self, amount: int) -> str:
        """As `Client.open_channel`."""
        return await self._run(self._flows.open(amount))

    async def top_up(self, amount: int, below: int = 1) -> str:
        """As `Client.top_up`."""
        return await self._run(self._flows.top_up(amount, below))

    async def pay(
        self,
        amount: int,
        to: str | None = None,
        *,
        purchase: Json | None = None,
        reference: str | None = None,
        key: str | None = None,
    ) -> Json:
        """As `Client.pay`."""
        return await self._run(self._pay(amount, to, purchase, reference, key))

    async def pay_invoice(self, invoice_id: str) -> Json:
        """As `Client.pay_invoice`."""
        return await self._run(self._flows.pay_invoice(invoice_id))

    async def gift(self, amount: int, to: str) -> Json:
        """As `Client.gift`."""
        return await self._run(self._flows.gift(amount, to))

    async def give(
        self,
        amount: int,
        *,
        lives_for: timedelta = A_MONTH,
        message: str = "",
        sender_name: str = "",
        secret: bytes | None = None,
    ) -> GiftLink:
        """As `Client.give`."""
        return await self._run(gifts.give(self._flows, amount, lives_for, message, sender_name, secret))

    async def take_back(self, gift_id: str) -> Json:
        """As `Client.take_back`."""
        return await self._run(gifts.take_back(self._flows, gift_id))

    async def send_tokens(self, amount: int, to: str) -> Json:
        """As `Client.send_tokens`."""
        return await self._run(gifts.send_tokens(self._flows, amount, to))

    async def sign_rule(self, terms: Terms, number: int | None = None) -> Json:
        """As `Client.sign_rule`."""
        return await self._run(self._change.sign(terms, number))

    async def allow(self, amount: int) -> Json:
        """As `Client.allow`."""
        return await self._run(self._change.allow(amount))

    async def rules(self) -> list[Json]:
        """As `Client.rules`."""
        return await self._run(self._change.rules())

    async def add_change(
        self,
        price: Json,
        *,
        merchant_id: str | None = None,
        category: str | None = None,
        reference: str | None = None,
        key: str | None = None,
    ) -> Json | None:
        """As `Client.add_change`."""
        return await self._run(self._change.add(price, merchant_id, category, reference, key))

    async def add_cashback(self) -> list[Json]:
        """As `Client.add_cashback`."""
        return await self._run(self._change.add_cashback())

    async def request(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """As `Client.request`."""
        return await self._run(self._fetch(method, url, headers, content))

    async def get(self, url: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.request("GET", url, headers=headers)

    async def sign_in(self) -> str:
        """As `Client.sign_in`."""
        return await self._run(self._flows.session())

    async def as_wallet(self, method: str, path: str, body: Json | None = None) -> Any:
        """As `Client.as_wallet`."""
        return await self._run(self._flows.as_wallet(method, path, body))

    async def channel(self) -> Json:
        """As `Client.channel`."""
        return await self._run(self._channel())

    async def _run(self, flow: Flow[T]) -> T:
        async with self._one_at_a_time:
            answer: httpx.Response | None = None
            try:
                while True:
                    step = flow.send(answer)
                    answer = await self._do(step)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _do(self, step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._http.request(
                step.method, step.url, json=step.json, headers=step.headers, content=step.content
            )
        except httpx.TransportError:
            return None
