"""Random payments by signed rules and without, firings on request, withdrawals and batches, through the intake and the books: what
destinations get, what is in the jar, and what was taken out of it is what was gathered. In won and in dollars."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.channels import service as channels
from taesan.channels.models import Channel
from taesan.hub import Hub
from taesan.jars import rules
from taesan.jars.models import JarCount, JarFiring
from taesan.jars.rule_models import RuleCreate, RuleNote, RuleState, SignedRule
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments import dated, intake
from taesan.payments.messages import Outcome, Submission
from taesan.payments.models import Payment
from taesan.payments.terms import terms_of
from taesan.settlement import audit, batcher
from tests.support.examples import examples
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

ANNA = Wallet("anna")
DEPOSIT, MOST = 50_000_000, 2_000_000
WORDS = {
    "USD": [
        ("round up to 1 USD x10", "every 4 payments, when I say so"),
        ("7.31% of the price, fixed 0.10 USD, top-ups, at most 3 USD a day", "every 1 USD, when I say so"),
    ],
    "KRW": [
        ("round up to 500 KRW", "every 2 payments, when I say so"),
        ("0.07% of the price, cashback, at most 4 KRW a month", "every 3 KRW, when I say so"),
    ],
}
SHARES = ([10_000], [3_330, 3_330, 3_340], [10, 9_990])
PAY = st.tuples(st.just("pay"), st.sampled_from([0, 1, None]), st.integers(0, 2_000), st.integers(1, MOST))
STEPS = st.lists(
    st.one_of(
        PAY,
        PAY,
        PAY,
        st.tuples(st.just("fire"), st.sampled_from([0, 1])),
        st.tuples(st.just("withdraw"), st.integers(0, MOST)),
        st.just(("freeze",)),
    ),
    min_size=3,
    max_size=25,
)


@given(st.sampled_from(sorted(WORDS)), st.sampled_from(SHARES), STEPS)
@settings(max_examples=examples(15))
def test_what_rules_gather_is_whole(currency: str, shares: list[int], steps: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-rules-"))
    hub = offline_hub(folder, asset_currency=currency, max_payment=MOST)
    try:
        channel = open_channel(hub, ANNA, DEPOSIT)
        ids = _sign(hub, channel, WORDS[currency], shares)
        for number, step in enumerate(steps):
            _do(hub, channel, ids, currency, number, step)
        while _freeze(hub):
            pass
        _check(hub, channel, shares)
    finally:
        hub.db.close()
        shutil.rmtree(folder)


def _sign(hub: Hub, channel: str, words: list[tuple[str, str]], shares: list[int]) -> list[str]:
    domain = hub.contracts.standing_orders_domain
    assert domain is not None
    told = facts_of(hub)
    facts = {
        "standing_orders_domain": told["voucher_domain"]
        | {"name": domain.name, "verifyingContract": domain.verifying_contract}
    }
    to = [{"kind": "person", "share": share, "recipient": Wallet(f"{share}").address} for share in shares]
    ids = []
    with hub.db.write() as session:
        for number, (gather, fires) in enumerate(words):
            body = ANNA.rule(facts, number, gather, fires, destinations=to, per_day="1000000")
            asked = RuleCreate.model_validate(body)
            rule, is_new = rules.add(session, hub, session.get_one(Channel, channel), asked, hub.clock.now())
            assert is_new
            ids.append(rule.public_id)
    return ids


def _do(hub: Hub, channel: str, ids: list[str], currency: str, number: int, step: Any) -> None:
    if step[0] == "pay":
        _pay(hub, channel, ids, currency, number, *step[1:])
    elif step[0] == "fire":
        with hub.db.write() as session:
            rule = rules.find(session, session.get_one(Channel, channel), ids[step[1]])
            dated.fire_on_request(session, hub, rule, hub.clock.now())
    elif step[0] == "withdraw":
        _withdraw(hub, channel, number, step[1])
    else:
        _freeze(hub)


def _pay(
    hub: Hub, channel: str, ids: list[str], currency: str, number: int, rule: int | None, price: int, amount: int
) -> None:
    """By a rule what it asks for, which its refusal tells."""
    for _ in range(2):
        with hub.db.take_in() as session:
            row = session.get_one(Channel, channel)
            cumulative = channels.queries.charged(session, row) + amount
            submission = Submission(f"{number}", channel, amount, cumulative, "0x" + "1b" * 65)
            if rule is not None:
                submission.rule_id = ids[rule]
                submission.purchase_value, submission.purchase_currency = price, currency
            (told,) = intake.accept(session, terms_of(hub), [submission], hub.clock.now(), admit=lambda payer: None)
        if isinstance(told, Outcome):
            return
        assert told.type in ("rule-mismatch", "rule-cap-reached", "insufficient-deposit", "channel-not-open"), told
        amount = int(told.extra.get("expected", "0"))
        if not amount:
            return


def _withdraw(hub: Hub, channel: str, number: int, of_jar: int) -> None:
    """All that is free, and so much of what is in the jar: what is promised stays."""
    with hub.db.read() as session:
        row = session.get_one(Channel, channel)
        amount = posting.balance(session, hub.chart.channel(channel))
        amount += min(of_jar, posting.balance(session, hub.chart.jar(channel)))
        if row.state != "open" or not amount:
            return
    receiver = hub.contracts.deployment.settlement
    chain_tells(hub, "channels.Refunded", f"refund {number}", channelId=channel, receiver=receiver, amount=amount)


def _freeze(hub: Hub) -> bool:
    with hub.db.write() as session:
        batch = batcher.freeze(session, hub, hub.clock.now())
        if batch is not None:
            batch.state = "posted"
            session.add(batch)
    return batch is not None


def _check(hub: Hub, channel: str, shares: list[int]) -> None:
    with hub.db.read() as session:
        report = Report()
        audit.audit_rules(session, hub, report)
        assert report.differences == []
        in_jar = posting.balance(session, hub.chart.jar(channel))
        for rule, state in session.execute(
            select(SignedRule, RuleState).where(col(RuleState.rule_id) == SignedRule.id)
        ).all():
            firings = session.scalars(select(JarFiring).where(col(JarFiring.rule_id) == rule.id)).all()
            got = [0] * len(shares)
            for firing in firings:
                for part in rules.parts_of(session, firing):
                    got[part.number] += part.amount
            brought = _sum(session, Payment, rule.id)
            cut = select(func.count()).where(col(RuleNote.rule_id) == rule.id, col(RuleNote.kind) == "cut")
            as_much = select(func.count()).where(col(Payment.rule_id) == rule.id, col(Payment.amount) == MOST)
            if "at most" not in rule.gather:
                assert (session.scalar(cut) or 0) <= (session.scalar(as_much) or 0), (
                    "only what is as much as may be is cut"
                )
            assert sum(got) + state.gathered + state.released == brought
            assert all(abs(a * 10_000 - sum(got) * share) < 10_000 for a, share in zip(got, shares, strict=True))
            in_jar -= state.gathered
        count = session.scalar(select(JarCount))
        assert in_jar >= 0
        assert count is None or posting.balance(session, hub.chart.jar(channel)) - count.ruled == in_jar
        batched = select(func.count()).select_from(JarFiring).where(col(JarFiring.batch_id).is_(None))
        if session.get_one(Channel, channel).quarantine_id is None:
            assert session.scalar(batched) == 0, "each firing is in a batch"


def _sum(session: Session, model: type[Payment], rule: int) -> int:
    return int(session.scalar(select(func.sum(model.amount)).where(col(model.rule_id) == rule)) or 0)
