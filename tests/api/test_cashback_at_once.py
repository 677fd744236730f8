"""A thousand payments at once on a campaign with a budget for three hundred."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.hub import Hub
from taesan.identity import keys
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.ledger.posting import Line
from taesan.loyalty import campaigns, following
from taesan.loyalty.audit import audit_loyalty
from taesan.loyalty.models import CampaignCreate
from taesan.payments.models import Payment
from taesan.settlement import rewards
from taesan.settlement.audit_rewards import audit_rewards
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign, Reward
from taesan.work import undo_handlers
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

PAYERS, EACH, GIVEN = 20, 50, 300
PRICE, REWARD = 10_000, 1_000


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = offline_hub(tmp_path)
    yield hub
    hub.db.close()


def _start(hub: Hub) -> str:
    """A merchant with a campaign; returns the merchant's id."""
    now = hub.clock.now()
    with hub.db.write() as session:
        merchant = keys.register(session, "Café", Wallet("merchant").address, now, hub.mode)[0]
        earned = [
            Line(hub.chart.reserve, 2 * GIVEN * REWARD),
            Line(hub.chart.credit(merchant.address), -2 * GIVEN * REWARD),
        ]
        posting.post(session, "earned before", "batch settled", now, earned)
        request = CampaignCreate(name="Autumn", rate=1_000, budget=str(GIVEN * REWARD), ends_at=now + timedelta(days=1))  # type: ignore[arg-type]
        campaigns.start(session, hub, merchant, request, now)
        return merchant.id


def _payments_of(hub: Hub, name: str, merchant_id: str) -> list[Json]:
    wallet, facts = Wallet(name), facts_of(hub)
    channel = open_channel(hub, wallet, EACH * PRICE)
    return [
        {
            "voucher": {
                "channel_id": channel,
                "max_claimable_amount": str(n * PRICE),
                "signature": wallet.voucher(facts, channel, n * PRICE),
            },
            "amount": {"value": str(PRICE), "asset": hub.asset.id},
            "destination": {"type": "merchant", "merchant_id": merchant_id},
            "idempotency_key": f"{name}-{n}",
        }
        for n in range(1, EACH + 1)
    ]


def _rewarded(session: Session) -> tuple[int, int]:
    count, amount = session.execute(select(func.count(), func.sum(Reward.amount)).select_from(Reward)).one()
    return count, int(amount or 0)


def test_of_a_thousand_payments_at_once_just_those_are_rewarded_that_the_budget_is_for(hub: Hub) -> None:
    merchant_id = _start(hub)
    bodies = [_payments_of(hub, f"payer-{n}", merchant_id) for n in range(PAYERS)]
    client, are_paid = TestClient(create_app(hub)), threading.Event()

    def pay(payments: list[Json]) -> int:
        results = client.post("/v1/payments/bulk", json={"payments": payments}).json()["results"]
        return sum(result["status"] == 201 for result in results)

    def work() -> None:
        """As a worker that has lost its lease and does not know."""
        is_last = False
        while not is_last:
            is_last = are_paid.is_set()
            while following.follow_step(hub) | rewards.pay_out_step(hub):
                pass

    with client, ThreadPoolExecutor(PAYERS + 2) as threads:
        workers = [threads.submit(work) for _ in range(2)]
        try:
            accepted = sum(threads.map(pay, bodies))
        finally:
            are_paid.set()
        for worker in workers:
            worker.result()
    assert accepted == PAYERS * EACH
    with hub.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Payment)) == 1_000
        assert _rewarded(session) == (GIVEN, GIVEN * REWARD)
        campaign = session.scalars(select(Campaign)).one()
        assert (campaign.spent, campaign.rewards) == (campaign.budget, GIVEN)
        # What was not ordered to be paid yet, as only so many of a merchant's wait for a batch, is held.
        ordered = int(session.scalar(select(func.sum(Refund.amount)).where(col(Refund.is_reward))) or 0)
        held = posting.balance(session, hub.chart.budget(campaign.address))
        assert ordered + held == campaign.budget
        # The first that were accepted, and nobody else.
        last = session.scalar(select(func.max(Payment.id)).join(Reward, col(Reward.source) == col(Payment.public_id)))
        before = select(func.count()).where(col(Payment.id) <= last)
        assert session.scalar(before) == GIVEN
        report = Report()
        audit_rewards(session, hub, report)
        audit_loyalty(session, report)
        assert report.differences == []


def test_what_a_reorganisation_gives_back_of_a_budget_is_credit_again(hub: Hub) -> None:
    """The merchant had taken it from the contract, which has not happened after all: the campaign is over all the same."""
    _start(hub)
    address, chart = Wallet("merchant").address, hub.chart
    taken = {"merchant": address, "amount": GIVEN * REWARD + 5}
    chain_tells(hub, "settlement.CreditWithdrawn", "taken", **taken)
    with hub.db.read() as session:
        assert session.scalars(select(col(Campaign.state))).all() == ["taken"]
        assert [posting.balance(session, account(address)) for account in (chart.credit, chart.budget)] == [
            GIVEN * REWARD - 5,
            0,
        ]
    with hub.db.write() as session:
        told = {"args": taken, "key": "taken", "transaction": "0x", "block_number": 6}
        for handle in undo_handlers(hub)["settlement.CreditWithdrawn"]:
            handle(session, told, hub.clock.now())
    with hub.db.read() as session:
        assert posting.balance(session, chart.credit(address)) == 2 * GIVEN * REWARD
        assert posting.balance(session, chart.budget(address)) == 0
        report = Report()
        audit_rewards(session, hub, report)
        assert report.differences == []
