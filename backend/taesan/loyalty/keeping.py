"""A book's rows: what some payments or refunds need of it, read, and what they have changed, written."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.core import outbox
from taesan.hub import Hub
from taesan.jars import perks, sources
from taesan.loyalty.cashback import Pause, Terms
from taesan.loyalty.judging import HUB, SKEW, Book, Given, Key, Lot, Rules, Running
from taesan.loyalty.models import Member, MemberPeriod, PointsLot, Programme, TierChange
from taesan.loyalty.tiers import Measure, Standing, Unit
from taesan.settlement import rewards
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign, Reward

TIER_CHANGED = "loyalty.TierChanged"
TOLD = ("up", "notice", "down", "refunded")


class _Kept(NamedTuple):
    """A member's row, and its periods' as they were."""

    row: Member
    periods: dict[int, MemberPeriod]


class Shelf:
    """:ivar book: what was read, to be judged on"""

    def __init__(self, session: Session) -> None:
        self.session, self.book = session, Book()
        self._members: dict[Key, _Kept] = {}
        self._campaigns: dict[int, Campaign] = {}
        self._lots: dict[tuple[Key, str], PointsLot] = {}

    # ---------------------------------------------------------------- reading

    def read_rules(self, owners: Iterable[str]) -> None:
        wanted = select(Programme).where(col(Programme.owner).in_(sorted(owners))).order_by(col(Programme.id))
        for row in self.session.scalars(wanted):
            rules = self.book.rules.setdefault(row.owner, [])
            cast(list[Rules], rules).append(rules_of(row))

    def read_members(self, keys: Collection[Key], since: datetime | None = None) -> None:
        """Those that there are, of owners whose rules were read. :param since: of the payments that are counted, or given back"""
        wanted = {key for key in keys if self.book.rules.get(key[0])}
        owners, payers = (sorted({key[n] for key in wanted}) for n in range(2))
        among = select(Member).where(col(Member.owner).in_(owners), col(Member.payer).in_(payers))
        self.take_up([row for row in self.session.scalars(among) if (row.owner, row.payer) in wanted], since)

    def take_up(self, rows: Sequence[Member], since: datetime | None = None) -> None:
        self._members |= {(row.owner, row.payer): _Kept(row, {}) for row in rows}
        for owner in {row.owner for row in rows}:
            self._read_periods([row for row in rows if row.owner == owner], self.book.rules[owner][-1], since)
        for row in rows:
            kept = self._members[row.owner, row.payer]
            measures = {period: Measure(p.count, p.value) for period, p in kept.periods.items()}
            self.book.standings[row.owner, row.payer] = Standing(row.looked, row.tier, row.noticed, measures)

    def _read_periods(self, rows: Sequence[Member], rules: Rules, since: datetime | None) -> None:
        first = min(row.looked for row in rows) - rules.ladder.reach
        if since is not None:
            first = min(first, rules.period(since))
        by_id = {row.id: row for row in rows}
        wanted = select(MemberPeriod).where(col(MemberPeriod.member_id).in_(by_id), col(MemberPeriod.period) >= first)
        for period in self.session.scalars(wanted):
            row = by_id[period.member_id]
            self._members[row.owner, row.payer].periods[period.period] = period

    def read_campaigns(self, merchants: Collection[str], payers: Collection[str]) -> None:
        """Those that run, and what those payers have had of them where that matters."""
        of_merchants = col(Campaign.merchant_id).in_(sorted(merchants))
        running = select(Campaign).where(of_merchants, col(Campaign.state) == "running")
        for row in self.session.scalars(running.order_by(col(Campaign.id))):
            assert row.id is not None
            self._campaigns[row.id] = row
            cast(list[Running], self.book.campaigns.setdefault(row.merchant_id, [])).append(running_of(row))
        capped = [id_ for id_, row in self._campaigns.items() if row.cap_payer is not None]
        if capped:
            had = select(col(Reward.campaign_id), col(Reward.payer), func.sum(Reward.amount))
            had = had.where(col(Reward.campaign_id).in_(capped), col(Reward.payer).in_(sorted(payers)))
            had = had.group_by(col(Reward.campaign_id), col(Reward.payer))
            for campaign_id, payer, amount in self.session.execute(had):
                self.book.had[campaign_id, payer] = int(amount)

    def read_lots(self, keys: Iterable[tuple[Key, str]]) -> None:
        """Of payments that are given back."""
        by_member = {kept.row.id: key for key, kept in self._members.items()}
        sources = sorted({source for _, source in keys})
        wanted = select(PointsLot).where(col(PointsLot.source).in_(sources), col(PointsLot.member_id).in_(by_member))
        for row in self.session.scalars(wanted):
            key = (by_member[row.member_id], row.source)
            self._lots[key] = row
            self.book.lots[key] = Lot(row.points, row.remaining, row.paid_at, row.tell_at, row.expires_at)

    # ---------------------------------------------------------------- writing

    def write(self, hub: Hub, now: datetime) -> None:
        for key, standing in self.book.standings.items():
            self._write_member(key, standing, now)
        self.session.flush()
        for key, standing in self.book.standings.items():
            self._write_periods(key, standing)
        self._write_changes(now)
        for (key, source), lot in self.book.lots.items():
            row = self._lots.get((key, source)) or PointsLot(
                member_id=self._id(key),
                source=source,
                points=lot.points,
                remaining=lot.left,
                paid_at=lot.paid_at,
                tell_at=lot.tell_at,
                expires_at=lot.expires_at,
            )
            row.remaining = lot.left
            self.session.add(row)
        self._write_rewards(hub, now)
        self.session.flush()

    def _write_member(self, key: Key, standing: Standing, now: datetime) -> None:
        kept = self._members.get(key)
        if kept is None:
            kept = _Kept(Member(owner=key[0], payer=key[1], looked=standing.looked, since=now), {})
            self._members[key] = kept
        row, rules = kept.row, self.book.rules[key[0]][-1]
        if row.tier != standing.tier:
            by_tier = rules.ladder.at(min(standing.tier, len(rules.ladder.tiers))).round_up
            perks.give(self.session, key[1], key[0] or sources.HUB, standing.tier, by_tier)
        row.looked, row.tier, row.noticed = standing.looked, standing.tier, standing.noticed
        row.look_at = rules.begins_at(standing.looked + 1) + SKEW if standing.tier else None
        if key[0] == HUB:
            row.badge_due = None if row.tier == row.badge else row.badge_due or now
        self.session.add(row)

    def _id(self, key: Key) -> int:
        id_ = self._members[key].row.id
        assert id_ is not None
        return id_

    def _write_periods(self, key: Key, standing: Standing) -> None:
        kept, id_ = self._members[key], self._id(key)
        for period, measure in standing.measures.items():
            row = kept.periods.get(period) or MemberPeriod(member_id=id_, period=period, count=0, value=0)
            row.count, row.value = measure.count, measure.value
            self.session.add(row)

    def _write_changes(self, now: datetime) -> None:
        """Merchants are told of those of their own members."""
        for key, standing in self.book.standings.items():
            for period, kind, before, after in standing.changes:
                told = TierChange(member_id=self._id(key), kind=kind, period=period, before=before, after=after, at=now)
                self.session.add(told)
                self.session.flush()
                if key[0] != HUB and kind in TOLD:
                    outbox.put(self.session, f"{TIER_CHANGED}:{told.id}", TIER_CHANGED, {"id": told.id}, now)

    def _write_rewards(self, hub: Hub, now: datetime) -> None:
        for campaigns in self.book.campaigns.values():
            for running in campaigns:
                row = self._campaigns[running.id]
                row.spent, row.rewards = running.spent, running.rewards
                self.session.add(row)
        given = self.book.given
        for reward in given:
            address = self._campaigns[reward.campaign_id].address
            self.session.add(_row_of(reward, address, now))
            rewards.add_waiting(self.session, address, reward.paid.payer, reward.amount)
        self.session.flush()
        refunded = _refunded(self.session, [reward.paid.source for reward in given])
        for reward in given:
            # What was given back before its payment was looked at.
            if back := refunded.get(reward.paid.source, 0):
                source, paid = reward.paid.source, reward.paid.amount
                rewards.take_back(self.session, hub, source, paid, back, source, now)


def rules_of(row: Programme) -> Rules:
    return Rules(row.owner, cast(Unit, row.unit), row.zone, row.ladder, row.points, row.from_payment, row.made_at)


def running_of(row: Campaign) -> Running:
    assert row.id is not None
    terms = Terms(
        row.rate, row.starts_at, row.ends_at, row.category, row.cap_payment, row.cap_payer, tuple(pauses_of(row))
    )
    return Running(
        row.id,
        row.merchant_id,
        terms,
        row.budget,
        row.tiers_of,
        row.from_payment,
        row.until_payment,
        row.spent,
        row.rewards,
    )


def pauses_of(row: Campaign) -> list[Pause]:
    at = datetime.fromisoformat
    return [Pause(at(paused), at(resumed) if resumed else None) for paused, resumed in row.pauses]


def write_pauses(row: Campaign, pauses: Iterable[Pause]) -> None:
    row.pauses = [[paused.isoformat(), resumed.isoformat() if resumed else None] for paused, resumed in pauses]


def _row_of(reward: Given, address: str, now: datetime) -> Reward:
    return Reward(
        source=reward.paid.source,
        campaign_id=reward.campaign_id,
        address=address,
        payer=reward.paid.payer,
        price=reward.paid.amount,
        multiplier=reward.multiplier,
        amount=reward.amount,
        made_at=now,
    )


def _refunded(session: Session, sources: Sequence[str]) -> dict[str, int]:
    """Payment → what of it was given back."""
    given = select(col(Refund.source), func.sum(col(Refund.amount) + col(Refund.taken_off)))
    rows = session.execute(given.where(col(Refund.source).in_(sources)).group_by(col(Refund.source)))
    return {source: int(amount) for source, amount in rows}
