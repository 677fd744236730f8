"""The audit of signed rules: each is signed by its payer, and what it was brought is in the jar, has fired, or was released."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.crypto import recover
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.jars import signed, splits
from taesan.jars.models import JarCount, JarFiring
from taesan.jars.rule_models import RuleState, SignedRule
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments.models import Payment


def audit_rules(session: Session, hub: Hub, report: Report) -> None:
    """Each rule against its words' signature, its payments and its firings; what rules hold of a jar against the jar."""
    brought = _sums(session, Payment)
    fired = _sums(session, JarFiring)
    held: dict[str, int] = defaultdict(int)
    found = session.execute(select(SignedRule, RuleState).join(RuleState, col(RuleState.rule_id) == col(SignedRule.id)))
    for rule, state in found.all():
        domain = hub.contracts.standing_orders_domain
        signer = None if domain is None else recover(signed.digest(domain, rule.signed), bytes_of(rule.signature))
        report.check(f"signer of {rule.public_id}", rule.payer, signer)
        total = state.gathered + state.fired + state.released
        report.check(f"gathered by {rule.public_id}", brought.pop(state.rule_id, 0), total)
        report.check(f"fired by {rule.public_id}", fired.pop(state.rule_id, 0), state.fired)
        report.check(f"split of {rule.public_id}", state.fired, sum(splits.totals(state.fired, rule.signed.shares)))
        held[rule.channel_id] += state.gathered
    report.check("payments and firings of unknown rules", {}, brought | fired)
    _audit_splits(session, report)
    rows = session.execute(
        select(col(Channel.id), col(JarCount.ruled)).join(
            JarCount, col(JarCount.account_id) == col(Channel.jar_account_id)
        )
    )
    for channel_id, ruled in rows:
        report.check(f"gathered by rules in the jar of {channel_id}", held.get(channel_id, 0), ruled)
        if ruled:
            in_jar = posting.balance(session, hub.chart.jar(channel_id))
            report.check(f"the jar of {channel_id} holds what its rules have gathered", True, ruled <= in_jar)
    if held:
        report.counted["signed rules"] = session.scalar(select(func.count()).select_from(SignedRule)) or 0


def _audit_splits(session: Session, report: Report) -> None:
    """A rule's firings follow each other without a gap: so what they are split into adds up to the split of all."""
    fired: dict[int, int] = defaultdict(int)
    ruled = select(JarFiring).where(col(JarFiring.rule_id).is_not(None)).order_by(col(JarFiring.id))
    for firing in session.scalars(ruled.execution_options(yield_per=5_000)):
        assert firing.rule_id is not None
        report.check(f"fired before firing {firing.id}", fired[firing.rule_id], firing.fired_before)
        fired[firing.rule_id] += firing.amount


def _sums(session: Session, model: type[Payment] | type[JarFiring]) -> dict[int, int]:
    """Rule → what the rows that bear it add up to."""
    rows: Mapping[int, int] = dict(
        session.execute(
            select(col(model.rule_id), func.sum(model.amount))
            .where(col(model.rule_id).is_not(None))
            .group_by(col(model.rule_id))
        ).all()
    )
    return {rule: int(amount) for rule, amount in rows.items()}
