"""Whatever is paid, refunded, set aside and withdrawn: an invoice is paid once, no more is given back than was paid, every refund
arrives in the end, and no batch owes more than it claims."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.hub import Hub
from taesan.identity import keys
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.settlement import refunds
from taesan.settlement.models import Batch, Refund
from tests.property.test_quarantine import CHANNEL, CHANNELS, DEPOSIT, DOLLAR, World
from tests.support.examples import examples
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

CENT = DOLLAR // 100
AMOUNT = st.integers(1, 2 * DOLLAR)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), CHANNEL, AMOUNT),
        st.tuples(st.just("gather"), CHANNEL, AMOUNT),
        st.tuples(st.just("give back"), st.integers(0, 20), AMOUNT),
        st.tuples(st.just("give back"), st.integers(0, 20), AMOUNT),
        st.tuples(st.just("race"), CHANNEL, st.integers(1, 200)),
        st.tuples(st.just("take credit"), st.just(0), AMOUNT),
        st.tuples(st.just("empty"), CHANNEL, st.integers(1, DEPOSIT)),
        st.tuples(st.sampled_from(["set aside", "retry", "refund"]), CHANNEL, st.just(0)),
        st.tuples(st.sampled_from(["settle", "settle", "freeze and dissolve"]), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Shop(World):
    """:ivar given_back: of each payment, by its id. :ivar taken: by the merchant, straight from the contract"""

    def __init__(self, hub: Hub, client: TestClient) -> None:
        super().__init__(hub, client)
        with hub.db.write() as session:
            key = keys.add_key(session, self.merchant.id, hub.clock.now(), hub.mode)
        self.headers = {"Authorization": f"Bearer {key}"}
        self.given_back: Counter[str] = Counter()
        self.taken = 0

    def do(self, step: str, n: int, amount: int) -> None:
        if step == "give back":
            self.give_back(n, amount)
        elif step == "race":
            self.race(n, amount)
        elif step == "take credit":
            self.take_credit(amount)
        else:
            super().do(step, n, amount)

    def post_json(self, path: str, body: Any) -> Any:
        self.number += 1
        headers = self.headers | {"Idempotency-Key": f"{self.number}"}
        return self.client.post(path, json=body, headers=headers)

    def give_back(self, n: int, amount: int) -> None:
        with self.hub.db.read() as session:
            paid = session.scalars(self.to_merchant().order_by(col(Payment.id))).all()
        if not paid:
            return
        payment = paid[n % len(paid)]
        answer = self.post_json("/v1/refunds", {"of": payment.public_id, "amount": str(amount)})
        left = payment.amount - self.given_back[payment.public_id]
        if amount > left:
            assert answer.json()["type"].endswith("refund-exceeds-payment")
        elif amount < min(CENT, left):
            assert answer.json()["type"].endswith("amount-too-small")
        elif answer.status_code == 202:
            self.given_back[payment.public_id] += amount
        else:
            assert answer.json()["type"].endswith("refund-not-covered")

    def race(self, first: int, cents: int) -> None:
        """All channels pay one invoice in one request, `first` before the others."""
        asked = {"amount": {"value": str(cents), "asset": "USD"}, "description": "Coffee"}
        invoice = self.post_json("/v1/invoices", asked).json()
        due, items = int(invoice["quote"]["value"]), []
        order = [(first + n) % CHANNELS for n in range(CHANNELS)]
        for n in order:
            total = self.charged[n] + due
            signature = self.wallets[n].voucher(facts_of(self.hub), self.ids[n], total)
            voucher = {"channel_id": self.ids[n], "max_claimable_amount": str(total), "signature": signature}
            to = {"type": "invoice", "invoice_id": invoice["id"]}
            amount = {"value": str(due), "asset": self.hub.asset.id}
            items.append({"voucher": voucher, "amount": amount, "destination": to, "idempotency_key": invoice["id"]})
        results = self.client.post("/v1/payments/bulk", json={"payments": items}).json()["results"]
        paid = [n for n, result in zip(order, results, strict=True) if result["status"] == 201]
        assert len(paid) <= 1
        for n in paid:
            self.charged[n] += due
        state = self.client.get(f"/v1/invoices/{invoice['id']}").json()["state"]
        assert state == ("paid" if paid else "open")

    def take_credit(self, amount: int) -> None:
        with self.hub.db.read() as session:
            amount = min(amount, self.credit(session))
        if amount:
            self.number += 1
            told = {"merchant": self.merchant.address, "amount": amount}
            chain_tells(self.hub, "settlement.CreditWithdrawn", f"taken {self.number}", **told)
            self.taken += amount
            self.reserve -= amount
            self.owed -= amount

    def freeze(self) -> Batch | None:
        with self.hub.db.write() as session:
            refunds.cover(session, self.hub, self.hub.clock.now())
        return super().freeze()

    def freeze_and_dissolve(self) -> None:
        with self.hub.db.write() as session:
            refunds.cover(session, self.hub, self.hub.clock.now())
        super().freeze_and_dissolve()

    # ------------------------------------------------------------------ what is true

    def to_merchant(self) -> Any:
        return select(Payment).where(col(Payment.merchant_id).is_not(None))

    def unbatched(self, session: Session) -> int:
        """What the merchant was paid and no batch has: each batch here is posted at once."""
        return sum(p.amount for p in session.scalars(self.to_merchant().where(col(Payment.batch_id).is_(None))))

    def credit(self, session: Session) -> int:
        """As the chain has it."""
        chart, address = self.hub.chart, self.merchant.address
        return posting.balance(session, chart.credit(address)) + posting.balance(session, chart.refunding(address))

    def check(self) -> None:
        super().check()
        chart, address = self.hub.chart, self.merchant.address
        with self.hub.db.read() as session:
            rows = session.scalars(select(Refund)).all()
            covered = sum(row.covered for row in rows)
            assert sum(self.given_back.values()) == sum(row.amount for row in rows)
            paid = sum(payment.amount for payment in session.scalars(self.to_merchant()))
            there_is = posting.balance(session, chart.pending(address)) + self.credit(session)
            assert there_is == paid - covered - self.taken
            owed = sum(row.amount - row.covered for row in rows)
            assert posting.balance(session, chart.refunding(address)) <= owed
            fired = sum(f.amount for f in session.scalars(select(JarFiring)) if not f.returned)
            left = sum(refunds.ready(row) for row in rows)
            assert posting.balance(session, chart.pending(address)) == self.unbatched(session) - left
            accounts = [wallet.address for wallet in self.wallets]
            on_their_way = sum(
                posting.balance(session, account(owner))
                for owner in accounts
                for account in (chart.converting, chart.entitled)
            )
            assert on_their_way + posting.balance(session, chart.gift_supply) == fired + covered
            assert all(i.paid_by for i in session.scalars(select(Invoice).where(col(Invoice.state) == "paid")))

    def end(self) -> None:
        """What is set aside is refunded by the operator, and new customers come: then every refund has arrived."""
        self.reserve += CHANNELS * DEPOSIT
        chain_tells(self.hub, "settlement.Funded", "fund at the end", amount=CHANNELS * DEPOSIT)
        while self.settle(set()):
            pass
        for n in range(CHANNELS):
            assert self.act("refund", n) is None
        while self.settle(set()):
            pass
        with self.hub.db.read() as session:
            owed = sum(session.scalars(select(col(Refund.left_over))))
        self.new_customer(owed)
        while self.settle(set()):
            pass
        self.check()
        with self.hub.db.read() as session:
            assert [r for r in session.scalars(select(Refund)) if r.left_over or r.batch_id is None] == []
            assert posting.balance(session, self.hub.chart.refunding(self.merchant.address)) == 0
            assert posting.balance(session, self.hub.chart.pending(self.merchant.address)) == 0

    def new_customer(self, amount: int) -> None:
        """Who pays the merchant so much."""
        if not amount:
            return
        wallet = Wallet("new customer")
        self.wallets.append(wallet)
        self.ids.append(open_channel(self.hub, wallet, amount))
        self.charged.append(0)
        self.claimed.append(0)
        self.held.append(amount)
        while self.charged[-1] < amount:
            self.number += 1
            self.pay(len(self.ids) - 1, min(2 * DOLLAR, amount - self.charged[-1]), to_merchant=True)


@given(steps=STEPS)
@example(
    steps=[
        ("pay", 0, 2 * DOLLAR),
        ("settle", 0, 0),
        ("give back", 0, DOLLAR),  # waits, and holds credit
        ("take credit", 0, DOLLAR + 1),  # of which the merchant takes some
        ("pay", 1, DOLLAR - 1),
        ("settle", 0, 0),  # too little
        ("give back", 1, CENT),
        ("pay", 1, DOLLAR),
        ("freeze and dissolve", 0, 0),
        ("settle", 0, 0),
    ]
)
@example(
    steps=[
        ("pay", 0, 2 * DOLLAR),
        ("give back", 0, 2 * DOLLAR),
        ("empty", 0, DEPOSIT),  # what was to pay for the refund is gone
        ("settle", 0, 0),
        ("pay", 1, DOLLAR),
        ("give back", 1, DOLLAR),
        ("settle", 0, 0),
    ]
)
@settings(max_examples=examples(10))
def test_every_refund_is_covered_and_arrives(steps: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-checkout-"))
    hub = offline_hub(folder)
    try:
        with TestClient(create_app(hub)) as client:
            shop = Shop(hub, client)
            shop.check()
            for step in steps:
                shop.do(*step)
                shop.check()
            shop.end()
    finally:
        hub.db.close()
        shutil.rmtree(folder)
