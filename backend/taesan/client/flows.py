"""What a client does, step by step, without doing any of it: a flow yields what is to be sent or waited for, and is given the
answers. The same flows serve `Client` and `AsyncClient`.
"""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from taesan.client import signing, sites, x402
from taesan.client.errors import NotOurs, Refused, Unanswered, require_address, require_amount
from taesan.client.signing import HubFacts, Json, Signer
from taesan.client.state import Busy, Intent, KeyReused, Limits, State
from taesan.client.steps import Flow, Send, Wait
from taesan.core.clock import utc_now

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
POLL_S = 0.5
IDEMPOTENT = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
ANSWERED_LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
STATEMENT = "Sign in to Taesan."


@dataclass
class Flows:
    """:ivar site: the hub's address. :ivar patience_s: how long an answer is asked for again :ivar token: of a session
    :ivar plain_http: whether hosts outside this machine may do without https :ivar clock: seconds that only go forward
    :ivar now: the time that is signed :ivar is_local: whether the hub is on a local chain"""

    site: str
    wallet: Signer
    hot_key: Signer
    state: State
    limits: Limits
    patience_s: float
    salt: str
    plain_http: bool = False
    facts: HubFacts | None = None
    is_local: bool = False
    retries: int = 0
    token: str | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = utc_now

    def now_ms(self) -> int:
        return int(self.now().timestamp() * 1_000)

    # ---------------------------------------------------------------- sending

    def asked(self, send: Send, is_safe: bool = True) -> Flow[httpx.Response]:
        """Until somebody answers who can: what says 429 or 503, or nothing, is asked again.

        :param is_safe: to be sent twice; if not, the first answer counts
        :raises Unanswered: for too long
        """
        began, pause = self.clock(), FIRST_PAUSE_S
        while True:
            answer = yield send
            if answer is not None and (answer.status_code not in ANSWERED_LATER or not is_safe):
                return answer
            told = answer.headers.get("retry-after", "") if answer is not None else ""
            seconds = float(told) if told.isdecimal() else pause * random.uniform(0.5, 1.5)  # noqa: S311
            waited = self.clock() - began  # who hangs takes time, too
            if waited + seconds > self.patience_s or not is_safe:
                last = "does not answer" if answer is None else f"answers {answer.status_code}"
                raise Unanswered(f"{httpx.URL(send.url).host} {last} for {waited:.0f} s")
            self.retries += 1
            yield Wait(seconds)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def got(self, path: str) -> Flow[Json]:
        return json_of((yield from self.asked(Send("GET", self.site + path))))

    def hub(self) -> Flow[HubFacts]:
        """What is signed for; asked once. :raises OtherHub: not what it was when the state first knew it"""
        if self.facts is None:
            answer = yield from self.got("/v1/hub")
            self.is_local = answer.get("chain_time") is not None
            facts = HubFacts.read(answer)
            lasting = sites.lasting(facts)
            sites.require_same(self.site, self.state.first_facts(self.site, lasting), lasting)
            self.facts = facts
        return self.facts

    def signed_now(self) -> Flow[datetime]:
        """The time that what goes to the chain is signed by. A local chain's clock may have been put forward (`taesan warp`), which its
        hub tells."""
        yield from self.hub()
        if not self.is_local:
            return self.now()
        told = (yield from self.got("/v1/hub"))["chain_time"]
        return max(self.now(), datetime.fromisoformat(told))

    def session(self) -> Flow[str]:
        """A session's token, by Sign-in with Ethereum."""
        facts = yield from self.hub()
        nonce = json_of((yield from self.asked(Send("POST", self.site + "/v1/auth/nonces", json={}))))["nonce"]
        body = signing.sign_in(self.wallet, self.site, facts.chain_id, nonce, STATEMENT, self.now())
        return str(json_of((yield from self.asked(Send("POST", self.site + "/v1/auth/sessions", json=body))))["token"])

    def as_wallet(self, method: str, path: str, body: Json | None = None, is_safe: bool = False) -> Flow[Any]:
        """What the hub answers to the signed-in wallet alone; None if it answers nothing. Signs in when it has to.

        :param is_safe: to be sent twice, though the method does not tell
        """
        while True:
            is_new = self.token is None
            self.token = self.token or (yield from self.session())
            send = Send(method, self.site + path, body, {"Authorization": f"Bearer {self.token}"})
            answer = yield from self.asked(send, is_safe=is_safe or method in IDEMPOTENT)
            if answer.status_code != httpx.codes.UNAUTHORIZED or is_new:
                return json_of(answer) if answer.content else None
            self.token = None  # it has ended

    # ---------------------------------------------------------------- channel

    def channel(self) -> Flow[str]:
        """The channel's id, remembered."""
        facts = yield from self.hub()
        config = signing.channel_config(facts, self.wallet.address, self.hot_key.address, self.salt)
        id_ = signing.channel_id(facts, config)
        if self.state.charged(id_) is None:
            self.state.add_channel(id_, config)
        return id_

    def deposit(self, amount: int) -> Flow[Json]:
        """Has the hub bring a deposit to the chain, and does not wait for it: `open` does. Returns the hub's `deposit`."""
        answer = yield from self._answered((yield from self._deposit(amount)))
        return dict(answer["deposit"])

    def open(self, amount: int) -> Flow[str]:
        """Deposits; returns the channel's id once the deposit is confirmed and can be spent. A deposit of this amount that
        was begun before is this one."""
        intent = yield from self._deposit(amount)
        yield from self._finish(intent)
        return intent.channel

    def top_up(self, amount: int, below: int) -> Flow[str]:
        """Opens the channel, or deposits once more, if there is less than `below` to spend; returns its id."""
        id_ = yield from self.channel()
        try:
            left = int((yield from self.as_wallet("GET", f"/v1/channels/{id_}"))["available"])
        except Refused as refused:
            if refused.type != "unknown-channel":
                raise
            left = 0
        return (yield from self.open(amount)) if left < below else id_

    def _deposit(self, amount: int) -> Flow[Intent]:
        require_amount(amount)
        facts, id_ = (yield from self.hub()), (yield from self.channel())
        while True:
            pending = self.state.pending(id_)
            if pending is not None and (pending.kind, pending.amount) == ("deposit", amount):
                return pending
            yield from self.resolve(id_)
            salt = "0x" + secrets.token_hex(32)
            config = signing.channel_config(facts, self.wallet.address, self.hot_key.address, self.salt)
            body = signing.deposit(facts, self.wallet, config, amount, salt, (yield from self.signed_now()))
            request = {"path": "/v1/channels", "body": body}
            try:
                return self.state.intend(id_, "deposit", salt, amount, request, None, self.limits, self.now_ms())
            except Busy:
                yield Wait(FIRST_PAUSE_S)

    # ---------------------------------------------------------------- payments

    def pay(self, amount: int, destination: Json, extra: Json, key: str | None) -> Flow[Json]:
        """One payment; what the hub answered. A key that has paid before gets its first answer again.

        :raises Refused: :raises Unanswered: :raises OverLimit: :raises KeyReused: :raises BadArgument:
        """
        require_amount(amount)
        if destination["type"] == "person":
            destination = destination | {"address": require_address(destination["address"])}
        facts, id_ = (yield from self.hub()), (yield from self.channel())
        key, has_learnt = key or secrets.token_hex(16), False
        while True:
            yield from self.resolve(id_)
            known = self.state.find(id_, key)
            if known is not None and known.state == "pending":
                continue  # another process has just begun it
            if known is not None:
                return _same(known, amount, destination, extra)
            cumulative = (self.state.charged(id_) or 0) + amount
            body = {
                "voucher": signing.voucher(facts, self.hot_key, id_, cumulative),
                "amount": facts.money(amount),
                "destination": destination,
                **extra,
            }
            request = {"path": "/v1/payments", "body": body}
            try:
                intent = self.state.intend(id_, "payment", key, amount, request, cumulative, self.limits, self.now_ms())
            except (Busy, KeyReused):
                yield Wait(
                    FIRST_PAUSE_S
                )  # another process that uses this state was faster, with this very key or another
                continue
            try:
                return (yield from self._finish(intent))
            except Refused as refused:
                if has_learnt or not self._was_late(intent, refused):
                    raise
                has_learnt = True

    def pay_invoice(self, invoice_id: str) -> Flow[Json]:
        """Pays what is due, once: the invoice is the payment's key."""
        invoice = yield from self.got(f"/v1/invoices/{invoice_id}")
        destination = {"type": "invoice", "invoice_id": invoice["id"]}
        return (yield from self.pay(int(invoice["quote"]["value"]), destination, {}, invoice["id"]))

    def gift(self, amount: int, merchant_id: str) -> Flow[Json]:
        """Gift tokens, signed over to a merchant."""
        require_amount(amount)
        facts, merchant = (yield from self.hub()), (yield from self.got(f"/v1/merchants/{merchant_id}"))
        salt = "0x" + secrets.token_hex(32)
        return signing.redemption(facts, self.wallet, merchant["address"], amount, salt, (yield from self.signed_now()))

    def resolve(self, channel: str) -> Flow[None]:
        """Finishes what was begun and has no answer, if there is anything: nothing else is signed before. A refusal of it
        is its own caller's business, who is gone."""
        intent = self.state.pending(channel)
        if intent is None:
            return
        try:
            if intent.kind != "x402":
                yield from self._finish(intent)
                return
            try:
                yield from self.finish_x402(intent, is_patient=False)
                return
            except Unanswered:
                pass  # a merchant who is gone stops nothing: the hub knows what became of the money
        except Refused:
            return
        yield from self._ask_hub(intent)

    def _ask_hub(self, intent: Intent) -> Flow[None]:
        """Whether a merchant has taken a payment that it does not answer for. If not it is given up: what is paid next is
        signed from the same amount on, and the hub accepts one of the two."""
        try:
            charged = int((yield from self.as_wallet("GET", f"/v1/channels/{intent.channel}"))["charged_cumulative"])
        except Refused as refused:
            if refused.type != "unknown-channel":
                raise
            charged = 0
        assert intent.cumulative is not None
        if charged >= intent.cumulative:
            self.state.done(intent, {"charged_cumulative": str(charged)})
        else:
            self.state.refused(intent, {"title": "Given up: the merchant did not answer."})

    def _was_late(self, intent: Intent, refused: Refused) -> bool:
        """Whether a voucher of ours that was given up has been taken after all. What we have never signed is not believed."""
        channel = refused.problem.get("channel")
        told = str(channel.get("charged_cumulative", "")) if isinstance(channel, dict) else ""
        if refused.type != "voucher-out-of-sequence" or not told.isdecimal():
            return False
        if not (self.state.charged(intent.channel) or 0) < int(told) <= self.state.signed_before(intent):
            return False
        self.state.adopt(intent.channel, int(told), self.now_ms())
        return True

    def _answered(self, intent: Intent) -> Flow[Json]:
        """What the hub says to it; said again to who asks again. :raises Refused: for good: the intent is at its end"""
        request = intent.request
        send = Send("POST", self.site + request["path"], request["body"], {"Idempotency-Key": intent.key})
        answer = yield from self.asked(send)
        if answer.is_server_error:
            raise Unanswered(f"the hub answers {answer.status_code}")
        try:
            return json_of(answer)
        except Refused as refused:
            self.state.refused(intent, refused.problem)
            raise

    def _finish(self, intent: Intent) -> Flow[Json]:
        body = yield from self._answered(intent)
        if intent.kind == "deposit":
            try:
                body = yield from self._confirmed(body["deposit"])
            except Refused as refused:
                self.state.refused(intent, refused.problem)
                raise
        self.state.done(intent, body)
        return body

    def _confirmed(self, deposit: Json) -> Flow[Json]:
        began, pause_s = self.clock(), FIRST_PAUSE_S  # what is said first may be an old answer
        while deposit["state"] != "confirmed":
            if deposit["state"] == "failed":
                raise Refused({"title": "The deposit failed.", "detail": deposit["reason"]}, 409)
            if self.clock() - began > self.patience_s:
                raise Unanswered(f"deposit {deposit['id']} is still {deposit['state']}")
            yield Wait(pause_s)
            pause_s = min(2 * pause_s, POLL_S)
            deposit = yield from self.got(f"/v1/deposits/{deposit['id']}")
        return deposit

    # -------------------------------------------------------------------- x402

    def fetch(self, send: Send) -> Flow[httpx.Response]:
        """A request; if it is answered 402 with an offer that this hub's channels pay, it is paid and sent again.

        :raises NotOurs: nothing that is offered can be paid. :raises Refused: :raises Unanswered: :raises OverLimit:
        """
        facts, id_ = (yield from self.hub()), (yield from self.channel())
        pending = self.state.pending(id_)
        if pending is not None and pending.kind == "x402" and pending.request == x402.kept(send, pending.request):
            return (yield from self.finish_x402(pending))  # it was paid for before, and its answer lost
        yield from self.resolve(id_)
        is_safe = send.method.upper() in IDEMPOTENT  # with its payment any request is: merchants sell once for each
        answer = yield from self.asked(send, is_safe)
        for _ in range(2):  # twice, if the first refusal proves that we have paid more than we know
            if answer.status_code != httpx.codes.PAYMENT_REQUIRED:
                return answer
            required = x402.read_required(answer.headers)
            offer = x402.choose(required, facts)
            if offer is None:
                raise NotOurs(f"{send.url} asks for nothing that a channel of {self.site} pays")
            sites.require_https(send.url, self.plain_http)
            amount, charged = int(offer["amount"]), self.state.charged(id_) or 0
            config = signing.channel_config(facts, self.wallet.address, self.hot_key.address, self.salt)
            voucher = signing.voucher(facts, self.hot_key, id_, charged + amount)
            request = x402.request(send, x402.payment(required, offer, config, voucher))
            key = "x402-" + secrets.token_hex(16)
            try:
                intent = self.state.intend(
                    id_, "x402", key, amount, request, charged + amount, self.limits, self.now_ms()
                )
            except Busy:
                return (yield from self.fetch(send))  # another process that uses this state was faster
            try:
                return (yield from self.finish_x402(intent))
            except Refused as refused:
                if not self._has_learnt(facts, id_, refused.problem, charged):
                    raise
                answer = yield from self.asked(send, is_safe)
        return answer

    def finish_x402(self, intent: Intent, is_patient: bool = True) -> Flow[httpx.Response]:
        """:raises Refused: :raises Unanswered: the merchant has not said what became of it"""
        send = x402.sent(intent.request)
        answer = yield from self.asked(send, is_patient)
        receipt = x402.read_receipt(answer.headers)
        if receipt is not None and receipt.get("success"):
            self.state.done(intent, receipt)
            return answer
        if answer.is_server_error or answer.status_code in ANSWERED_LATER:
            raise Unanswered(f"{send.url} answers {answer.status_code}")
        problem = x402.read_required(answer.headers) if answer.status_code == httpx.codes.PAYMENT_REQUIRED else {}
        self.state.refused(intent, problem)
        if answer.status_code != httpx.codes.PAYMENT_REQUIRED:
            return answer  # the merchant has no such thing: not charged
        raise Refused(problem, answer.status_code)

    def _has_learnt(self, facts: HubFacts, channel: str, required: Json, charged: int) -> bool:
        """Whether the refusal proves, by a voucher of our own hot key, that more was paid than we know."""
        told = x402.corrective(required)
        if told is None or told.charged <= charged or told.charged > told.signed:
            return False
        if not signing.is_own_voucher(facts, self.hot_key.address, channel, told.signed, told.signature):
            return False
        self.state.adopt(channel, told.charged, self.now_ms())
        return True


def _same(known: Intent, amount: int, destination: Json, extra: Json) -> Json:
    """The first answer of a payment that comes again. :raises KeyReused: it is another one"""
    body = known.request.get("body", {})
    if (
        known.amount != amount
        or body.get("destination") != destination
        or any(body.get(k) != v for k, v in extra.items())
    ):
        raise KeyReused(f"{known.key!r} has named another payment")
    assert known.answer is not None
    return known.answer


def json_of(answer: httpx.Response) -> Json:
    """:raises Refused: it is a problem. :raises Unanswered: it is no answer of a hub"""
    try:
        body: Json = answer.json()
    except ValueError:
        raise Unanswered(f"{answer.url.host} answers {answer.status_code}, and not in JSON") from None
    if answer.is_error:
        raise Refused(body, answer.status_code)
    return body
