"""Jars and their rules. What fills and fires them is the intake of payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from taesan.channels.models import Channel
from taesan.core.outbox import Handler
from taesan.jars import rules
from taesan.jars.models import Jar, JarRule

if TYPE_CHECKING:
    from taesan.hub import Hub


def default_rule(hub: "Hub") -> JarRule:
    """Round up to the next whole unit of the asset; 100 payments, or one unit, make a gift."""
    unit = str(10**hub.asset.exponent)
    return JarRule.model_validate({"round_up_step": unit, "trigger_count": 100, "trigger_value": unit})


def new_jar(hub: "Hub", channel_id: str, now: datetime) -> Jar:
    """A jar with the default rule, which every channel has until its payer sets another; not stored."""
    return Jar(channel_id=channel_id, updated_at=now, **default_rule(hub).model_dump())


def set_rule(session: Session, hub: "Hub", channel_id: str, rule: JarRule, now: datetime) -> Jar:
    """Changes the rule for payments to come; what is in the jar stays and fires by the new rule."""
    jar = session.get(Jar, channel_id)
    if jar is None:
        session.add(jar := new_jar(hub, channel_id, now))
    jar.round_up_step, jar.updated_at = rule.round_up_step, now
    jar.trigger_count, jar.trigger_value = rule.trigger_count, rule.trigger_value
    return jar


def handlers(hub: "Hub") -> dict[str, Handler]:
    def returned(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A withdrawal may have reached into the jar."""
        channel = session.get(Channel, event["args"]["channelId"])
        if channel is not None:
            rules.fit(session, hub, channel, now)

    return {"channels.WithdrawFinalized": returned, "channels.Refunded": returned}


def undo(hub: "Hub") -> dict[str, Handler]:
    """For events that a reorganisation has removed for good, after the channels' own."""

    def deposited(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A deposit that is gone may have taken the jar's content with it."""
        channel = session.get(Channel, event["args"]["channelId"])
        if channel is not None:
            rules.fit(session, hub, channel, now)

    return {"channels.Deposited": deposited}
