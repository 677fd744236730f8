"""Random lives of a contract wallet that pays, is claimed, takes back, leaves: the hub holds of its own money what can still
be taken back, batches take only what cannot, and in the end the merchant has all that was accepted, once."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.chain import erc1271
from taesan.channels import queries
from taesan.channels import service as channels
from taesan.channels.models import Channel
from taesan.hub import Hub
from taesan.identity import keys
from taesan.ledger import posting
from taesan.ledger.audit import Report, audit_books
from taesan.payments.models import Payment
from taesan.settlement import batcher
from taesan.settlement.models import Batch, BatchClaim
from tests.support.examples import examples
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.signing import ZERO_ADDRESS
from tests.support.wallet import Wallet

DEPOSIT, LIMIT = 1_000, 300
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(1, 200)),
        st.tuples(st.just("pay by key"), st.integers(1, 200)),
        st.tuples(st.just("claim"), st.integers(0, 100)),  # per cent of what is not claimed yet
        st.tuples(st.just("withdraw"), st.integers(1, DEPOSIT)),
        st.sampled_from([("refuse", 0), ("freeze", 0)]),
    ),
    max_size=14,
)


class World:
    """The hub, and a chain that does what it is told. :ivar claimed, withdrawn: the channel's state there"""

    def __init__(self, hub: Hub, client: TestClient, surplus: int) -> None:
        self.hub, self.client, self.surplus = hub, client, surplus
        self.wallet, self.key = Wallet("contract"), Wallet("key")
        with hub.db.write() as session:
            self.merchant = keys.register(session, "Café", Wallet("merchant").address, hub.clock.now(), hub.mode)[0]
        chain_tells(hub, "settlement.Funded", "fund", amount=surplus)
        self.id = open_channel(hub, self.wallet, DEPOSIT, payer_authorizer=ZERO_ADDRESS)
        self.key_id = open_channel(hub, self.key, DEPOSIT)
        self.claimed = self.withdrawn = self.number = self.accepted = 0
        self.charged = {self.id: 0, self.key_id: 0}

    def do(self, step: str, amount: int) -> None:
        self.number += 1
        receiver = self.hub.contracts.deployment.settlement
        told: dict[str, Any] = {"channelId": self.id, "receiver": receiver}
        if step == "pay":
            self.pay(self.id, amount, "0x1271")
        elif step == "pay by key":
            signature = self.key.voucher(facts_of(self.hub), self.key_id, self.charged[self.key_id] + amount)
            self.pay(self.key_id, amount, signature)
        elif step == "claim":
            owed = min(self.charged[self.id], DEPOSIT - self.withdrawn) - self.claimed
            if share := owed * amount // 100:
                self.claimed += share
                told |= {"amount": share, "totalClaimed": self.claimed}
                chain_tells(self.hub, "channels.Claimed", f"claim {self.number}", **told)
                asset = self.hub.contracts.deployment.asset
                settled = {"receiver": receiver, "token": asset, "amount": share}
                chain_tells(self.hub, "channels.Settled", f"settle {self.number}", **settled)
        elif step == "withdraw":
            if amount := min(amount, DEPOSIT - self.withdrawn - self.claimed):
                self.withdrawn += amount
                told |= {"amount": amount, "balance": DEPOSIT - self.withdrawn}
                chain_tells(self.hub, "channels.WithdrawFinalized", f"withdraw {self.number}", **told)
        elif step == "refuse":
            with self.hub.db.write() as session:
                channels.stand_in(session, self.hub, session.get_one(Channel, self.id), self.hub.clock.now())
        else:
            self.freeze()

    def pay(self, channel: str, amount: int, signature: str) -> None:
        cumulative = self.charged[channel] + amount
        body = {
            "voucher": {"channel_id": channel, "max_claimable_amount": str(cumulative), "signature": signature},
            "amount": {"value": str(amount), "asset": self.hub.asset.id},
            "destination": {"type": "merchant", "merchant_id": self.merchant.id},
        }
        with self.hub.db.read() as session:
            free = posting.balance(session, self.hub.chart.surplus)
            row = session.get_one(Channel, channel)
            charged = queries.charged(session, row)
            deposit = posting.balance(session, self.hub.chart.channel(channel))
        answer = self.client.post("/v1/payments", json=body, headers={"Idempotency-Key": f"{self.number}"})
        at_stake = charged - (row.secured or 0) + amount
        fits = channel == self.key_id or (at_stake <= LIMIT and amount <= free)
        assert (answer.status_code == 201) == (fits and row.state == "open" and amount <= deposit), answer.text
        if answer.status_code == 201:
            self.charged[channel] = cumulative
            self.accepted += amount

    def freeze(self) -> bool:
        """Freezes a batch and pretends that it was settled."""
        with self.hub.db.write() as session:
            batch = batcher.freeze(session, self.hub, self.hub.clock.now())
            if batch is not None:
                batch.state = "posted"
                packed = {claim.channel_id for claim in batcher.claims_of(session, batch.id)}
                assert packed <= {self.key_id}, "a wallet's voucher is not claimed with a batch"
        return batch is not None

    def check(self) -> None:
        chart = self.hub.chart
        with self.hub.db.read() as session:
            channel = session.get_one(Channel, self.id)
            charged = queries.charged(session, channel)
            secured = charged if channel.secured is None else channel.secured
            cover, surplus = (posting.balance(session, a) for a in (chart.cover(self.id), chart.surplus))
            assert cover == charged - secured
            on_chain = DEPOSIT - self.withdrawn - self.claimed
            assert posting.balance(session, chart.channel(self.id)) + cover == on_chain
            # The wallet's payments are paid by the wallet or by the hub, each unit by one of them.
            assert self.charged[self.id] == cover + self.claimed + (self.surplus - surplus - cover)
            assert posting.balance(session, chart.shortfall) == 0
            assert posting.balance(session, chart.pending(self.merchant.address)) == self.accepted
            in_batch = select(Payment).where(col(Payment.channel_id) == self.id, col(Payment.batch_id).is_not(None))
            assert all(payment.cumulative <= secured for payment in session.scalars(in_batch))
            report = Report()
            audit_books(session, report)
            assert report.differences == []

    def end(self) -> None:
        """The wallet is claimed or refuses for good; all that is left is settled."""
        self.do("refuse", 0)
        while self.freeze():
            pass
        self.check()
        with self.hub.db.read() as session:
            assert sum(batch.credited for batch in session.scalars(select(Batch))) == self.accepted
            assert sum(claim.amount for claim in _claims(session, self.key_id)) == self.charged[self.key_id]
            assert all(claim.secured for claim in _claims(session, self.id))


@given(steps=STEPS, surplus=st.one_of(st.integers(1, LIMIT), st.just(2 * DEPOSIT)))
@example(steps=[("pay", 200), ("claim", 50), ("withdraw", 900), ("freeze", 0), ("pay", 1)], surplus=DEPOSIT)
@example(steps=[("pay", 200), ("refuse", 0), ("claim", 100), ("withdraw", 1_000)], surplus=DEPOSIT)
@example(steps=[("pay", 200), ("pay by key", 9), ("freeze", 0), ("claim", 100), ("freeze", 0)], surplus=DEPOSIT)
@settings(max_examples=examples(30))
def test_every_accepted_unit_is_paid_once_whatever_the_wallet_does(steps: list[Any], surplus: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-wallets-"))
    hub = offline_hub(folder, wallet_exposure=LIMIT, wallet_rate="1000/second")
    asked = erc1271.is_valid_contract_signature
    erc1271.is_valid_contract_signature = lambda *_: True
    try:
        with TestClient(create_app(hub)) as client:
            world = World(hub, client, surplus)
            for step, amount in steps:
                world.do(step, amount)
                world.check()
            world.end()
    finally:
        erc1271.is_valid_contract_signature = asked
        hub.db.close()
        shutil.rmtree(folder)


def _claims(session: Session, channel: str) -> list[BatchClaim]:
    return list(session.scalars(select(BatchClaim).where(col(BatchClaim.channel_id) == channel)))
