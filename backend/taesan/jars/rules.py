"""Signed rules: checked, kept, paused, ended; and how what they have fired is split. What fills them is the intake of payments."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.crypto import recover
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.core.values import bytes_of
from taesan.jars import bounds, signed, sources, splits
from taesan.jars.grammar import NotARule, Words, parse
from taesan.jars.models import JarCount, JarFiring
from taesan.jars.permit_models import GiftPermit
from taesan.jars.rule_models import ZERO_ADDRESS, DestinationIn, RuleCreate, RuleNote, RuleState, RuleTerms, SignedRule
from taesan.ledger import posting

if TYPE_CHECKING:  # whose rules they are; the intake, which needs the rest, has no hub
    from taesan.hub import Hub

MOST = 20  # of a channel, that have not ended


class Part(NamedTuple):
    """:ivar number: of the destination, counted from 0. :ivar amount: minor units of the reserve asset"""

    number: int
    destination: signed.Destination
    amount: int


def parts_of(session: Session, firing: JarFiring) -> list[Part]:
    """What of a firing goes where, by the rule that its payer has signed; adds up to its amount. Destinations that get nothing of it
    are left out; without a signed rule there are none, and all of it stays in the payer's wallet."""
    if firing.rule_id is None:
        return []
    assert firing.fired_before is not None
    return split(session.get_one(SignedRule, firing.rule_id), firing.fired_before, firing.amount)


def split(rule: SignedRule, before: int, amount: int) -> list[Part]:
    """What of `amount` goes where that the rule fires after it has fired `before` in all, in one piece or in many."""
    terms = rule.signed
    parts = zip(terms.destinations, splits.parts(before, amount, terms.shares), strict=True)
    return [Part(n, destination, part) for n, (destination, part) in enumerate(parts) if part]


# ------------------------------------------------------------------- signing


def add(session: Session, hub: "Hub", channel: Channel, asked: RuleCreate, now: datetime) -> tuple[SignedRule, bool]:
    """Checks and keeps a rule that the channel's payer has signed; tells whether it is new. The same again changes nothing.

    :raises Problem: `no-standing-orders`, `invalid-rule`, `invalid-rule-signature`, `rule-number-used`, `too-many-rules`
    """
    domain = hub.contracts.standing_orders_domain
    if domain is None:
        raise Problem(
            "no-standing-orders",
            409,
            "This hub takes no signed rules.",
            "Its deployment names no `StandingOrders` contract.",
        )
    rule = SignedRule(
        public_id=new_id("rul"),
        channel_id=channel.id,
        payer=channel.payer,
        number=asked.id,
        gather=asked.gather,
        fires=asked.fires,
        only_for=asked.only,
        destinations=[destination.model_dump() for destination in asked.destinations],
        per_day=asked.per_day,
        valid_until=asked.valid_until,
        signature=asked.signature,
        created_at=now,
    )
    if (before := known(session, rule.payer, rule.number)) is not None:
        return _same(before, rule), False
    words = read(hub, asked)
    _check(hub, rule, asked.destinations, now)
    moved = [to.share for to in asked.destinations if to.kind not in (signed.WALLET, signed.COLLECTIBLE)]
    if why := bounds.never_passes(words.fires, moved, asked.per_day, hub.asset.exponent):
        raise invalid(f"{why}.")
    # A contract wallet (ERC-1271) cannot sign rules yet: nothing here asks the chain.
    if recover(signed.digest(domain, rule.signed), bytes_of(rule.signature)) != channel.payer:
        raise Problem(
            "invalid-rule-signature",
            403,
            "The rule is not signed by the channel's payer.",
            f"It has to be signed by {channel.payer}, with a key; check the domain and every word of what was signed.",
        )
    _refuse_too_many(session, channel)
    rule.due_at = words.fires.next_after(now)
    session.add(rule)
    session.flush()
    assert rule.id is not None
    session.add(RuleState(rule_id=rule.id))
    session.flush()
    return rule, True


def known(session: Session, payer: str, number: int) -> SignedRule | None:
    """Which rule the payer's number names, if it was used."""
    return session.scalar(select(SignedRule).where(col(SignedRule.payer) == payer, col(SignedRule.number) == number))


def read(hub: "Hub", terms: RuleTerms) -> Words:
    """The words of a rule for this hub, signed or not. :raises Problem: `invalid-rule`"""
    try:
        words = parse(terms.gather, terms.fires, terms.only)
    except NotARule as error:
        raise invalid(f"{error}.") from None
    for money in [*words.gather.amounts, *([words.fires.value] if words.fires.value else [])]:
        if money.currency != hub.settings.asset_currency:
            raise invalid(f"This hub's asset stands for {hub.settings.asset_currency}: name amounts in it.")
        if sources.in_units(money, hub.asset.exponent) is None:
            raise invalid(f"{money} is no whole number of the asset's minor units.")
    if words.gather.of_gateways and (words.fires.on_date or words.fires.on_request):
        raise invalid("What gateways convert fires by the number of payments, or by value.")
    if not words.gather.of_purchases and terms.only:
        raise invalid("A filter is for rules that gather of purchases.")
    return words


def _check(hub: "Hub", rule: SignedRule, destinations: Sequence[DestinationIn], now: datetime) -> None:
    if sum(destination.share for destination in destinations) != splits.WHOLE:
        raise invalid(f"The shares have to add up to {splits.WHOLE}.")
    if any(destination.share % splits.COARSE for destination in destinations):
        raise invalid(f"Shares are multiples of {splits.COARSE}: tenths of a per cent.")
    for destination in destinations:
        _check_destination(rule.payer, destination, hub.contracts.deployment.dead_ends)
    moves = any(destination.kind != signed.WALLET for destination in destinations)
    if moves != (rule.per_day > 0):
        raise invalid("`per_day` is 0 if all stays in the wallet, and more if not.")
    if rule.ends_at <= now:
        raise invalid("It has ended already.")


def _check_destination(payer: str, to: DestinationIn, dead_ends: frozenset[str]) -> None:
    if to.kind == signed.WALLET:
        if to.recipient not in (ZERO_ADDRESS, payer):
            raise invalid("The wallet is the payer's own.")
    elif to.recipient in dead_ends:
        raise invalid(f"{to.kind} needs a recipient who can use it, not {to.recipient}.")
    if (to.kind in ("swap", "collectible")) != (to.token != ZERO_ADDRESS):
        raise invalid("`token` is for swap and collectible, and for nothing else.")
    if to.slippage and to.kind != "swap":
        raise invalid("`slippage` is for swap.")


def invalid(detail: str) -> Problem:
    return Problem("invalid-rule", 422, "The rule makes no sense here.", detail)


def _same(known: SignedRule, asked: SignedRule) -> SignedRule:
    if (known.channel_id, known.signed, known.signature) != (asked.channel_id, asked.signed, asked.signature):
        raise Problem(
            "rule-number-used",
            409,
            "This number names another rule of the payer.",
            f"{asked.number} was used before; choose one that was not.",
        )
    return known


def _refuse_too_many(session: Session, channel: Channel) -> None:
    of_channel = (col(SignedRule.channel_id) == channel.id, col(SignedRule.ended_at).is_(None))
    if (session.scalar(select(func.count()).select_from(SignedRule).where(*of_channel)) or 0) >= MOST:
        raise Problem("too-many-rules", 409, "The channel has too many rules.", f"At most {MOST}: cancel one first.")


# --------------------------------------------------------------- pause and end


def find(session: Session, channel: Channel, rule_id: str) -> SignedRule:
    """:param rule_id: `rul_…`. :raises Problem: `not-found`"""
    rule = session.scalar(select(SignedRule).where(col(SignedRule.public_id) == rule_id))
    if rule is None or rule.channel_id != channel.id:
        raise not_found("The rule", rule_id)
    return rule


def pause(session: Session, rule: SignedRule, now: datetime) -> None:
    """It neither gathers nor fires; what it has gathered stays. :raises Problem: `rule-ended`"""
    refuse_ended(rule, now)
    if rule.state == "active":
        rule.state, rule.due_at = "paused", None
        note(session, rule, "paused", "paused", now)


def resume(session: Session, rule: SignedRule, now: datetime) -> None:
    """:raises Problem: `rule-ended`"""
    refuse_ended(rule, now)
    if rule.state == "paused":
        rule.state, rule.due_at = "active", rule.words.fires.next_after(now)
        note(session, rule, "resumed", "resumed", now)


def end(session: Session, rule: SignedRule, state: str, reason: str, now: datetime) -> None:
    """For good: what it has gathered is left to the jar's own rule, and with the payer's last rule her permit is forgotten. Nothing if it
    has ended before.

    :param state: cancelled or expired. :param reason: see `reasons`
    """
    if rule.ended_at is not None:
        return
    rule.state, rule.ended_at, rule.due_at = state, now, None
    channel = session.get_one(Channel, rule.channel_id)
    state_ = session.get_one(RuleState, rule.id)
    note(session, rule, state, reason, now, state_)
    if state_.gathered:
        _release(session, session.get_one(JarCount, channel.jar_account_id), state_, state_.gathered)
    state_.payments = 0
    session.add_all([rule, state_])
    session.flush()
    alive = select(col(SignedRule.id)).where(col(SignedRule.payer) == rule.payer, col(SignedRule.ended_at).is_(None))
    if session.scalar(alive.limit(1)) is None:
        session.execute(delete(GiftPermit).where(col(GiftPermit.payer) == rule.payer))


def refuse_ended(rule: SignedRule, now: datetime) -> None:
    if rule.ended_at is not None or rule.ends_at <= now:
        was = f"good until {rfc3339(rule.ends_at)}"
        if rule.state == "cancelled" and rule.ended_at is not None:
            was = f"cancelled at {rfc3339(rule.ended_at)}"
        raise Problem("rule-ended", 409, "The rule has ended.", f"It was {was}.")


# ----------------------------------------------------------------- what is in it


def fit(session: Session, hub: "Hub", channel: Channel, now: datetime) -> None:
    """To be called when a jar was lowered by anything but a firing, such as a withdrawal: first what no signed rule has gathered is gone,
    then what the newest have. An empty jar counts anew."""
    left = posting.balance(session, hub.chart.jar(channel.id))
    count = session.get(JarCount, channel.jar_account_id)
    if count is None:
        return
    if not left:
        count.payments = 0
    session.add(count)
    if count.ruled > left:
        of_channel = select(SignedRule, RuleState).join(RuleState, col(RuleState.rule_id) == col(SignedRule.id))
        newest = of_channel.where(col(SignedRule.channel_id) == channel.id).order_by(col(SignedRule.id).desc())
        for rule, state in session.execute(newest).all():
            if part := min(state.gathered, count.ruled - left):
                _release(session, count, state, part)
                if not state.gathered:
                    state.payments = 0
                note(session, rule, "released", "taken-out", now, amount=part)
    session.flush()


def _release(session: Session, count: JarCount, state: RuleState, amount: int) -> None:
    state.gathered -= amount
    state.released += amount
    count.ruled -= amount
    session.add_all([count, state])


def note(
    session: Session,
    rule: SignedRule,
    kind: str,
    reason: str,
    now: datetime,
    state: RuleState | None = None,
    *,
    amount: int | None = None,
) -> None:
    """Remembers what became of a rule. :param state: what it had gathered then"""
    assert rule.id is not None
    session.add_all(
        [
            rule,
            RuleNote(
                rule_id=rule.id,
                kind=kind,
                reason=reason,
                amount=amount if amount is not None else state.gathered if state else 0,
                payments=state.payments if state else 0,
                noted_at=now,
            ),
        ]
    )


def has_ended_by_now(session: Session, now: datetime, limit: int) -> Sequence[SignedRule]:
    """Those whose time is over, and of which that is not noted yet."""
    over = (col(SignedRule.ended_at).is_(None), col(SignedRule.valid_until) <= int(now.timestamp()))
    return session.scalars(select(SignedRule).where(*over).order_by(col(SignedRule.valid_until)).limit(limit)).all()


def due(session: Session, now: datetime, limit: int) -> Sequence[SignedRule]:
    """Those that are to fire without a payment by now."""
    at = col(SignedRule.due_at)
    return session.scalars(select(SignedRule).where(at.is_not(None), at <= now).order_by(at).limit(limit)).all()


def of_gateways(session: Session, payer: str, now: datetime) -> SignedRule | None:
    """The payer's oldest rule for what gateways convert."""
    own = select(SignedRule).where(col(SignedRule.payer) == payer, col(SignedRule.ended_at).is_(None))
    found = (
        rule
        for rule in session.scalars(own.order_by(col(SignedRule.id)))
        if rule.state == "active" and rule.ends_at > now
    )
    return next((rule for rule in found if rule.words.gather.of_gateways), None)
