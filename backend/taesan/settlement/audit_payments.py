"""The audit of payments: each is signed, continues its channel's vouchers, and stands in the books once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlmodel import Session, col

from taesan.channels import vouchers
from taesan.channels.models import Channel, Charged
from taesan.core.crypto import recover
from taesan.core.values import bytes_of
from taesan.gateways import releases
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.ledger.models import Account, JournalEntry, Posting
from taesan.payments import intake
from taesan.payments.models import Payment
from taesan.settlement.audit_recovered import Gaps

STREAMED = 5_000  # rows in memory at a time


def audit_payments(session: Session, hub: Hub, report: Report) -> None:
    """Each payment continues its channel's vouchers, is signed by the channel's key, and stands in the books once."""
    channels = {c.id: c for c in session.scalars(select(Channel))}
    charged: dict[str, int] = dict.fromkeys(channels, 0)
    gaps = Gaps(session)
    bookings = _bookings(session)
    booking = next(bookings, None)
    count = of_wallets = 0
    rows = session.scalars(select(Payment).order_by(col(Payment.id)).execution_options(yield_per=STREAMED))
    # A group's payments are stored together, in the order of the entries that book them.
    for entry_id, group in groupby(rows, attrgetter("entry_id")):
        payments = list(group)
        count += len(payments)
        for payment in payments:
            channel = channels[payment.channel_id]
            before = gaps.passed(channel.id, charged[channel.id], payment.cumulative - payment.amount)
            charged[channel.id] = before + payment.amount
            report.check(f"cumulative amount of {payment.public_id}", charged[channel.id], payment.cumulative)
            digest = vouchers.voucher_digest(hub.contracts.voucher_domain, channel.id, payment.cumulative)
            key = channel.payer if channel.payer_authorizer == vouchers.ZERO_ADDRESS else channel.payer_authorizer
            signer = recover(digest, bytes_of(payment.signature))
            if channel.secured is None:
                report.check(f"signer of {payment.public_id}", key, signer)
            elif channel.gateway_id is None and signer != key:  # a gateway's voucher is a standing one: `gateways`
                of_wallets += 1
        while booking is not None and booking.entry_id < entry_id:
            report.differences.append(f"entry {booking.entry_id} books payments that are not there")
            booking = next(bookings, None)
        if booking is not None and booking.entry_id == entry_id:
            _check_booking(hub, payments, booking, report)
            booking = next(bookings, None)
        else:
            report.differences.append(f"{payments[0].public_id} says entry {entry_id} books it, which does not")
    for left in (booking, *bookings):
        if left is not None:
            report.differences.append(f"entry {left.entry_id} books payments that are not there")
    for channel in channels.values():
        kept = session.get_one(Charged, channel.account_id).amount
        report.check(f"charged amount of channel {channel.id}", gaps.passed(channel.id, charged[channel.id]), kept)
    report.counted |= {"payments": count, "channels": len(channels)}
    if of_wallets:
        # Only the wallet could tell, and only then; for what it signed the claim on chain or the cover is checked below.
        report.counted["vouchers at a contract wallet's word"] = of_wallets


class _Booking(NamedTuple):
    """An entry that books payments. :ivar lines: account's name → amount"""

    entry_id: int
    ref: str
    lines: dict[str, int]


def _bookings(session: Session) -> Iterator[_Booking]:
    """In their order, one at a time."""
    rows = session.execute(
        select(col(JournalEntry.id), col(JournalEntry.ref), col(Account.name), col(Posting.amount))
        .join(Posting, col(Posting.entry_id) == col(JournalEntry.id))
        .join(Account, col(Account.id) == col(Posting.account_id))
        .where(or_(col(JournalEntry.kind) == "payments", col(JournalEntry.ref).startswith("payment:")))
        .order_by(col(JournalEntry.id))
        .execution_options(yield_per=STREAMED)
    )
    for (entry_id, ref), lines in groupby(rows, itemgetter(0, 1)):
        yield _Booking(entry_id, ref, {name: amount for _, _, name, amount in lines})


def _check_booking(hub: Hub, payments: Sequence[Payment], booking: _Booking, report: Report) -> None:
    """The entry books just these payments, to the unit; its reference, which its hash covers, names them."""
    expected: dict[str, int] = defaultdict(int)
    for p in payments:
        source, to = hub.chart.channel(p.channel_id), hub.chart.jar(p.channel_id)
        if p.merchant_id is not None:
            to = hub.chart.pending(p.payee)
        elif p.destination == "person":
            to = hub.chart.converting(p.payee)
        elif p.destination == releases.DESTINATION:
            source, to = hub.chart.gathered(p.reference or ""), hub.chart.converting(p.payee)
        expected[str(source)] += p.amount
        expected[str(to)] -= p.amount
    report.check(f"lines of entry {booking.entry_id}", dict(expected), booking.lines)
    ref = intake.payments_ref((p.public_id, p.channel_id, p.amount, p.cumulative, p.payee) for p in payments)
    # Until they were booked in groups, each payment had an entry of its own that named it.
    before = f"payment:{payments[0].public_id}"
    report.check(f"payments of entry {booking.entry_id}", True, booking.ref in (ref, before))
