"""A frozen batch that is dissolved leaves no trace; and whatever is set aside, retried and refunded, each accepted unit goes
one way only."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.channels.models import Channel
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.identity import keys
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments.models import Payment
from taesan.settlement import batcher, packing, quarantine
from taesan.settlement.audit import audit_own
from taesan.settlement.models import Batch, BatchCredit, BatchEntitlement
from tests.support.examples import examples
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

DEPOSIT, DOLLAR, SURPLUS = 20_000_000, 1_000_000, 6_000_000
CHANNELS = 3
CHANNEL = st.integers(0, CHANNELS - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), CHANNEL, st.integers(1, 2 * DOLLAR)),
        st.tuples(st.just("gather"), CHANNEL, st.integers(1, 2 * DOLLAR)),
        st.tuples(st.just("empty"), CHANNEL, st.integers(1, DEPOSIT)),
        st.tuples(st.just("deposit"), CHANNEL, st.integers(1, DEPOSIT)),
        st.tuples(st.sampled_from(["set aside", "retry", "refund"]), CHANNEL, st.just(0)),
        st.tuples(st.sampled_from(["settle", "freeze and dissolve"]), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class World:
    """The hub, and a chain that does what it is told. :ivar held, claimed: of each channel, on chain"""

    def __init__(self, hub: Hub, client: TestClient) -> None:
        self.hub, self.client, self.number = hub, client, 0
        self.wallets = [Wallet(f"payer {n}") for n in range(CHANNELS)]
        with hub.db.write() as session:
            self.merchant = keys.register(session, "Café", Wallet("merchant").address, hub.clock.now(), hub.mode)[0]
        chain_tells(hub, "settlement.Funded", "fund", amount=SURPLUS)
        self.ids = [open_channel(hub, wallet, DEPOSIT) for wallet in self.wallets]
        self.charged, self.claimed = [0] * CHANNELS, [0] * CHANNELS
        self.held = [DEPOSIT] * CHANNELS
        self.reserve, self.owed = SURPLUS, 0

    def do(self, step: str, n: int, amount: int) -> None:
        self.number += 1
        if step in ("pay", "gather"):
            self.pay(n, amount, to_merchant=step == "pay")
        elif step == "empty":
            self.move(n, "Refunded", -min(amount, self.held[n] - self.claimed[n]))
        elif step == "deposit":
            self.move(n, "Deposited", amount)
        elif step in ("settle", "set aside"):
            self.settle({self.ids[n]} if step == "set aside" else set())
        elif step == "freeze and dissolve":
            self.freeze_and_dissolve()
        else:
            assert self.act(step, n) in (None, "deposit-missing", "surplus-too-small")

    def pay(self, n: int, amount: int, *, to_merchant: bool) -> None:
        cumulative = self.charged[n] + amount
        signature = self.wallets[n].voucher(facts_of(self.hub), self.ids[n], cumulative)
        to = {"type": "merchant", "merchant_id": self.merchant.id} if to_merchant else {"type": "jar"}
        body = {
            "voucher": {"channel_id": self.ids[n], "max_claimable_amount": str(cumulative), "signature": signature},
            "amount": {"value": str(amount), "asset": self.hub.asset.id},
            "destination": to,
        }
        answer = self.client.post("/v1/payments", json=body, headers={"Idempotency-Key": f"{self.number}"})
        assert answer.status_code in (201, 402, 409), answer.text
        if answer.status_code == 201:
            self.charged[n] = cumulative

    def move(self, n: int, event: str, amount: int) -> None:
        if amount:
            self.held[n] += amount
            receiver = self.hub.contracts.deployment.settlement
            key = f"{event} {self.number}"
            chain_tells(
                self.hub, f"channels.{event}", key, channelId=self.ids[n], receiver=receiver, amount=abs(amount)
            )

    def freeze(self) -> Batch | None:
        with self.hub.db.write() as session:
            return batcher.freeze(session, self.hub, self.hub.clock.now())

    def freeze_and_dissolve(self) -> None:
        before = self.dump()
        batch = self.freeze()
        if batch is not None:
            assert self.dump() != before
            with self.hub.db.write() as session:
                batcher.dissolve(session, session.get_one(Batch, batch.id))
            assert self.dump() == before

    def dump(self) -> dict[str, list[str]]:
        """All that is stored, but for what is a mere hint: which channel presses for a batch."""
        with self.hub.db.read() as session:
            tables = inspect(session.connection()).get_table_names()
            return {
                table: sorted(
                    repr({name: value for name, value in row.items() if name != "pressing"})
                    for row in session.execute(text(f"SELECT * FROM {table}")).mappings()
                )
                for table in tables
            }

    def settle(self, accused: set[str]) -> bool:
        """One batch, as the pipeline and the contract would; whether there was any. :param accused: refused in any case"""
        batch = self.freeze()
        while batch is not None:
            bad = (accused & self.channels_in(batch)) or self.refused(batch)
            if not bad:
                self.post(batch)
                return True
            with self.hub.db.write() as session:
                now = self.hub.clock.now()
                assert quarantine.set_aside(
                    session, self.hub, batch, dict.fromkeys(bad, "refused"), now, packing.UNLIMITED
                )
                batch = session.scalar(select(Batch).where(col(Batch.state) == "frozen"))
        return False

    def channels_in(self, batch: Batch) -> set[str]:
        with self.hub.db.read() as session:
            return {payment.channel_id for payment in batcher.payments_of(session, batch.id)}

    def refused(self, batch: Batch) -> set[str]:
        """Claims that would bring nothing."""
        with self.hub.db.read() as session:
            claims = batcher.claims_of(session, batch.id)
        return {c.channel_id for c in claims if c.total_claimed > self.held[self.ids.index(c.channel_id)]}

    def post(self, batch: Batch) -> None:
        with self.hub.db.read() as session:
            claims = batcher.claims_of(session, batch.id)
            owed = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id))
            credited = [packing.word(credit.address, credit.amount) for credit in owed]
            mints = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)).all()
        for claim in claims:
            n = self.ids.index(claim.channel_id)
            assert claim.total_claimed > self.claimed[n]
            self.reserve += claim.total_claimed - self.claimed[n]
            self.claimed[n] = claim.total_claimed
        self.owed += batch.credited + batch.entitled
        assert self.reserve >= self.owed, "the contract would refuse it"
        deployment = self.hub.contracts.deployment
        told: dict[str, Any] = {"receiver": deployment.settlement, "token": deployment.asset, "skipped": []}
        claimed = sum(claim.amount for claim in claims)
        chain_tells(self.hub, "channels.PackedClaimed", f"claimed {batch.id}", amount=claimed, **told)
        told = {"batchId": batch.id, "root": batch.root, "entitled": batch.entitled, "credits": credited}
        chain_tells(self.hub, "settlement.BatchSettled", f"settled {batch.id}", **told)
        for mint in mints:
            told = {"to": mint.account, "value": mint.amount}
            chain_tells(self.hub, "gift_token.Minted", f"minted {batch.id} {mint.account}", **told)

    def act(self, name: str, n: int) -> str | None:
        """Has the channel's quarantine retried or refunded; the type of the problem if that is refused."""
        with self.hub.db.read() as session:
            row = next((row for row in quarantine.held(session) if row.channel_id == self.ids[n]), None)
        if row is None:
            return None
        do = quarantine.retry if name == "retry" else quarantine.refund
        try:
            with self.hub.db.write() as session:
                do(session, self.hub, row.public_id, "cli", self.hub.clock.now())
        except Problem as problem:
            return problem.type
        return None

    def check(self) -> None:
        chart = self.hub.chart
        with self.hub.db.read() as session:
            channels = [session.get_one(Channel, id_) for id_ in self.ids]
            for n, channel in enumerate(channels):
                free = posting.balance(session, chart.channel(channel.id)) + posting.balance(
                    session, chart.jar(channel.id)
                )
                owed = 0 if channel.secured is not None else self.unsettled(session, channel)
                assert free + owed - channel.missing == self.held[n] - self.claimed[n]
            assert posting.balance(session, chart.shortfall) == sum(channel.missing for channel in channels)
            assert posting.balance(session, chart.reserve) == self.reserve
            report = Report()
            audit_own(session, self.hub, report)
            assert report.differences == []

    def unsettled(self, session: Session, channel: Channel) -> int:
        """What others are promised out of a channel, in no batch yet: each batch here is posted at once."""
        payments = select(Payment).where(col(Payment.channel_id) == channel.id, col(Payment.batch_id).is_(None))
        firings = select(JarFiring).where(
            col(JarFiring.channel_id) == channel.id, col(JarFiring.batch_id).is_(None), ~col(JarFiring.returned)
        )
        to_merchants = sum(p.amount for p in session.scalars(payments) if p.merchant_id)
        return to_merchants + sum(firing.amount for firing in session.scalars(firings))

    def end(self) -> None:
        """Somebody funds the hub, and what is still set aside is refunded: then all is settled or given back."""
        while self.settle(set()):
            pass
        self.reserve += CHANNELS * DEPOSIT
        chain_tells(self.hub, "settlement.Funded", "fund at the end", amount=CHANNELS * DEPOSIT)
        for n in range(CHANNELS):
            assert self.act("refund", n) is None
        while self.settle(set()):
            pass
        self.check()
        with self.hub.db.read() as session:
            assert quarantine.held(session) == []
            assert session.scalars(select(Payment).where(col(Payment.batch_id).is_(None))).all() == []
            batches = session.scalars(select(Batch)).all()
            payments, firings = session.scalars(select(Payment)).all(), session.scalars(select(JarFiring)).all()
            assert sum(batch.credited for batch in batches) == sum(p.amount for p in payments if p.merchant_id)
            assert sum(batch.entitled for batch in batches) == sum(f.amount for f in firings if not f.returned)
            assert all((firing.batch_id is None) == firing.returned for firing in firings)
            assert posting.balance(session, self.hub.chart.shortfall) == 0


@given(steps=STEPS)
@example(
    steps=[
        ("pay", 0, DOLLAR),
        ("gather", 0, DOLLAR),
        ("pay", 1, DOLLAR),
        ("empty", 0, DEPOSIT),
        ("settle", 0, 0),
        ("retry", 0, 0),
        ("deposit", 0, 2 * DOLLAR),
        ("retry", 0, 0),
        ("settle", 0, 0),
    ]
)
@example(steps=[("pay", 0, DOLLAR), ("gather", 0, 1), ("empty", 0, DEPOSIT), ("set aside", 0, 0), ("refund", 0, 0)])
@example(steps=[("gather", 0, DOLLAR), ("gather", 0, 1), ("set aside", 0, 0), ("refund", 0, 0), ("set aside", 0, 0)])
@settings(max_examples=examples(8))
def test_each_accepted_unit_is_settled_or_given_back_whatever_is_set_aside(steps: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-quarantine-"))
    hub = offline_hub(folder)
    try:
        with TestClient(create_app(hub)) as client:
            world = World(hub, client)
            world.check()
            for step in steps:
                world.do(*step)
                world.check()
            world.end()
    finally:
        hub.db.close()
        shutil.rmtree(folder)


def test_batches_that_a_reorg_has_brought_back_are_dissolved_together(tmp_path: Path) -> None:
    """A later batch that is still on its way is waited for: it can only be refused, for its number."""
    hub = offline_hub(tmp_path)
    with TestClient(create_app(hub)) as client:
        world = World(hub, client)
        first, second = (pay_and_freeze(world, n) for n in (0, 1))
        now, reasons = hub.clock.now(), {world.ids[0]: "refused"}
        for state, is_done in (("broadcast", False), ("frozen", True)):
            with hub.db.write() as session:
                session.get_one(Batch, second.id).state = state
            with hub.db.write() as session:
                assert quarantine.set_aside(session, hub, first, reasons, now, packing.UNLIMITED) == is_done
        with hub.db.read() as session:
            assert [(batch.id, batch.payment_count) for batch in session.scalars(select(Batch))] == [(1, 1)]
            assert [row.channel_id for row in quarantine.held(session)] == [world.ids[0]]
        with hub.db.write() as session:
            assert not quarantine.set_aside(session, hub, first, reasons, now, packing.UNLIMITED), (
                "that is another batch"
            )
        with hub.db.read() as session:
            report = Report()
            audit_own(session, hub, report)
            assert report.differences == []
    hub.db.close()


def pay_and_freeze(world: World, n: int) -> Batch:
    world.number += 1
    world.pay(n, DOLLAR, to_merchant=True)
    batch = world.freeze()
    assert batch is not None
    return batch
