"""A payer's client: opens a channel with a hub, pays by signed vouchers, and pays what answers 402.

    with Client("http://127.0.0.1:8000", key="0x…", state="wallet.db", limits=Limits(per_day=5_000_000)) as me:
        me.open_channel(2_000_000)                       # minor units of the hub's asset
        me.pay(250_000, to="mer_6f0c2a9b1d3e4f5061728394")
        article = me.get("https://shop.example/articles/7")  # pays what it costs

`AsyncClient` does the same with `await`. What was begun and got no answer is on the disk before it is sent: after a crash the
next call finishes it first, so nothing is paid twice; if it is a merchant who does not answer, the hub is asked whether it was
paid, and if not, the payment is given up. One state file is for one machine; several processes may share it.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from taesan.client import gifts
from taesan.client.change import Change, Terms
from taesan.client.errors import BadArgument, ClientError, NotOurs, Refused, Unanswered
from taesan.client.flows import Flows
from taesan.client.gifts import GiftLink
from taesan.client.signing import HubFacts, Json, LocalKey, Signer
from taesan.client.sites import OtherHub, PlainHttp, require_https
from taesan.client.state import KeyReused, Limits, OverLimit, State
from taesan.client.steps import Flow, Send, Wait
from taesan.core.clock import utc_now

__all__ = [
    "AsyncClient",
    "BadArgument",
    "Client",
    "ClientError",
    "GiftLink",
    "HubFacts",
    "KeyReused",
    "Limits",
    "LocalKey",
    "NotOurs",
    "OtherHub",
    "OverLimit",
    "PlainHttp",
    "Refused",
    "Signer",
    "State",
    "Terms",
    "Unanswered",
]

T = TypeVar("T")
NO_LIMITS = Limits()
PATIENCE_S, TIMEOUT_S = 60.0, 30.0
ONE_CHANNEL = "0x" + "00" * 32
A_MONTH = timedelta(days=30)


class _Client:
    """What both have in common.

    :param hub: its address, such as `https://hub.example`
    :param key: of the wallet that deposits: its secret as 0x-hex, or a `Signer`
    :param state: a file that remembers what was paid, or a `State`; without it all is forgotten at the end
    :param limits: what is paid at most
    :param hot_key: signs payments instead of the wallet; made, and kept in the state, if left out
    :param patience_s: how long an answer is asked for again before `Unanswered`
    :param salt: 32 bytes as 0x-hex: another one is another channel
    :param plain_http: whether hub and merchants outside this machine may do without https
    :param now: the clock that signatures go by
    :raises PlainHttp:
    """

    def __init__(
        self,
        hub: str,
        key: Signer | str,
        state: State | Path | str = ":memory:",
        limits: Limits = NO_LIMITS,
        hot_key: Signer | str | None = None,
        patience_s: float = PATIENCE_S,
        salt: str = ONE_CHANNEL,
        plain_http: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        require_https(hub, plain_http)
        wallet = LocalKey(key) if isinstance(key, str) else key
        self.state = state if isinstance(state, State) else State(state)
        self._owns_state = not isinstance(state, State)
        if hot_key is None:
            hot_key = self.state.hot_key(wallet.address)
        hot = LocalKey(hot_key) if isinstance(hot_key, str) else hot_key
        self._flows = Flows(hub.rstrip("/"), wallet, hot, self.state, limits, patience_s, salt, plain_http)
        self._flows.now = now
        self._change = Change(self._flows)

    @property
    def address(self) -> str:
        """The wallet's, EIP-55."""
        return self._flows.wallet.address

    @property
    def why_nothing(self) -> str | None:
        """Why the last `add_change` has put nothing into the jar; None: it has."""
        return self._change.why_nothing

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return self._flows.retries

    def _pay(
        self, amount: int, to: str | None, purchase: Json | None, reference: str | None, key: str | None
    ) -> Flow[Json]:
        destination = {"type": "jar"} if to is None else {"type": "merchant", "merchant_id": to}
        if to is not None and to.startswith("0x"):
            destination = {"type": "person", "address": to}
        elif to is not None and to.startswith("rul_"):
            destination = {"type": "jar", "rule_id": to}
        extra = {"purchase": purchase, "reference": reference}
        return self._flows.pay(amount, destination, {k: v for k, v in extra.items() if v is not None}, key)

    def _fetch(
        self, method: str, url: str, headers: dict[str, str] | None, content: bytes | None
    ) -> Flow[httpx.Response]:
        return self._flows.fetch(Send(method, url, None, headers or {}, content))

    def _channel(self) -> Flow[Json]:
        channel: Json = yield from self._flows.as_wallet("GET", f"/v1/channels/{(yield from self._flows.channel())}")
        return channel


class Client(_Client):
    __doc__ = (_Client.__doc__ or "").replace("What both have in common.", "Pays, and waits for the answer.")

    def __init__(self, *args: Any, http: httpx.Client | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._http = http or httpx.Client(timeout=TIMEOUT_S)
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()
        if self._owns_state:
            self.state.close()

    def begin_deposit(self, amount: int) -> Json:
        """As `open_channel`, but does not wait for the chain; returns the hub's `deposit`. `open_channel` waits."""
        return self._run(self._flows.deposit(amount))

    def open_channel(self, amount: int) -> str:
        """Deposits `amount` minor units, without gas; returns the channel's id once it can be spent.

        :raises Refused: such as `invalid-deposit` if the wallet has not got it. :raises Unanswered: call it again
        """
        return self._run(self._flows.open(amount))

    def top_up(self, amount: int, below: int = 1) -> str:
        """`open_channel`, if there is less than `below` left to spend; so it may stand before every purchase."""
        return self._run(self._flows.top_up(amount, below))

    def pay(
        self,
        amount: int,
        to: str | None = None,
        *,
        purchase: Json | None = None,
        reference: str | None = None,
        key: str | None = None,
    ) -> Json:
        """Pays a merchant (`mer_…`), another person (`0x…`), or into the channel's own jar, of itself or by a rule (`rul_…`); returns
        what the hub has answered.

        :param amount: minor units. :param purchase: what was bought, if this is its round-up
        :param key: names the payment: paid once, however often it is asked for
        :raises BadArgument: :raises OverLimit: :raises Refused: nothing was paid. :raises Unanswered: the next call finds out
        """
        return self._run(self._pay(amount, to, purchase, reference, key))

    def pay_invoice(self, invoice_id: str) -> Json:
        """Pays exactly what an invoice (`inv_…`) asks for; once, however often it is called. Else as `pay`."""
        return self._run(self._flows.pay_invoice(invoice_id))

    def gift(self, amount: int, to: str) -> Json:
        """Signs gift tokens over to a merchant (`mer_…`), who redeems them with this body of `POST /v1/redemptions`."""
        return self._run(self._flows.gift(amount, to))

    def give(
        self,
        amount: int,
        *,
        lives_for: timedelta = A_MONTH,
        message: str = "",
        sender_name: str = "",
        secret: bytes | None = None,
    ) -> GiftLink:
        """Gift tokens for whoever has a link; `taesan.client.card` makes a card of it, with a QR code.

        :param amount: minor units. :param secret: the link's key, 32 bytes. It is nowhere but in the link: who wants the link
            though there was no answer passes one. What nobody takes in time comes back (`take_back`, or by itself)
        :raises Refused: such as `invalid-token-transfer` if the wallet has not got it. :raises Unanswered:
        """
        return self._run(gifts.give(self._flows, amount, lives_for, message, sender_name, secret))

    def take_back(self, gift_id: str) -> Json:
        """A gift (`gift_…`) that nobody has taken in time. :raises Refused: such as `gift-not-expired`, `gift-claimed`"""
        return self._run(gifts.take_back(self._flows, gift_id))

    def send_tokens(self, amount: int, to: str) -> Json:
        """Gift tokens to an address, without gas; returns the hub's transfer, which is on its way. Else as `give`."""
        return self._run(gifts.send_tokens(self._flows, amount, to))

    def sign_rule(self, terms: Terms, number: int | None = None) -> Json:
        """Signs what small change becomes, and has the hub go by it; returns the rule.

        :param number: the payer's own for it: by the same number it is signed once, however often this is called
        """
        return self._run(self._change.sign(terms, number))

    def allow(self, amount: int) -> Json:
        """Signs how many gift tokens, in minor units, rules may move out of the wallet in all, until it is signed anew; returns the
        allowance. No gas: it goes along with the next conversion."""
        return self._run(self._change.allow(amount))

    def rules(self) -> list[Json]:
        """The channel's signed rules that gather now, the oldest first, with how far they are."""
        return self._run(self._change.rules())

    def add_change(
        self,
        price: Json,
        *,
        merchant_id: str | None = None,
        category: str | None = None,
        reference: str | None = None,
        key: str | None = None,
    ) -> Json | None:
        """Puts into the jar what the signed rules gather of a purchase, whoever it was paid to; None if they gather nothing of it, and
        then `why_nothing` says why.

        :param price: such as `{"value": "1177", "asset": "USD"}`. :param merchant_id, category: what the rules' filters go by
        :param key: names it: it is gathered once, however often this is called. Else as `pay`
        """
        return self._run(self._change.add(price, merchant_id, category, reference, key))

    def add_cashback(self) -> list[Json]:
        """Puts as much into the jar, out of the channel, as campaigns' cashback was paid out to the wallet, by the oldest rule that says
        `cashback` and since that was signed; each reward once, however often this is called. Returns what was paid. Else as `pay`
        """
        return self._run(self._change.add_cashback())

    def request(
        self, method: str, url: str, *, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """A request; what is answered 402 is paid, if a channel of this hub can, and asked for again.

        :raises NotOurs: it cannot. Else as `pay`
        """
        return self._run(self._fetch(method, url, headers, content))

    def get(self, url: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", url, headers=headers)

    def sign_in(self) -> str:
        """A session's token, for what only the wallet may ask for: `Authorization: Bearer …`."""
        return self._run(self._flows.session())

    def as_wallet(self, method: str, path: str, body: Json | None = None) -> Any:
        """Any route of the hub that wants a signed-in wallet, such as `PUT /v1/channels/{id}/jar`; returns its answer."""
        return self._run(self._flows.as_wallet(method, path, body))

    def channel(self) -> Json:
        """The channel as the hub sees it: what is left, what is in the jar."""
        return self._run(self._channel())

    def _run(self, flow: Flow[T]) -> T:
        with self._one_at_a_time:
            answer: httpx.Response | None = None
            try:
                while True:
                    step = flow.send(answer)
                    answer = self._do(step)
            except StopIteration as end:
                result: T = end.value
                return result

    def _do(self, step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return self._http.request(step.method, step.url, json=step.json, headers=step.headers, content=step.content)
        except httpx.TransportError:
            return None


class AsyncClient(_Client):
    __doc__ = (_Client.__doc__ or "").replace("What both have in common.", "As `Client`, for one event loop.")

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
