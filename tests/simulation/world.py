"""Carries out actions, one by one, on a service and its surroundings."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from taesan.channels.models import ChannelCreate
from taesan.channels.router import get_hub_facts, open_channel
from taesan.core.db import UNAVAILABLE
from taesan.core.problems import Problem
from taesan.core.worker import TransientError
from taesan.identity import keys
from taesan.identity.models import Merchant
from taesan.jars.models import JarRule
from taesan.jars.router import set_jar_rule
from taesan.merchants.models import PayoutCreate, RedemptionCreate
from taesan.merchants.router import order_payout, redeem
from tests.simulation.actions import FAULTS, MERCHANTS, PAYERS, Action
from tests.simulation.moments import KINDS, Crash, Violation
from tests.simulation.oracle import Oracle
from tests.simulation.people import UNANSWERED, Order, Payer, Request, wallet
from tests.simulation.service import OPERATOR, Service
from tests.support.wallet import config_tuple

CENT, DOLLAR = 10_000, 1_000_000
GWEI = 10**9


class World:
    """:ivar done: how often each action has been done, faults among them as often as they could be injected"""

    def __init__(self, service: Service) -> None:
        self.service, self.chain, self.node = service, service.chain, service.node
        facts = get_hub_facts(service.hub).model_dump(mode="json")
        self.payers = [Payer(number, facts) for number in range(PAYERS)]
        self.merchants = [self._merchant(number) for number in range(MERCHANTS)]
        self.requests: list[Request] = []
        self.orders: list[Order] = []
        self.done: Counter[str] = Counter()
        self.oracle = Oracle(service, self.requests, self.orders)

    def _merchant(self, number: int) -> Merchant:
        hub = self.service.hub
        with hub.db.write() as session:
            address = wallet(f"merchant {number}").address
            return keys.register(session, f"Merchant {number}", address, hub.clock.now(), hub.mode)[0]

    def do(self, action: Action) -> None:
        """:raises Violation: a promise is broken afterwards"""
        name, *arguments = action
        self.service.later(1)
        if not self.service.is_up:
            self._guarded(self.service.start)
        done = self._guarded(lambda: _DEEDS[name](self, *arguments))
        if done is not False:
            self.done[name] += 1
        self.oracle.look()

    def _guarded(self, deed: Callable[[], Any]) -> Any:
        """A crash is not the deed's, but the service's, which is started again."""
        try:
            return deed()
        except Crash:
            self.done["crashed"] += 1
            self.service.restart()
            return None

    def end(self) -> None:
        """Everything comes to rest, everybody has had an answer, and every promise is looked at.

        :raises Violation: one is broken
        """
        self.service.moments.disarm()
        self.rest()
        for payer in self.payers:
            self._ask_again(payer)
        for order in self.orders:
            if order.answer is None and not order.was_refused:
                self._send(order)
        self.rest()
        self.oracle.look_at_everything()

    def rest(self) -> None:
        self.service.come_to_rest(self.oracle.left)

    @property
    def faults(self) -> Counter[str]:
        return Counter({name: self.done[name] for name in (*FAULTS, "crashed") if self.done[name]})

    # ----------------------------------------------------------------- payments

    def pay(self, payer: int, cents: int, to: int) -> bool:
        return self.bulk([(payer, cents, to, "none")])

    def bulk(self, payments: Sequence[tuple[int, int, int, str]]) -> bool:
        """Several payments in one request, some of them wrong."""
        if not self.service.is_up:
            return False
        for number in {payer for payer, *_ in payments}:
            self._ask_again(self.payers[number])
        group: list[Request] = []
        ahead: Counter[int] = Counter()
        for number, cents, to, flaw in payments:
            if flaw == "repeated":
                group.append(group[-1] if group else self._any_request(number))
                continue
            merchant_id = self.merchants[to - 1].id if to else None
            request = self.payers[number].payment(cents * CENT, merchant_id, flaw, ahead[number])
            if flaw == "none":
                ahead[number] += request.submission.amount
            group.append(request)
        self._submit(group)
        return True

    def repeat(self, back: int) -> bool:
        """Something that was sent before comes once more, with its key."""
        if not self.service.is_up or not (self.requests or self.orders):
            return False
        if self.orders and back % 2:
            self._send(self.orders[-1 - back % len(self.orders)])
        elif self.requests:
            self._submit([self.requests[-1 - back % len(self.requests)]])
        return True

    def _any_request(self, payer: int) -> Request:
        """The payer's last one, or a first one."""
        found = [r for r in self.requests if r.payer.number == payer]
        return found[-1] if found else self.payers[payer].payment(CENT, None)

    def _ask_again(self, payer: Payer) -> None:
        """What was not answered is sent again before anything else, in its order."""
        waiting = [r for r in self.requests if r.payer is payer and r.state == UNANSWERED]
        if waiting:
            self._submit(waiting)

    def _submit(self, group: list[Request]) -> None:
        known = set(map(id, self.requests))
        self.requests += [r for n, r in enumerate(group) if id(r) not in known and r not in group[:n]]
        results = self.service.engine.run([r.submission for r in group])
        for request, result in zip(group, results, strict=True):
            request.answered(result)

    # ------------------------------------------------- deposits, jars, redemptions, payouts

    def deposit(self, payer: int, dollars: int, way: int) -> bool:
        """:param way: 2: the payer brings it to the chain; 1: the hub and the payer both do; else the hub"""
        who = self.payers[payer]
        if not self.service.is_up:
            return False
        state = self.service.rows("SELECT state FROM channel WHERE id = ?", who.channel)
        if state and state[0][0] == "closed":
            self._ask_again(who)
            who.open_new()
        signed = who.wallet.deposit(who.facts, who.config, dollars * DOLLAR, salt=who.salt())
        if way in (1, 2):
            self.chain.send(who.address, "channels", "deposit", *who.deposit_call(signed))
        if way != 2:
            body = ChannelCreate.model_validate({"config": who.config, "deposit": signed})
            key = f"deposit-{payer}-{who.next()}"
            self._order("deposit", lambda: open_channel(self.service.hub, body, key))
        return True

    def rule(self, payer: int, count: int | None, cents: int) -> bool:
        who = self.payers[payer]
        if not self.service.is_up or not self.service.rows("SELECT 1 FROM channel WHERE id = ?", who.channel):
            return False
        rule = JarRule.model_validate(
            {"round_up_step": str(DOLLAR), "trigger_count": count, "trigger_value": str(cents * CENT)}
        )
        set_jar_rule(self.service.hub, who.address, who.channel, rule, "en")
        return True

    def redeem(self, payer: int, merchant: int, percent: int) -> bool:
        who, to = self.payers[payer], self.merchants[merchant]
        amount = self.chain.read("gift_token", "balanceOf", who.address) * percent // 100
        if not self.service.is_up or not amount:
            return False
        body = RedemptionCreate.model_validate(who.wallet.redemption(who.facts, to.address, amount, salt=who.salt()))
        key = f"redemption-{payer}-{who.next()}"
        self._order("redemption", lambda: redeem(self.service.hub, to, body, key))
        return True

    def payout(self, merchant: int, percent: int) -> bool:
        to = self.merchants[merchant]
        amount = self.oracle.balance("credit", to.address) * percent // 100
        if not self.service.is_up or not amount:
            return False
        key = f"payout-{len(self.orders)}"
        body = PayoutCreate.model_validate({"amount": str(amount)})
        self._order("payout", lambda: order_payout(self.service.hub, to, body, key))
        return True

    def _order(self, what: str, send: Callable[[], Any]) -> None:
        self.orders.append(Order(what, send))
        self._send(self.orders[-1])

    def _send(self, order: Order) -> None:
        try:
            order.answered(bytes(order.send().body))
        except Problem as problem:
            if order.answer is not None:
                raise Violation(f"a {order.what} was accepted and is now refused: {problem.title}") from problem
            order.was_refused = True
        except (TransientError, *UNAVAILABLE):
            pass  # unknown: it will be sent again

    # ----------------------------------------------------------------- withdrawals

    def announce(self, payer: int, percent: int) -> bool:
        who = self.payers[payer]
        free = self.chain.read("channels", "channels", who.channel) * percent // 100
        if not free or who.announced is not None:
            return False
        self.chain.send(who.address, "channels", "initiateWithdraw", config_tuple(who.config), free)
        who.announced = int(self.service.clock.at.timestamp())
        return True

    def withdraw(self, payer: int) -> bool:
        """After the delay, in which the operator has been back for long enough: what the design asks for."""
        who = self.payers[payer]
        if who.announced is None:
            return False
        self.rest()
        self.service.later(self.service.settings.withdraw_delay_s)
        self.service.round()
        self.chain.send(who.address, "channels", "finalizeWithdraw", config_tuple(who.config))
        self.chain.mine()
        who.announced = None
        return True

    # ------------------------------------------------------- the service and its chain

    def step(self, number: int) -> bool:
        """One step of the worker."""
        return self.service.tick(lambda names: [names[number % len(names)]]) or True

    def tick(self) -> bool:
        return self.service.tick() or True

    def shuffle(self, seed: int) -> bool:
        """All steps, in another order."""
        return self.service.tick(lambda names: Random(seed).sample(names, len(names))) or True

    def mine(self, count: int) -> None:
        self.chain.mine(count)

    def later(self, seconds: int) -> None:
        self.service.later(seconds)

    def round(self) -> None:
        self.service.round()

    # ---------------------------------------------------------------------- faults

    def reorg(self, depth: int, keep: int) -> bool:
        """What waits is mined and, for half of the times, seen by the service; then it may fall out again."""
        self.chain.mine()
        if keep & 1:
            self.service.tick()
        gone = self.chain.reorganise(depth, keep >> 1)
        self.done["transactions that a reorg removed"] += gone
        return gone > 0

    def drop(self, number: int) -> bool:
        return self.chain.drop(number)

    def away(self) -> bool:
        was_away, self.node.is_away = self.node.is_away, True
        return not was_away

    def back(self) -> None:
        self.node.is_away = False

    def lose_answer(self, count: int) -> None:
        self.node.lost_answers = count

    def lose_request(self, count: int) -> None:
        self.node.lost_requests = count

    def fee(self, gwei: int) -> bool:
        self.chain.base_fee = gwei * GWEI
        return gwei > 1

    def foreign(self) -> None:
        """Somebody else uses the operator's key."""
        self.chain.put(OPERATOR, OPERATOR, b"", nonce=self.chain.nonce(OPERATOR))

    def restart(self) -> None:
        self.service.restart()

    def crash(self, kind: int, count: int) -> None:
        self.service.crash_at(KINDS[kind % len(KINDS)], count)

    def overlap(self, count: int) -> None:
        self.service.be_overtaken(count)


_DEEDS: dict[str, Callable[..., Any]] = {
    name.replace("_", " "): deed
    for name, deed in vars(World).items()
    if callable(deed) and not name.startswith("_") and name not in ("do", "end", "rest")
}
