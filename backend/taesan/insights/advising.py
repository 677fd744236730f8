"""What advice is made of, asked of the streams, the standing costs, and the newest channel of the wallet that asks."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.days import begins_at, day_of
from taesan.core.problems import not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.insights import keeping, streams
from taesan.insights.advice import MOST, Advice, Cost, Facts, Kept, Offer, Unit, advise, last_full_month
from taesan.insights.advice_models import AdviceDismissed, AdvicePublic, AdvisedRule
from taesan.insights.advice_words import NAMES, title, values
from taesan.insights.merchants import normalised
from taesan.insights.models import Person
from taesan.insights.movements import Source, next_month
from taesan.insights.persons import number_of, zone_of
from taesan.jars import perks, rules
from taesan.jars.grammar import Words
from taesan.jars.models import Jar, JarCount, JarFiring
from taesan.jars.rehearsal import Rehearsal, rehearse
from taesan.jars.rule_models import RuleNote, RuleState, SignedRule
from taesan.ledger import posting
from taesan.payments import history
from taesan.payments.models import Payment
from taesan.settlement.reward_models import Campaign

MOST_CHANNELS = 10  # the wallet's newest, of which the one that is used is looked at
MOST_CAMPAIGNS = 200  # that end first
ELSEWHERE: tuple[Source, ...] = ("statement", "gateway")


def told(session: Session, hub: Hub, person: Person, wallet: str, now: datetime) -> list[AdvicePublic]:
    """At most five, without what was dismissed. :param wallet: whose channels' rules are meant, as only its session may rehearse them"""
    channel = _channel(session, wallet)
    found = _all(session, hub, person, channel, now)
    ids = [id_of(advice) for advice in found]
    of_person = (col(AdviceDismissed.owner) == number_of(person), col(AdviceDismissed.advice).in_(ids))
    dismissed = set(session.scalars(select(col(AdviceDismissed.advice)).where(*of_person)).all())
    left = [advice for advice, id_ in zip(found, ids, strict=True) if id_ not in dismissed]
    return [_public(hub, person, channel, advice, month_of_advice(person, now)) for advice in left[:MOST]]


def check(session: Session, hub: Hub, person: Person, wallet: str, advice_id: str, now: datetime) -> None:
    """That there is such advice of the wallet's now, dismissed or not. It takes long, so not while others wait to write.

    :raises Problem: `not-found`
    """
    if _is_dismissed(session, person, advice_id):
        return
    if advice_id not in map(id_of, _all(session, hub, person, _channel(session, wallet), now)):
        raise not_found("The advice", advice_id)


def dismiss(session: Session, person: Person, advice_id: str, now: datetime) -> None:
    """For good."""
    if not _is_dismissed(session, person, advice_id):
        session.add(AdviceDismissed(owner=number_of(person), advice=advice_id, dismissed_at=now))
        session.flush()


def _is_dismissed(session: Session, person: Person, advice_id: str) -> bool:
    key = (col(AdviceDismissed.owner) == number_of(person), col(AdviceDismissed.advice) == advice_id)
    return session.scalar(select(AdviceDismissed).where(*key)) is not None


def names_in(items: Sequence[AdvicePublic]) -> set[str]:
    return {item.values[name] for item in items for name in NAMES & item.values.keys()}


def id_of(advice: Advice) -> str:
    return "adv_" + sha256(f"{advice.code}\n{advice.subject}".encode()).hexdigest()[:24]


def month_of_advice(person: Person, now: datetime) -> date:
    return last_full_month(day_of(now, zone_of(person)))[0]


def _public(hub: Hub, person: Person, channel: Channel | None, advice: Advice, month: date) -> AdvicePublic:
    rule = dry_run = None
    if advice.rule is not None and channel is not None:
        gather, fires, only = map(str, advice.rule)
        rule = AdvisedRule(gather=gather, fires=fires, only=only, month=f"{month:%Y-%m}")
        dry_run = f"/v1/channels/{channel.id}/rules/dry-run"
    currencies = dict.fromkeys((hub.asset.id, hub.gift.id), hub.settings.asset_currency)
    return AdvicePublic(
        id=id_of(advice),
        code=advice.code,
        title=title(advice, person.language, currencies),
        values=values(advice),
        phrased=None,
        rule=rule,
        dry_run=dry_run,
    )


# ------------------------------------------------------------------- facts


def _all(session: Session, hub: Hub, person: Person, channel: Channel | None, now: datetime) -> list[Advice]:
    owner, zone = number_of(person), zone_of(person)
    today = day_of(now, zone)
    month, before = last_full_month(today)
    facts = {
        "today": today,
        "month": month,
        "zone": person.zone,
        "currency": hub.settings.asset_currency,
        "unit": Unit(hub.asset.id, hub.asset.exponent),
        "spent": _spent(session, hub, owner, month, before),
        "costs": _costs(session, owner, today),
        "offers": _offers(session, owner, month, now),
    }
    if channel is not None and hub.contracts.standing_orders_domain is not None:
        facts |= _of_channel(session, hub, channel, begins_at(month, zone), begins_at(next_month(month), zone))
        facts["rules"] = _kept(session, hub, channel, person, now)
    return advise(Facts(**facts))  # type: ignore[arg-type]


def _channel(session: Session, wallet: str) -> Channel | None:
    """The one with the newest payment."""
    own = select(Channel).where(col(Channel.payer) == wallet, col(Channel.gateway_id).is_(None))
    channels = session.scalars(own.order_by(col(Channel.account_id).desc()).limit(MOST_CHANNELS)).all()
    newest: list[tuple[int, Channel]] = []
    for channel in channels:
        paid = select(col(Payment.id)).where(col(Payment.account_id) == channel.account_id)
        newest.append((session.scalar(paid.order_by(col(Payment.cumulative).desc()).limit(1)) or 0, channel))
    return max(newest, key=lambda one: one[0])[1] if newest else None


def _of_channel(session: Session, hub: Hub, channel: Channel, start: datetime, end: datetime) -> dict[str, Any]:
    """Nothing of it, if it pays so often that not all of the month is looked at: figures would be of a part."""
    purchases, is_complete = history.purchases(session, hub, channel, start, end)
    if not is_complete:
        return {}
    merchants = {bought.merchant for bought, _ in purchases if bought.merchant}
    named = select(col(Merchant.id), col(Merchant.name)).where(col(Merchant.id).in_(merchants))

    had, most = perks.of_payer(session, channel.payer), hub.settings.max_payment

    def rehearsed(words: Words) -> Rehearsal:
        return rehearse(words, [bought for bought, _ in purchases], hub.asset.exponent, start, end, most, had)

    names = dict(session.execute(named).all()) if merchants else {}
    return {"bought": purchases, "rehearse": rehearsed, "names": names}


def _kept(session: Session, hub: Hub, channel: Channel, person: Person, now: datetime) -> list[Kept]:
    """The channel's rules that are at work, and what its jar has gathered by its own."""
    of_channel = select(SignedRule, RuleState).join(RuleState, col(RuleState.rule_id) == col(SignedRule.id))
    active = of_channel.where(col(SignedRule.channel_id) == channel.id, col(SignedRule.ended_at).is_(None))
    found, zone = [], zone_of(person)
    for rule, state in session.execute(active.order_by(col(SignedRule.id)).limit(rules.MOST)).all():
        if rule.state == "active" and rule.ends_at > now:
            fired = select(col(RuleNote.noted_at)).where(
                col(RuleNote.rule_id) == rule.id, col(RuleNote.kind) == "fired"
            )
            last = session.scalar(fired.order_by(col(RuleNote.id).desc()).limit(1)) or rule.created_at
            found.append(Kept(rule.public_id, rule.words, state.gathered, day_of(last, zone)))
    own = select(col(JarFiring.fired_at)).where(
        col(JarFiring.channel_id) == channel.id, col(JarFiring.rule_id).is_(None)
    )
    jar, count = session.get(Jar, channel.id), session.get(JarCount, channel.jar_account_id)
    last = session.scalar(own.order_by(col(JarFiring.id).desc()).limit(1)) or channel.opened_at
    gathered = posting.balance(session, hub.chart.jar(channel.id)) - (count.ruled if count else 0)
    quiet_since = max(last, jar.updated_at) if jar else last
    return [*found, Kept(channel.id, None, gathered, day_of(quiet_since, zone))]


def _spent(session: Session, hub: Hub, owner: int, month: date, before: date) -> tuple[int, int] | None:
    of_month: dict[date, int] = defaultdict(int)
    for row in streams.sums(session, owner, before, next_month(month), ("month",)):
        if row.asset == hub.asset.id and row.kind in ("spent", "refunded"):
            of_month[row.key[0]] += row.amount if row.kind == "spent" else -row.amount
    return (of_month[month], of_month[before]) if of_month[before] > 0 else None


def _costs(session: Session, owner: int, today: date) -> list[Cost]:
    return [
        Cost(
            keeping.standing(row, today),
            row.name,
            row.exponent,
            row.verdict == "confirmed",
            None if row.trial_day is None or row.trial_amount is None else (row.trial_day, row.trial_amount),
        )
        for row in keeping.of_person(session, owner)
        if row.verdict != "dismissed"
    ]


def _offers(session: Session, owner: int, month: date, now: datetime) -> list[Offer]:
    """Campaigns without a limit that would make less of it, by the names of their merchants."""
    paid: dict[tuple[str, Unit], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for source in ELSEWHERE:
        for row in streams.sums(session, owner, month, next_month(month), ("merchant",), source=source):
            if row.kind == "spent" and row.key[0]:
                key = row.key[0], Unit(row.asset, row.exponent)
                paid[key] = paid[key][0] + row.count, paid[key][1] + row.amount
    if not paid:
        return []
    return [
        Offer(campaign.public_id, name, campaign.rate, count, spent, unit)
        for campaign, name in _campaigns(session, now)
        for (merchant, unit), (count, spent) in paid.items()
        if merchant == normalised(name)
    ]


def _campaigns(session: Session, now: datetime) -> Sequence[Any]:
    running = select(Campaign, col(Merchant.name)).join(Merchant, col(Merchant.id) == col(Campaign.merchant_id))
    running = running.where(col(Campaign.state) == "running", col(Campaign.ends_at) > now)
    rows = session.execute(running.order_by(col(Campaign.ends_at)).limit(MOST_CAMPAIGNS)).all()
    return [
        (row, name)
        for row, name in rows
        if row.starts_at <= now and (row.category, row.cap_payment, row.cap_payer) == (None, None, None)
        if row.spent < row.budget
    ]
