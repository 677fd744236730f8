"""Jars and their rules. What fills and fires them is the intake of payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.jars.models import Jar, JarRule
from taesan.ledger import posting


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


def handlers(hub: Hub) -> dict[str, Handler]:
    def returned(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A withdrawal that reached into the jar starts its count anew."""
        jar = session.get(Jar, event["args"]["channelId"])
        if jar is not None and posting.balance(session, hub.chart.jar(jar.channel_id)) == 0:
            jar.payment_count = 0

    return {"channels.WithdrawFinalized": returned, "channels.Refunded": returned}
