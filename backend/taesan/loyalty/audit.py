"""Does all again that was ever decided, from the payments and refunds alone, and compares it with what is stored."""

from collections.abc import Iterator
from heapq import merge
from operator import itemgetter

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.jars import sources
from taesan.jars.perks import RoundUpPerk
from taesan.ledger.audit import Report
from taesan.loyalty import following
from taesan.loyalty.judging import Book, GivenBack, Paid
from taesan.loyalty.keeping import rules_of, running_of
from taesan.loyalty.models import Followed, Follower, Member, MemberPeriod, PointsLot, Programme
from taesan.loyalty.tiers import Measure
from taesan.payments.models import Payment
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign, Reward

STREAMED = 500

Place = tuple[int, int, int]
"""Among all that happened: behind which payment, behind which programme, and a refund's number (0: the programme itself)."""


def audit_loyalty(session: Session, report: Report) -> None:
    """Tiers, points and rewards are what the payments and refunds make of them, in their order. Memory grows with members and rewards."""
    at = session.get(Follower, 1)
    if at is None:
        return
    book = Book()
    _replay(session, book, at)
    _compare_rewards(session, book, report)
    members = {row.id: row for row in session.scalars(select(Member))}
    _compare_standings(session, book, members, report)
    _compare_points(session, book, members, report)
    _compare_perks(session, book, members, report)
    report.counted |= {"members": len(members)} if members else {}


def _replay(session: Session, book: Book, at: Follower) -> None:
    """Payments, and between them programmes and refunds, as they came."""
    first = at.payment_id
    for row in session.scalars(select(Campaign).order_by(col(Campaign.id))):
        running = running_of(row)
        running.spent = running.rewards = 0
        book.campaigns[row.merchant_id] = [*book.campaigns.get(row.merchant_id, []), running]
        first = min(first, row.from_payment)
    programmes = list(session.scalars(select(Programme).order_by(col(Programme.id))))
    first = min([first, *(row.from_payment for row in programmes)])
    rules: Iterator[tuple[Place, Programme | GivenBack]] = ((_place(row), row) for row in programmes)
    between = merge(rules, _refunds(session), key=itemgetter(0))
    coming = next(between, None)
    for paid in _payments(session, first, at.payment_id):
        while coming is not None and coming[0][0] < paid.id:
            _take(book, *coming)
            coming = next(between, None)
        book.pay(paid)
    while coming is not None:
        _take(book, *coming)
        coming = next(between, None)


def _place(row: Programme) -> Place:
    return row.from_payment, row.id or 0, 0


def _take(book: Book, place: Place, what: Programme | GivenBack) -> None:
    if isinstance(what, GivenBack):
        book.give_back(what, place[0])
        return
    rules = rules_of(what)
    if rules.owner in book.rules:
        book.change(rules, [key for key in book.standings if key[0] == rules.owner])
    book.rules[rules.owner] = [*book.rules.get(rules.owner, []), rules]


def _refunds(session: Session) -> Iterator[tuple[Place, Programme | GivenBack]]:
    rows = session.execute(
        select(Followed, Refund)
        .join(Refund, col(Refund.id) == col(Followed.refund_id))
        .order_by(col(Followed.refund_id))
        .execution_options(yield_per=STREAMED)
    )
    for followed, refund in rows:
        given = following.given_back(session, refund)
        assert given is not None, f"refund {refund.public_id} was followed, but is of no payment"
        yield (followed.after_payment, followed.after_programme, refund.id or 0), given


def _payments(session: Session, after: int, until: int) -> Iterator[Paid]:
    rows = session.execute(
        select(Payment, col(Channel.payer))
        .join(Channel, col(Channel.id) == col(Payment.channel_id))
        .where(col(Payment.id) > after, col(Payment.id) <= until, col(Payment.merchant_id).is_not(None))
        .order_by(col(Payment.id))
        .execution_options(yield_per=STREAMED)
    )
    for part in rows.partitions():
        of = following.categories(session, [row for row, _ in part])
        yield from (following.paid_of(row, payer, of.get(row.public_id)) for row, payer in part)


# ------------------------------------------------------------------ comparing


def _compare_rewards(session: Session, book: Book, report: Report) -> None:
    expected = {g.paid.source: (g.campaign_id, g.paid.payer, g.amount, g.multiplier) for g in book.given}
    found = {
        row.source: (row.campaign_id, row.payer, row.amount, row.multiplier)
        for row in session.scalars(select(Reward).execution_options(yield_per=STREAMED))
    }
    for source in sorted(expected.keys() | found.keys()):
        report.check(f"reward for {source}", expected.get(source), found.get(source))


def _compare_standings(session: Session, book: Book, members: dict[int | None, Member], report: Report) -> None:
    keys = {(row.owner, row.payer) for row in members.values()}
    report.check("members", set(book.standings), keys)
    measures: dict[tuple[str, str], dict[int, Measure]] = {}
    for period in session.scalars(select(MemberPeriod).execution_options(yield_per=STREAMED)):
        if (row := members.get(period.member_id)) is not None:
            measures.setdefault((row.owner, row.payer), {})[period.period] = Measure(period.count, period.value)
    for row in members.values():
        key = (row.owner, row.payer)
        standing, name = book.standings.get(key), f"{row.payer} at {row.owner or 'the hub'}"
        if standing is None:
            continue
        report.check(f"what {name} has paid in each period", standing.measures, measures.get(key, {}))
        # Both up to the same period; one that has no tier to lose is not looked at when a period ends.
        ladder = book.rules[row.owner][-1].ladder
        standing.advance(ladder, row.looked)
        steps = len(ladder.tiers)
        found = (min(row.tier, steps), row.noticed if row.tier else None)
        report.check(f"tier and notice of {name}", (standing.tier, standing.noticed), found)


def _compare_perks(session: Session, book: Book, members: dict[int | None, Member], report: Report) -> None:
    expected = {}
    for row in members.values():
        tiers = book.rules[row.owner][-1].ladder
        if row.tier:
            by_tier = tiers.at(min(row.tier, len(tiers.tiers))).round_up
            expected[row.payer, row.owner or sources.HUB] = (row.tier, by_tier)
    found = {(perk.payer, perk.owner): (perk.tier, perk.multiplier) for perk in session.scalars(select(RoundUpPerk))}
    for key in sorted(expected.keys() | found.keys()):
        report.check(f"what the tier of {key[0]} at {key[1]} does to round-ups", expected.get(key), found.get(key))


def _compare_points(session: Session, book: Book, members: dict[int | None, Member], report: Report) -> None:
    found = {}
    for row in session.scalars(select(PointsLot).execution_options(yield_per=STREAMED)):
        if (member := members.get(row.member_id)) is not None:
            found[(member.owner, member.payer), row.source] = row
    report.check("payments with points", set(book.lots), set(found))
    for key, lot in book.lots.items():
        if key in found:
            row = found[key]
            expected = (lot.points, 0 if row.lapsed else lot.left, lot.paid_at, lot.expires_at)
            report.check(f"points for {key[1]}", expected, (row.points, row.remaining, row.paid_at, row.expires_at))
