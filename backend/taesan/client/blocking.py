"""The client that waits for each answer."""

import threading
import time
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


class Client(BaseClient):
    __doc__ = (BaseClient.__doc__ or "").replace("What both have in common.", "Pays, and waits for the answer.")

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
