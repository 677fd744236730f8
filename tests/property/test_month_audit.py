"""Whatever is paid, gathered, refunded and rewarded, before and after midnight in whatever time zone: a month's audit is what the
ledger has for the same instants, to the last unit."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.app import create_app
from taesan.core import outbox
from taesan.core.days import begins_at, day_of
from taesan.hub import Hub
from taesan.insights import audits, filling, following, persons
from taesan.insights.audit_models import MonthAudit
from taesan.insights.models import Person, PersonTerms
from taesan.insights.movements import months, next_month
from taesan.ledger.models import Account, JournalEntry, Posting
from taesan.loyalty.models import Member, PointsLot
from taesan.payments.models import Payment
from taesan.settlement.models import Refund
from taesan.work import event_handlers
from tests.property.test_loyalty import AMOUNT, Club
from tests.property.test_quarantine import CHANNEL, DOLLAR
from tests.support.examples import examples
from tests.support.offline import NOW, offline_hub

pytestmark = pytest.mark.database("sqlite", "postgresql")

OWN = 2  # of the three wallets
ZONES = ("UTC", "Asia/Seoul", "Pacific/Kiritimati", "America/Los_Angeles")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["pay", "pay", "gather"]), CHANNEL, AMOUNT),
        st.tuples(st.just("give back"), st.integers(0, 20), AMOUNT),
        st.tuples(st.just("campaign"), st.integers(1, 10), AMOUNT),
        st.tuples(st.just("programme"), st.integers(1, 3), st.integers(1, 3)),
        st.tuples(st.just("pass"), st.integers(1, 24 * 40), st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 24), st.just(0)),
        st.tuples(st.sampled_from(["follow", "pay out", "settle", "look"]), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Household(Club):
    """Two of the payers are one person, who asks for insights some time."""

    person: Person | None = None

    def do(self, step: str, n: int, amount: int) -> None:
        if step == "pass":
            self.wait(0, 0)
            self.hub.clock.at += timedelta(hours=n)  # type: ignore[attr-defined]
            self.wait(0, 0)
        elif step == "look":
            self.look()
        else:
            super().do(step, n, amount)

    def look(self) -> None:
        """Asks for insights, if she has not yet, and has all read that there is."""
        now = self.hub.clock.now()
        if self.person is None:
            with self.hub.db.write() as session:
                terms = PersonTerms(zone="UTC")
                self.person = persons.ask(session, self.wallets[0].address, terms, now)
                for wallet in self.wallets[1:OWN]:
                    persons.link(session, self.person, wallet.address, now)
        outbox.deliver(self.hub.db, event_handlers(self.hub), self.hub.clock)
        while following.follow_step(self.hub) or filling.fill_step(self.hub):
            pass

    def move(self, zone: str) -> None:
        self.look()
        with self.hub.db.write() as session:
            self.person = persons.ask(session, self.wallets[0].address, PersonTerms(zone=zone), self.hub.clock.now())
        self.look()

    def audit(self, month: date) -> MonthAudit:
        assert self.person is not None
        with self.hub.db.read() as session:
            return audits.month_audit(session, self.hub, self.person, month, self.hub.clock.now())


class Booked(NamedTuple):
    """What the ledger has of some instants. :ivar to: the merchant's payout account → what was paid there"""

    kinds: Counter[str]
    fired: int
    to: Counter[str]


def _entries(session: Session, begins: datetime, ends: datetime) -> Iterator[tuple[str, str, dict[str, int]]]:
    """(ref, kind, account → debit) of each."""
    query = (
        select(col(JournalEntry.ref), col(JournalEntry.kind), col(Account.name), col(Posting.amount))
        .join(Posting, col(Posting.entry_id) == col(JournalEntry.id))
        .join(Account, col(Account.id) == col(Posting.account_id))
        .where(col(JournalEntry.posted_at) >= begins, col(JournalEntry.posted_at) < ends)
    )
    entries: dict[tuple[str, str], dict[str, int]] = {}
    for ref, kind, account, amount in session.execute(query):
        entries.setdefault((ref, kind), {})[account] = amount
    for (ref, kind), lines in entries.items():
        yield ref, kind, lines


def _booked(world: Household, begins: datetime, ends: datetime) -> Booked:
    chart, own = world.hub.chart, world.ids[:OWN]
    channels, jars = ({str(name(id_)) for id_ in own} for name in (chart.channel, chart.jar))
    found = Booked(Counter(), 0, Counter())
    fired = 0
    with world.hub.db.read() as session:
        wallets = [wallet.address for wallet in world.wallets[:OWN]]
        mine = {row.public_id: row for row in session.scalars(select(Refund).where(col(Refund.account).in_(wallets)))}
        for ref, kind, lines in _entries(session, begins, ends):
            what, _, id_ = ref.partition(":")
            debits = sum(amount for amount in lines.values() if amount > 0)
            if kind == "payments" and channels & lines.keys():  # a request's payment is an entry's only one
                gathered = -sum(amount for account, amount in lines.items() if account in jars)
                found.kinds["gathered"] += gathered
                found.kinds["spent"] += debits - gathered
                found.to.update({name: -amount for name, amount in lines.items() if name.startswith("pending:")})
            elif kind == "jars fired":
                fired += sum(amount for account, amount in lines.items() if account in jars)
            elif id_ in mine and what == "refund":
                found.kinds["refunded"] += debits
            elif id_ in mine and what == "reward-taken-back":
                found.kinds["refunded"] -= debits
            elif id_ in mine and what == "reward":
                found.kinds["rewarded"] += debits
    return found._replace(fired=fired)


def _earned(world: Household, begins: datetime, ends: datetime) -> int:
    """Points for payments that were accepted between."""
    wallets = [wallet.address for wallet in world.wallets[:OWN]]
    lots = select(func.sum(PointsLot.points)).join(Member, col(Member.id) == col(PointsLot.member_id))
    lots = lots.join(Payment, col(Payment.public_id) == col(PointsLot.source)).where(col(Member.payer).in_(wallets))
    with world.hub.db.read() as session:
        within = (col(Payment.accepted_at) >= begins, col(Payment.accepted_at) < ends)
        return int(session.scalar(lots.where(*within)) or 0)


def _compare(world: Household, zone: ZoneInfo) -> Counter[str]:
    """Each month that there is, and what it is compared with. Returns what moved in all of them."""
    last = day_of(world.hub.clock.now(), zone)
    before: MonthAudit | None = None
    total: Counter[str] = Counter()
    for month in months(day_of(NOW, zone) - timedelta(days=40), last + timedelta(days=1)):
        audit = world.audit(month)
        booked = _booked(world, begins_at(month, zone), begins_at(next_month(month), zone))
        moved = {m.kind: m.amount for asset in audit.assets for m in asset.moved if m.amount}
        assert moved == {kind: amount for kind, amount in booked.kinds.items() if amount}
        assert audit.became.fired.amount == booked.fired
        earned = _earned(world, begins_at(month, zone), begins_at(next_month(month), zone))
        assert audit.became.points_earned.amount == earned
        total["points"] += earned
        for asset in audit.assets:
            _adds_up(asset.merchants.items, moved)
            _adds_up(asset.categories.items, moved)
            assert sum(day.spent for day in asset.days) == moved.get("spent", 0)
            spent = {place.key: place.spent for place in asset.merchants.items if place.spent}
            assert spent == ({"café": sum(booked.to.values())} if booked.to.total() else {})
        if before is not None and audit.is_over:
            told = {m.kind: m.before for asset in audit.assets for m in asset.moved if m.before}
            assert told == {m.kind: m.amount for asset in before.assets for m in asset.moved if m.amount}
            for name in ("fired", "returned", "promised", "taken_back", "points_earned"):
                assert getattr(audit.became, name).before == getattr(before.became, name).amount
        before = audit
        total.update(moved)
    assert total["spent"] + total["gathered"] == sum(world.charged[:OWN])  # no month leaves anything out
    return total


def _adds_up(places: list[Any], moved: dict[str, int]) -> None:
    assert sum(place.spent for place in places) == moved.get("spent", 0)
    assert sum(place.refunded for place in places) == moved.get("refunded", 0)
    assert all(place.net == place.spent - place.refunded for place in places)
    assert all(place.change == place.net - place.before for place in places)


def _told(steps: list[Any]) -> Counter[str]:
    """Plays them, and compares all months in all zones. Returns what moved."""
    folder = Path(tempfile.mkdtemp(prefix="taesan-audits-"))
    hub: Hub = offline_hub(folder)
    try:
        with TestClient(create_app(hub)) as client:
            world = Household(hub, client)
            for step in steps:
                world.do(*step)
            told = []
            for zone in ZONES:
                world.move(zone)
                told.append(_compare(world, ZoneInfo(zone)))
            assert all(total == told[0] for total in told)  # whatever the zone
            return told[0]
    finally:
        hub.db.close()
        shutil.rmtree(folder)


@settings(max_examples=examples(10))
@given(steps=STEPS)
def test_the_audit_is_what_the_ledger_has_for_the_same_instants(steps: list[Any]) -> None:
    _told(steps)


def test_so_it_is_with_cashback_and_refunds_beyond_the_months_end() -> None:
    told = _told(
        [
            ("look", 0, 0),
            ("pay", 0, 2 * DOLLAR),
            ("settle", 0, 0),
            ("campaign", 5, DOLLAR),
            ("programme", 2, 1),
            ("gather", 1, 123_457),
            ("pay", 1, DOLLAR),
            ("follow", 0, 0),
            ("pay", 2, 7),  # somebody else's
            ("pass", 8 * 24 + 11, 0),  # the month's last hour in UTC; in Seoul the next month has begun
            ("pay", 0, 777_777),
            ("pay out", 0, 0),
            ("pass", 1, 0),
            ("give back", 1, 400_000),  # what was paid in the month before
            ("give back", 3, 777_777),
            ("pass", 9, 0),
            ("pay", 0, 1_000_003),
        ]
    )
    assert (+told).keys() == {"spent", "gathered", "refunded", "rewarded", "points"}
