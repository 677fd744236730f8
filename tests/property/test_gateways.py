"""Random lives of a gateway: payments, refunds, deposits, vouchers, links, claims and withdrawals in any order. Nothing is drawn
that is not deposited and signed, nobody overtakes anybody, and each customer ends with what it has paid for, to the unit."""

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.gateways import customers, funding, reports, service
from taesan.gateways.models import (
    Gateway,
    GatewayCreate,
    GatewayCustomer,
    GatewayPayment,
    LinkAsked,
    PaymentsMade,
    PaymentsRefunded,
)
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.audit import Report, audit_books
from taesan.payments.models import VoucherIn
from taesan.settlement import batcher
from taesan.settlement.audit_payments import audit_payments
from taesan.settlement.gateways import audit_gateways
from taesan.settlement.models import Batch
from tests.support.examples import examples
from tests.support.gateway import message, payment
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.wallet import Wallet

UNIT = 1_000_000  # the default rule's: one gift
EXPOSURE = 3 * UNIT
NAMES = ("anna", "ben", "carl")
AMOUNT = st.one_of(st.integers(0, 50_000), st.integers(0, 2 * UNIT))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.lists(st.tuples(st.sampled_from(NAMES), AMOUNT), min_size=1, max_size=5)),
        st.tuples(st.just("refund"), st.integers(0, 20)),
        st.tuples(st.just("deposit"), st.integers(1, 2 * UNIT)),
        st.tuples(st.just("sign"), AMOUNT),
        st.tuples(st.just("link"), st.sampled_from(NAMES)),
        st.tuples(st.just("withdraw"), AMOUNT),
        st.sampled_from([("claim", None), ("freeze", None), ("draw", None)]),
    ),
    max_size=16,
)


class World:
    """The hub, and a chain that does what it is told."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.wallet = hub, Wallet("gateway")
        self.deposited, self.signed, self.claimed, self.number = UNIT, UNIT, 0, 0
        self.channel_id = open_channel(hub, self.wallet, self.deposited)
        self.reported: list[dict[str, Any]] = []
        self.linked: dict[str, Wallet] = {}
        with hub.db.write() as session:
            wanted = GatewayCreate(name="Narae Pay", address=self.wallet.address)
            self.gateway_id = service.register(session, wanted, "test", hub.clock.now()).id
        self.do("sign", 0)

    def do(self, step: str, what: Any) -> None:
        self.number += 1
        hub, now = self.hub, self.hub.clock.now()
        if step in ("deposit", "withdraw", "claim"):
            getattr(self, f"_{step}")(what)
            return
        with hub.db.write() as session:
            gateway = session.get_one(Gateway, self.gateway_id)
            if step == "report":
                made = [payment(name, amount) for name, amount in what]
                self.reported += made
                reports.take(session, hub, gateway, PaymentsMade(**message("payment.made", made)), now)
            elif step == "refund" and self.reported:
                of = {"id": self.reported[what % len(self.reported)]["id"]}
                reports.take(session, hub, gateway, PaymentsRefunded(**message("payment.refunded", of)), now)
            elif step == "sign":
                self.signed += what
                signature = self.wallet.voucher(facts_of(hub), self.channel_id, self.signed)
                voucher = {"channel_id": self.channel_id, "max_claimable_amount": str(self.signed)}
                service.sign_funding(session, hub, gateway, VoucherIn(**voucher, signature=signature))
            elif step == "link" and what not in self.linked:
                self.linked[what] = Wallet(what)
                asked = LinkAsked(**message("customer.link", {"customer": what}))
                code = customers.new_code(session, gateway, f"msg_{self.number}", asked, now).code
                customers.link(session, hub, code, self.linked[what].address, now)
            elif step == "draw":
                funding.draw(session, hub, gateway, now)
            elif step == "freeze":
                self._freeze(session)

    def _deposit(self, amount: int) -> None:
        self.deposited += amount
        self._told("Deposited", amount=amount)

    def _claim(self, _what: None) -> None:
        """What is drawn, by `gather`."""
        with self.hub.db.read() as session:
            drawn = session.get_one(Gateway, self.gateway_id).drawn
        if drawn > self.claimed:
            more, self.claimed = drawn - self.claimed, drawn
            self._told("Claimed", amount=more, totalClaimed=drawn)
            self._told("Settled", token=self.hub.contracts.deployment.asset, amount=more)

    def _withdraw(self, amount: int) -> None:
        """The delay is long enough for the hub to claim first."""
        self._claim(None)
        if amount := min(amount, self.deposited - self.claimed):
            self.deposited -= amount
            self._told("WithdrawFinalized", amount=amount, balance=self.deposited)

    def _told(self, name: str, **args: Any) -> None:
        self.number += 1
        ours = {"channelId": self.channel_id, "receiver": self.hub.contracts.deployment.settlement}
        chain_tells(self.hub, f"channels.{name}", f"{name} {self.number}", **ours, **args)

    def _freeze(self, session: Session) -> None:
        """Freezes a batch and pretends that it was settled: of what is claimed only."""
        batch = batcher.freeze(session, self.hub, self.hub.clock.now())
        if batch is not None:
            batch.state = "posted"
            assert batcher.claims_of(session, batch.id) == [], "a gateway's voucher is not claimed with a batch"

    def check(self) -> None:
        chart = self.hub.chart
        with self.hub.db.read() as session:
            gateway = session.get_one(Gateway, self.gateway_id)
            assert gateway.drawn <= min(self.deposited, self.signed)
            assert gateway.drawn - self.claimed <= EXPOSURE
            assert posting.balance(session, chart.channel(self.channel_id)) == self.deposited - gateway.drawn
            assert posting.balance(session, chart.shortfall) == 0
            rows = session.scalars(select(GatewayPayment).order_by(col(GatewayPayment.id))).all()
            waiting = [row.id or 0 for row in rows if row.state == "waiting"]
            drawn = [row.id or 0 for row in rows if row.drawn_at is not None]
            assert max(drawn, default=0) < min(waiting, default=2**62), "in order of arrival"
            batches = session.scalars(select(Batch)).all()
            assert sum(batch.entitled for batch in batches) <= self.claimed
            report = Report()
            audit_books(session, report)
            audit_gateways(session, self.hub, report)
            audit_payments(session, self.hub, report)
            assert report.differences == []

    def end(self) -> None:
        """Everything is funded and linked; everybody has what they have paid for."""
        for name in NAMES:
            self.do("link", name)
        for step, what in (("deposit", 200 * UNIT), ("sign", 400 * UNIT)):
            self.do(step, what)
        while self._waits():
            self.do("claim", None)
            self.do("draw", None)
        self.do("claim", None)
        self.do("freeze", None)
        self.check()
        with self.hub.db.read() as session:
            paid: dict[int, int] = defaultdict(int)
            for row in session.scalars(select(GatewayPayment).where(col(GatewayPayment.refunded_at).is_(None))):
                assert row.state == "drawn"
                paid[row.customer_id] += row.amount
            entitled: dict[str, int] = defaultdict(int)
            for customer in session.scalars(select(GatewayCustomer)):
                gathered = posting.balance(session, self.hub.chart.gathered(customer.public_id))
                assert gathered < UNIT, "what makes a gift is released"
                assert gathered + customer.released - customer.owed == paid[customer.id or 0]
                entitled[customer.wallet or ""] += customer.released
            converting = {w: posting.balance(session, self.hub.chart.converting(w)) for w in entitled}
            assert converting == entitled
            assert sum(b.entitled for b in session.scalars(select(Batch))) == sum(entitled.values())

    def _waits(self) -> bool:
        with self.hub.db.read() as session:
            channel = session.get_one(Channel, self.channel_id)
            assert channel.state == "open"
            return session.get_one(Gateway, self.gateway_id).waiting > 0


@given(steps=STEPS)
@example(steps=[("report", [("anna", UNIT)]), ("claim", None), ("refund", 0), ("withdraw", UNIT)])
@example(steps=[("report", [("anna", UNIT)]), ("link", "anna"), ("refund", 0), ("report", [("anna", 5), ("ben", 7)])])
@example(steps=[("report", [("anna", UNIT), ("ben", 1), ("carl", 0)]), ("refund", 0), ("freeze", None)])
@settings(max_examples=examples(15))
def test_sums_are_exact_in_any_order(steps: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-gateways-"))
    hub = offline_hub(folder, channel_exposure=EXPOSURE)
    try:
        world = World(hub)
        for step, what in steps:
            world.do(step, what)
            world.check()
        world.end()
    finally:
        hub.db.close()
        shutil.rmtree(folder)
