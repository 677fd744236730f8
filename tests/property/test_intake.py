"""Random streams of good and bad vouchers: what is accepted is what a model accepts, and no unit of money is lost or
made on the way through jars and batches."""

import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlmodel import col

from taesan.app import create_app
from taesan.channels.models import Channel
from taesan.channels.queries import charged
from taesan.hub import Hub
from taesan.identity import keys
from taesan.jars.models import JarFiring
from taesan.jars.service import default_rule
from taesan.ledger import posting
from taesan.ledger.audit import Report, audit_books
from taesan.ledger.models import Account, Balance
from taesan.payments.models import Payment
from taesan.settlement import batcher, merkle
from taesan.settlement.models import Batch, BatchClaim, BatchCredit, BatchEntitlement
from tests.support.examples import examples
from tests.support.offline import facts_of, offline_hub, open_channel
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

WALLETS = [Wallet(f"payer {n}") for n in range(3)]
MERCHANTS = [Wallet(f"merchant {n}").address for n in range(2)]
CAP = 2_500_000

# Each fault, and the type of problem that tells it.
FAULTS = {
    "signed by a thief": "invalid-signature",
    "signed for another chain": "invalid-signature",
    "signed for more": "invalid-signature",
    "goes back": "voucher-out-of-sequence",
    "jumps": "voucher-out-of-sequence",
    "zero": "zero-amount",
    "over the cap": "amount-over-cap",
    "unknown merchant": "unknown-merchant",
    "unknown channel": "unknown-channel",
    "repeated": "voucher-out-of-sequence",
}

DOLLAR = 1_000_000
PAYER = st.integers(0, len(WALLETS) - 1)
# Mostly small ones, so that deposits last; and some that fire a jar by themselves.
AMOUNT = st.one_of(st.integers(1, DOLLAR // 2), st.integers(DOLLAR // 2, CAP))
TO = st.sampled_from(["jar", "jar", "0", "1"])
GOOD = st.tuples(PAYER, AMOUNT, TO, st.none())
BAD = st.tuples(PAYER, AMOUNT, TO, st.sampled_from(sorted(FAULTS)))
STEPS = st.lists(st.one_of(GOOD, GOOD, GOOD, BAD, st.just("freeze")), min_size=5, max_size=30)


@dataclass
class Model:
    """What ought to have happened."""

    deposits: list[int]
    charged: list[int] = field(default_factory=lambda: [0] * len(WALLETS))
    accepted: set[str] = field(default_factory=set)
    to_merchants: Counter[str] = field(default_factory=Counter)
    in_jar: Counter[int] = field(default_factory=Counter)
    fired: Counter[int] = field(default_factory=Counter)


@given(
    deposits=st.lists(st.one_of(st.integers(1, CAP), st.just(8 * CAP)), min_size=len(WALLETS), max_size=len(WALLETS)),
    steps=STEPS,
    batch_max_payments=st.integers(1, 12),
    batch_max_channels=st.integers(1, 3),
)
@example(
    deposits=[8 * CAP] * 3,
    # Each batch ends with a firing, and has as many channels and payments as it may.
    steps=[(n % 3, amount, "jar", None) for n, amount in enumerate([DOLLAR // 2, DOLLAR, 2 * DOLLAR] * 4)],
    batch_max_payments=2,
    batch_max_channels=2,
)
@example(
    deposits=[8 * CAP] * 3,
    steps=[(n % 3, DOLLAR, "jar" if n % 2 else "0", None) for n in range(12)],
    batch_max_payments=12,
    batch_max_channels=1,
)
@example(
    deposits=[8 * CAP] * 3,
    steps=[(0, DOLLAR, f"{n % 2}", None) for n in range(6)],
    batch_max_payments=12,
    batch_max_channels=1,
)
@settings(max_examples=examples(15))
def test_money_is_conserved_from_voucher_to_batch(
    deposits: list[int], steps: list[Any], batch_max_payments: int, batch_max_channels: int
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-intake-"))
    hub = offline_hub(
        folder, max_payment=CAP, batch_max_payments=batch_max_payments, batch_max_channels=batch_max_channels
    )
    try:
        with TestClient(create_app(hub)) as client:
            _run(hub, client, Model(deposits), steps)
    finally:
        hub.db.close()
        shutil.rmtree(folder)


def _run(hub: Hub, client: TestClient, model: Model, steps: list[Any]) -> None:
    with hub.db.write() as session:
        merchants = [keys.register(session, "Café", address, hub.clock.now(), hub.mode)[0].id for address in MERCHANTS]
    channels = [open_channel(hub, wallet, deposit) for wallet, deposit in zip(WALLETS, model.deposits, strict=True)]
    for number, step in enumerate(steps):
        if step == "freeze":
            _freeze(hub)
            _check_books(hub, model, channels)
        else:
            _pay(hub, model, client, channels, merchants, number, *step)
    _check_books(hub, model, channels)
    while _freeze(hub):
        pass
    _check_batches(hub, model)


def _pay(
    hub: Hub,
    model: Model,
    client: TestClient,
    channels: list[str],
    merchants: list[str],
    number: int,
    payer: int,
    amount: int,
    to: str,
    fault: str | None,
) -> None:
    facts, wallet, channel = facts_of(hub), WALLETS[payer], channels[payer]
    if fault == "repeated" and not model.charged[payer]:
        fault = None
    if fault == "unknown merchant":
        to = "0"
    amount = {"zero": 0, "over the cap": CAP + 1}.get(fault or "", amount)
    cumulative = model.charged[payer] + amount
    cumulative += {"goes back": -1, "jumps": 1, "repeated": -amount}.get(fault or "", 0)
    signer = Wallet("thief") if fault == "signed by a thief" else wallet
    signed = cumulative + 1 if fault == "signed for more" else cumulative
    domain = {"chainId": 1} if fault == "signed for another chain" else {}
    signature = signer.voucher(facts, channel, max(signed, 0), **domain)
    body = {
        "voucher": {
            "channel_id": "0x" + "ee" * 32 if fault == "unknown channel" else channel,
            "max_claimable_amount": str(max(cumulative, 0)),
            "signature": signature,
        },
        "amount": {"value": str(amount), "asset": hub.asset.id},
        "destination": {"type": "jar"}
        if to == "jar"
        else {"type": "merchant", "merchant_id": "mer_none" if fault == "unknown merchant" else merchants[int(to)]},
    }
    answer = client.post("/v1/payments", json=body, headers={"Idempotency-Key": f"{number}"})
    covered = amount <= model.deposits[payer] - model.charged[payer]
    if fault or not covered:
        expected = {FAULTS.get(fault or "", "insufficient-deposit")}
        if not covered and fault == "unknown merchant":
            expected.add("insufficient-deposit")  # the deposit is looked at first
        assert answer.status_code >= 400, fault
        assert answer.json()["type"].removeprefix("urn:taesan:problem:") in expected
        return
    assert answer.status_code == 201, answer.text
    told = answer.json()
    model.accepted.add(told["id"])
    model.charged[payer] += amount
    if to == "jar":
        model.in_jar[payer] += amount
        fired = int(told["jar"]["fired"] or 0)
        rule = default_rule(hub)
        assert (fired > 0) == (model.in_jar[payer] >= (rule.trigger_value or 0))
        model.in_jar[payer] -= fired
        model.fired[payer] += fired
    else:
        model.to_merchants[MERCHANTS[int(to)]] += amount


def _freeze(hub: Hub) -> bool:
    """Freezes a batch and pretends that it was settled."""
    with hub.db.write() as session:
        batch = batcher.freeze(session, hub, hub.clock.now())
        if batch is not None:
            batch.state = "posted"
            session.add(batch)
    return batch is not None


def _check_books(hub: Hub, model: Model, channels: list[str]) -> None:
    chart = hub.chart
    with hub.db.read() as session:
        for n, channel in enumerate(channels):
            assert posting.balance(session, chart.channel(channel)) == model.deposits[n] - model.charged[n]
            assert posting.balance(session, chart.jar(channel)) == model.in_jar[n]
            assert posting.balance(session, chart.converting(WALLETS[n].address)) == model.fired[n]
            assert charged(session, session.get_one(Channel, channel)) == model.charged[n]
        for address in MERCHANTS:
            assert posting.balance(session, chart.pending(address)) == model.to_merchants[address]
        assert posting.balance(session, chart.escrow) == sum(model.deposits)
        assert (
            session.scalar(
                select(func.sum(Balance.amount * Account.side)).join(
                    Account, col(Account.id) == col(Balance.account_id)
                )
            )
            == 0
        )
        assert set(session.scalars(select(col(Payment.public_id)))) == model.accepted


def _check_batches(hub: Hub, model: Model) -> None:
    with hub.db.read() as session:
        report = Report()
        audit_books(session, report)
        assert report.differences == []
        batches = session.scalars(select(Batch).order_by(col(Batch.id))).all()
        assert [b.id for b in batches] == list(range(1, len(batches) + 1))
        settled: list[str] = []
        claimed: dict[str, int] = defaultdict(int)
        entitled: dict[str, int] = defaultdict(int)
        for batch in batches:
            payments = batcher.payments_of(session, batch.id)
            assert 0 < len(payments) == batch.payment_count <= hub.settings.batch_max_payments
            assert len({p.channel_id for p in payments}) <= hub.settings.batch_max_channels
            settled += [p.public_id for p in payments]
            claims = session.scalars(select(BatchClaim).where(col(BatchClaim.batch_id) == batch.id)).all()
            credited = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id)).all()
            given = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)).all()
            assert batch.claimed == batch.credited + batch.entitled == sum(c.amount for c in claims)
            assert batch.credited == sum(c.amount for c in credited) == sum(p.amount for p in payments if p.merchant_id)
            assert batch.entitled == sum(e.amount for e in given)
            for claim in claims:
                claimed[claim.channel_id] += claim.amount
                assert claim.total_claimed == claimed[claim.channel_id] <= claim.max_claimable
            root = bytes.fromhex(batch.payments_root[2:])
            tree = batcher.payments_tree(payments)
            assert all(merkle.verify(root, batcher.leaf_of(p), tree.proof(batcher.leaf_of(p))) for p in payments)
            for e in given:
                entitled[e.account] += e.amount
                assert e.cumulative == entitled[e.account]
        assert Counter(settled) == Counter(model.accepted), "each payment is in exactly one batch"
        assert sum(b.credited for b in batches) == model.to_merchants.total()
        assert sum(b.entitled for b in batches) == model.fired.total()
        assert session.scalar(select(func.count()).where(col(JarFiring.batch_id).is_(None))) == 0
        assert entitled == {WALLETS[n].address: amount for n, amount in model.fired.items() if amount}
