"""Fills jars and fires them, in the transaction of the payment that does it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from taesan.channels.models import Channel
from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.jars import accrual
from taesan.jars.models import Jar, JarFiring, JarRule
from taesan.ledger import posting
from taesan.ledger.posting import transfer


def default_rule(hub: Hub) -> JarRule:
    """Round up to the next whole unit of the asset; 100 payments, or one unit, make a gift."""
    unit = str(10**hub.asset.exponent)
    return JarRule.model_validate({"round_up_step": unit, "trigger_count": 100, "trigger_value": unit})


def new_jar(hub: Hub, channel_id: str, now: datetime) -> Jar:
    """An empty jar with the default rule, not stored."""
    return Jar(channel_id=channel_id, updated_at=now, **default_rule(hub).model_dump())


def jar_of(session: Session, hub: Hub, channel_id: str, now: datetime) -> Jar:
    """The channel's jar, to be changed; a new one if there was none."""
    jar = session.get(Jar, channel_id)
    if jar is None:
        jar = new_jar(hub, channel_id, now)
        session.add(jar)
    return jar


def set_rule(session: Session, hub: Hub, channel_id: str, rule: JarRule, now: datetime) -> Jar:
    """Changes the rule for payments to come; what is in the jar stays and fires by the new rule."""
    jar = jar_of(session, hub, channel_id, now)
    jar.round_up_step, jar.updated_at = rule.round_up_step, now
    jar.trigger_count, jar.trigger_value = rule.trigger_count, rule.trigger_value
    return jar


def accrue(
    session: Session, hub: Hub, channel: Channel, payment_id: str, amount: int, now: datetime
) -> JarFiring | None:
    """Puts a payment in the channel's jar and fires it if its trigger is reached. Posts both."""
    jar = jar_of(session, hub, channel.id, now)
    account = hub.chart.jar(channel.id)
    posting.post(
        session,
        f"payment:{payment_id}",
        "payment to jar",
        now,
        transfer(hub.chart.channel(channel.id), account, amount),
    )
    jar.payment_count += 1
    rule = accrual.Rule(jar.trigger_count, jar.trigger_value)
    decision = accrual.decide(rule, jar.payment_count, posting.balance(session, account))
    if decision is None:
        return None
    firing = JarFiring(
        channel_id=channel.id,
        account=channel.payer,
        amount=decision.amount,
        payment_count=jar.payment_count,
        reason=decision.reason,
        payment_id=payment_id,
        fired_at=now,
    )
    jar.payment_count = 0
    session.add(firing)
    posting.post(
        session,
        f"firing:{payment_id}",
        "jar fired",
        now,
        transfer(account, hub.chart.converting(channel.payer), decision.amount),
    )
    return firing


def handlers(hub: Hub) -> dict[str, Handler]:
    def returned(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A withdrawal that reached into the jar starts its count anew."""
        jar = session.get(Jar, event["args"]["channelId"])
        if jar is not None and posting.balance(session, hub.chart.jar(jar.channel_id)) == 0:
            jar.payment_count = 0

    return {"channels.WithdrawFinalized": returned, "channels.Refunded": returned}
