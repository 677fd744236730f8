"""Whatever is paid, rewarded, refunded and taken, in whatever order: what is promised is held or owed, what payers end up with follows
from their payments and refunds alone, and doing all again gives the same."""

import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.chain.models import ChainCursor
from taesan.core import outbox
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.loyalty import campaigns, following, lapsing, programmes
from taesan.loyalty.audit import audit_loyalty
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import CampaignCreate, ProgrammeTerms
from taesan.payments.models import Payment
from taesan.settlement import rewards
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Reward
from taesan.work import event_handlers
from tests.property.test_checkout import Shop
from tests.property.test_quarantine import CHANNEL, DOLLAR, World
from tests.support.examples import examples
from tests.support.offline import offline_hub

pytestmark = pytest.mark.database("sqlite", "postgresql")

CENT = DOLLAR // 100
AMOUNT = st.integers(CENT, 2 * DOLLAR)
CHANGES = {
    "end campaigns": campaigns.stop,
    "pause campaigns": campaigns.pause,
    "resume campaigns": campaigns.resume,
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["pay", "pay", "pay and follow"]), CHANNEL, AMOUNT),
        st.tuples(st.just("give back"), st.integers(0, 20), AMOUNT),
        st.tuples(st.just("campaign"), st.integers(1, 10), AMOUNT),
        st.tuples(st.just("programme"), st.integers(0, 3), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("take credit"), st.just(0), AMOUNT),
        st.tuples(st.sampled_from(["follow", "pay out", "settle", *CHANGES]), st.just(0), st.just(0)),
    ),
    max_size=30,
)


class Club(Shop):
    """With campaigns and tiers. Its week begins on Monday at midnight, UTC."""

    def do(self, step: str, n: int, amount: int) -> None:
        if step == "pay and follow":
            super().do("pay", n, amount)
            self.follow()
        elif step in ("campaign", "programme", "wait"):
            getattr(self, step)(n, amount)
        elif step in ("follow", "pay out"):
            getattr(self, step.replace(" ", "_"))()
        elif step in CHANGES:
            self.change_campaigns(step)
        else:
            super().do(step, n, amount)

    def follow(self) -> None:
        while following.follow_step(self.hub) or lapsing.lapse_step(self.hub):
            pass

    def pay_out(self) -> None:
        rewards.pay_out_step(self.hub)

    def wait(self, days: int, _amount: int) -> None:
        outbox.deliver(self.hub.db, event_handlers(self.hub), self.hub.clock)
        self.hub.clock.at += timedelta(days=days, seconds=1)  # type: ignore[attr-defined]
        with self.hub.db.write() as session:
            session.get_one(ChainCursor, 1).read_at = self.hub.clock.now()

    def campaign(self, tenths: int, budget: int) -> None:
        now = self.hub.clock.now()
        with self.hub.db.write() as session:
            credit = posting.balance(session, self.hub.chart.credit(self.merchant.address))
            if not (budget := min(budget, credit)):
                return
            asked = CampaignCreate(
                name="x",
                rate=tenths * 1_000,
                budget=str(budget),  # type: ignore[arg-type]
                cap_payer=str(budget // 2 + 1),  # type: ignore[arg-type]
                tiers_of="hub" if tenths % 2 else "merchant",
                ends_at=now + timedelta(days=10),
            )
            running = [
                row for row in campaigns.of_merchant(session, self.merchant, None, 100) if row.state == "running"
            ]
            if len(running) < campaigns.MOST_RUNNING:
                campaigns.start(session, self.hub, self.merchant, asked, now)

    def programme(self, tiers: int, count: int) -> None:
        """Of the merchant, or of the hub."""
        steps = [
            {"name": f"{n}", "count": count + n, "streak": 2 if n == 2 else None, "cashback_multiplier": 12_345 + n}
            for n in range(tiers)
        ]
        points = {"per": str(CENT * count), "valid_days": 9 * count, "notice_days": 5} if tiers else None
        terms = ProgrammeTerms.model_validate({"period": "week", "window": 2, "tiers": steps, "points": points})
        with self.hub.db.write() as session:
            owner = self.merchant.id if count % 2 else HUB
            programmes.define(session, self.hub, owner, terms, self.hub.clock.now())

    def change_campaigns(self, how: str) -> None:
        now = self.hub.clock.now()
        with self.hub.db.write() as session:
            for row in campaigns.of_merchant(session, self.merchant, None, 100):
                if row.state == "running" and row.ends_at > now:
                    CHANGES[how](session, self.merchant, row.public_id, now)

    # ------------------------------------------------------------------ what is true

    def credit(self, session: Session) -> int:
        return super().credit(session) + posting.balance(session, self.hub.chart.budget(self.merchant.address))

    def check(self) -> None:
        World.check(self)  # with the audit of all money
        with self.hub.db.read() as session:
            rows = session.scalars(select(Refund)).all()
            kept = sum(r.amount - r.reversed for r in session.scalars(select(Reward)) if r.payout_id is not None)
            assert sum(row.amount for row in rows) == sum(self.given_back.values()) + kept
            covered = sum(row.covered for row in rows)
            paid = sum(payment.amount for payment in session.scalars(self.to_merchant()))
            there_is = posting.balance(session, self.hub.chart.pending(self.merchant.address)) + self.credit(session)
            assert there_is == paid - covered - self.taken
            report = Report()
            audit_loyalty(session, report)
            assert report.differences == []

    def end(self) -> None:
        """All campaigns are over, and new customers come: then everybody has what she was promised, and the merchant the rest."""
        self.follow()
        self.change_campaigns("end campaigns")
        self.wait(1, 0)
        self.follow()
        while rewards.pay_out_step(self.hub):
            pass
        while self.settle(set()):
            pass
        with self.hub.db.read() as session:
            owed = sum(session.scalars(select(col(Refund.left_over))))
        self.new_customer(owed)
        while self.settle(set()):
            pass
        self.check()
        with self.hub.db.read() as session:
            address, chart = self.merchant.address, self.hub.chart
            assert [r for r in session.scalars(select(Refund)) if r.left_over] == []
            assert posting.balance(session, chart.refunding(address)) == 0
            assert posting.balance(session, chart.budget(address)) == 0
            assert posting.balance(session, chart.gift_supply) == sum(self.due(session).values())

    def due(self, session: Session) -> Counter[str]:
        """What each payment's payer ends up with, whatever came first: what was given back, and of the reward what is left."""
        due, given_back = Counter(self.given_back), self.given_back
        for row in session.scalars(select(Reward)):
            price = session.scalars(select(col(Payment.amount)).where(col(Payment.public_id) == row.source)).one()
            due[row.source] += row.amount * (price - given_back[row.source]) // price
        return due


@given(steps=STEPS)
@example(
    steps=[
        ("pay", 0, 2 * DOLLAR),
        ("settle", 0, 0),
        ("programme", 2, 1),
        ("campaign", 5, DOLLAR),
        ("pay", 0, DOLLAR),
        ("give back", 1, 33 * CENT),  # before it was looked at
        ("follow", 0, 0),
        ("pay out", 0, 0),
        ("give back", 1, 33 * CENT),  # when it was ordered
        ("settle", 0, 0),
        ("give back", 1, 33 * CENT),  # when it was paid
        ("programme", 1, 3),
        ("take credit", 0, 2 * DOLLAR),
        ("wait", 8, 0),
        ("pay and follow", 1, DOLLAR),
    ]
)
@example(
    steps=[
        ("pay", 0, 2 * DOLLAR),
        ("settle", 0, 0),
        ("programme", 3, 2),
        ("campaign", 1, DOLLAR),
        *[("pay", 1, CENT)] * 3,
        ("wait", 20, 0),
        ("programme", 1, 2),
        ("pay", 1, CENT),
        ("give back", 2, CENT),
        ("wait", 20, 0),
        ("follow", 0, 0),
    ]
)
@settings(max_examples=examples(10))
def test_rewards_and_tiers_follow_from_payments_and_refunds_alone(steps: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-loyalty-"))
    hub: Hub = offline_hub(folder)
    try:
        with TestClient(create_app(hub)) as client:
            club = Club(hub, client)
            for step in steps:
                club.do(*step)
                club.check()
            club.end()
    finally:
        hub.db.close()
        shutil.rmtree(folder)
