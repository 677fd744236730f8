"""What takes as long as there is something to be read: the first filling, other days after a change of the time zone, and erasing. A
page is one transaction, which holds up nobody for long, and each goes on where the one before has ended."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.days import day_of
from taesan.gateways.models import GatewayPayment
from taesan.hub import Hub
from taesan.insights import changes, doubles, privacy, reading
from taesan.insights.models import Erasure, Filling, MovementRow, Person
from taesan.merchants.models import Redemption
from taesan.payments.direct_models import DirectPayment
from taesan.payments.models import Payment
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Reward

PAGE = 500


def fill_step(hub: Hub) -> bool:
    """Worker step: a page of one matter; returns whether there may be more. What is erased goes first, lest what is filled in
    anew should be."""
    with hub.db.read() as session:
        if not any((_erasure(session), _filling(session), _redated(session))):
            return False
    with hub.db.write() as session:
        if (erasure := _erasure(session)) is not None:
            _erase(session, erasure)
        elif (filling := _filling(session)) is not None:
            _fill(session, hub, filling)
        elif (person := _redated(session)) is not None:
            _redate(session, person)
    return True


def _erasure(session: Session) -> Erasure | None:
    return session.scalar(select(Erasure).order_by(col(Erasure.id)).limit(1))


def _filling(session: Session) -> Filling | None:
    return session.scalar(select(Filling).order_by(col(Filling.id)).limit(1))


def _redated(session: Session) -> Person | None:
    due = select(Person).where(col(Person.redated).is_not(None)).order_by(col(Person.redated))
    return session.scalar(due.limit(1))


# ------------------------------------------------------------------- filling


def _fill(session: Session, hub: Hub, filling: Filling) -> None:
    by_source = {
        "payments": _payments,
        "gateway": _reports,
        "rewards": _rewards,
        "direct": _direct_payments,
        "redemptions": _redemptions,
    }
    after = by_source[filling.source](session, hub, filling)
    if after is None:
        session.delete(filling)
    else:
        filling.after = after
        session.add(filling)
    session.flush()


def _payments(session: Session, hub: Hub, filling: Filling) -> int | None:
    """A channel's, in their order, and what was given back of them."""
    of_channel = (col(Payment.account_id) == filling.subject, col(Payment.cumulative) > filling.after)
    query = reading.payments().where(*of_channel).order_by(col(Payment.cumulative)).limit(PAGE)
    found = reading.page(session, query)
    reading.take_payments(session, hub, found)
    _refunds_of(session, hub, [owned.row.public_id for owned in found if owned.row.merchant_id is not None])
    return found[-1].row.cumulative if len(found) == PAGE else None


def _direct_payments(session: Session, hub: Hub, filling: Filling) -> int | None:
    """Of the wallet. They cannot be refunded here."""
    of_wallet = (col(DirectPayment.payer) == filling.wallet, col(DirectPayment.id) > filling.after)
    query = reading.direct_payments().where(*of_wallet).order_by(col(DirectPayment.id)).limit(PAGE)
    found = reading.page(session, query)
    reading.take_direct_payments(session, hub, found)
    return found[-1].row.id if len(found) == PAGE else None


def _redemptions(session: Session, hub: Hub, filling: Filling) -> int | None:
    """Of the wallet, and what was given back of them."""
    of_wallet = (col(Redemption.holder) == filling.wallet, col(Redemption.id) > filling.after)
    query = reading.redemptions().where(*of_wallet).order_by(col(Redemption.id)).limit(PAGE)
    found = reading.page(session, query)
    reading.take_redemptions(session, hub, found)
    _refunds_of(session, hub, [owned.row.public_id for owned in found])
    return found[-1].row.id if len(found) == PAGE else None


def _refunds_of(session: Session, hub: Hub, sources: Sequence[str]) -> None:
    if sources:
        given_back = reading.page(session, reading.refunds().where(col(Refund.source).in_(sources)))
        reading.take_refunds(session, hub, given_back)


def _reports(session: Session, hub: Hub, filling: Filling) -> int | None:
    of_customer = (col(GatewayPayment.customer_id) == filling.subject, col(GatewayPayment.id) > filling.after)
    found = reading.page(session, reading.reports().where(*of_customer).order_by(col(GatewayPayment.id)).limit(PAGE))
    reading.take_reports(session, hub, found)
    return found[-1].row.id if len(found) == PAGE else None


def _rewards(session: Session, hub: Hub, filling: Filling) -> int | None:
    """Found by what they were promised for: many promises are paid together."""
    of_payer = (col(Reward.payer) == filling.wallet, col(Reward.id) > filling.after)
    promised = select(col(Reward.id), col(Reward.payout_id)).where(*of_payer).order_by(col(Reward.id)).limit(PAGE)
    rows = session.execute(promised).all()
    paid = {payout_id for _, payout_id in rows if payout_id is not None}
    if paid:
        reading.take_refunds(
            session, hub, reading.page(session, reading.refunds().where(col(Refund.public_id).in_(paid)))
        )
    return rows[-1].id if len(rows) == PAGE else None


# ------------------------------------------------------------- other matters


def _redate(session: Session, person: Person) -> None:
    """In the person's new time zone. A statement's lines have their days from the bank, and keep them."""
    zone = ZoneInfo(person.zone)
    query = select(col(MovementRow.id), col(MovementRow.at), col(MovementRow.source))
    of_person = (col(MovementRow.owner) == person.id, col(MovementRow.id) > person.redated)
    rows = session.execute(query.where(*of_person).order_by(col(MovementRow.id)).limit(PAGE)).all()
    changed = [(day_of(row.at, zone), row.id) for row in rows if row.source != "statement"]
    connection = session.connection()
    days = [(day.isoformat() if bulk.is_sqlite(connection) else day, id_) for day, id_ in changed]
    bulk.update(connection, MovementRow, "day = :day", ("day", "id"), days)
    changes.note_those_of(session, person.id or 0, [row.id for row in rows])
    person.redated = rows[-1].id if len(rows) == PAGE else None
    session.add(person)
    session.flush()


def _erase(session: Session, erasure: Erasure) -> None:
    if erasure.wallet is None:
        if privacy.remove(session, erasure.owner, PAGE):
            session.delete(erasure)
    else:
        after = _erase_of_wallet(session, erasure, erasure.wallet)
        if after is None:
            session.delete(erasure)
        else:
            erasure.after = after
            session.add(erasure)
    session.flush()


def _erase_of_wallet(session: Session, erasure: Erasure, wallet: str) -> int | None:
    owner, number = erasure.owner, col(MovementRow.id)
    of_owner = (col(MovementRow.owner) == owner, number > erasure.after, number <= erasure.until)
    rows = session.scalars(select(MovementRow).where(*of_owner).order_by(number).limit(PAGE)).all()
    gone = {row.id: row for row in rows if row.id is not None and row.wallet == wallet}
    last = rows[-1].id if len(rows) == PAGE else None
    if gone:
        changes.note(session, owner, [row.merchant for row in gone.values()])
        doubles.unsay(session, owner, [doubles.reference(row) for row in gone.values()])
        session.execute(delete(MovementRow).where(number.in_(list(gone))))
        doubles.release(session, owner, gone)
    return last
