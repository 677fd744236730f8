"""Reads pages of the money's own tables, which are only read here, as what moved of whom, and stores that. What is stored already
stays as it is, so a page may be read twice."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core import bulk
from taesan.gateways.models import Gateway, GatewayCustomer, GatewayPayment
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.insights.models import MovementRow, Person, PersonWallet
from taesan.insights.movements import Movement
from taesan.insights.sources import NOWHERE, Asset, Bought, GivenBack, Maker, Paid, Place, Reported
from taesan.loyalty.following import categories
from taesan.merchants.models import Redemption
from taesan.payments.direct_models import DirectPayment
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.settlement.models import Refund

OF_GATEWAYS = "gateway"  # the destination of payments that a gateway makes, and not a payer


class Owned(NamedTuple):
    """A row of the money's tables, and whose it is."""

    row: Any
    wallet: str
    owner: int
    zone: str


def of_persons(query: Select[Any], wallet: Any) -> Select[Any]:
    """What of a query is a person's. :param wallet: the column that tells whose a row is"""
    joined = query.join(PersonWallet, col(PersonWallet.wallet) == wallet)
    return joined.join(Person, col(Person.id) == col(PersonWallet.owner)).add_columns(
        col(PersonWallet.wallet), col(Person.id), col(Person.zone)
    )


def payments() -> Select[Any]:
    """Of persons, without what gateways pay."""
    query = select(Payment).join(Channel, col(Channel.id) == col(Payment.channel_id))
    return of_persons(query, col(Channel.payer)).where(col(Payment.destination) != OF_GATEWAYS)


def refunds() -> Select[Any]:
    """Of persons."""
    return of_persons(select(Refund), col(Refund.account))


def direct_payments() -> Select[Any]:
    """Of persons' wallets, that have arrived."""
    query = of_persons(select(DirectPayment), col(DirectPayment.payer))
    return query.where(col(DirectPayment.state) == "confirmed")


def redemptions() -> Select[Any]:
    """Of persons' gift tokens, that merchants have."""
    return of_persons(select(Redemption), col(Redemption.holder)).where(col(Redemption.state) == "confirmed")


def reports() -> Select[Any]:
    """Of gateways, for customers who have linked a person's wallet."""
    query = select(GatewayPayment).join(GatewayCustomer, col(GatewayCustomer.id) == col(GatewayPayment.customer_id))
    return of_persons(query, col(GatewayCustomer.wallet))


def page(session: Session, query: Select[Any]) -> list[Owned]:
    return [Owned(*row) for row in session.execute(query)]


# ------------------------------------------------------------------- storing


def store(session: Session, owned: Iterable[tuple[int, Movement]]) -> None:
    """:param owned: each with its owner"""
    rows = [{"owner": owner, **{name: getattr(line, name) for name in Movement.__slots__}} for owner, line in owned]
    if rows:
        bulk.insert_missing(session.connection(), MovementRow, rows)


def take_payments(session: Session, hub: Hub, found: Sequence[Owned]) -> None:
    if not found:
        return
    rows: list[Payment] = [owned.row for owned in found]
    names = _names(session, {id_ for row in rows for id_ in (row.merchant_id, row.purchase_merchant) if id_})
    of_invoices = categories(session, rows)
    told = {row.reference for row in rows if row.destination == "jar" and row.purchase_value and row.reference}
    paid_here = _paid_here(session, told)
    lines = []
    for owned in found:
        payment = _paid(owned, names, of_invoices, paid_here)
        lines += [(owned.owner, line) for line in _maker(hub, owned).of_payment(payment)]
    store(session, lines)


def take_refunds(session: Session, hub: Hub, found: Sequence[Owned]) -> None:
    if not found:
        return
    rows: list[Refund] = [owned.row for owned in found]
    names = _names(session, {row.merchant_id for row in rows})
    of = _of_sources(session, {row.source for row in rows if not row.is_reward})
    lines = []
    for owned in found:
        row: Refund = owned.row
        place, in_tokens = Place(names[row.merchant_id], of.get(row.source, "")), row.source.startswith("red_")
        refund = GivenBack(row.public_id, row.amount, row.made_at, owned.wallet, place, row.is_reward, in_tokens)
        lines += [(owned.owner, line) for line in _maker(hub, owned).of_refund(refund)]
    store(session, lines)


def take_direct_payments(session: Session, hub: Hub, found: Sequence[Owned]) -> None:
    if not found:
        return
    names = _names(session, {owned.row.merchant_id for owned in found})
    lines = []
    for owned in found:
        row: DirectPayment = owned.row
        to, in_tokens = Place(names[row.merchant_id]), row.token == hub.gift.address
        paid = Paid(row.public_id, row.amount, row.accepted_at, owned.wallet, to, in_tokens=in_tokens)
        lines += [(owned.owner, line) for line in _maker(hub, owned).of_payment(paid)]
    store(session, lines)


def take_redemptions(session: Session, hub: Hub, found: Sequence[Owned]) -> None:
    if not found:
        return
    names = _names(session, {owned.row.merchant_id for owned in found})
    of = _of_redemptions(session, [owned.row for owned in found])
    lines = []
    for owned in found:
        row: Redemption = owned.row
        to = Place(names[row.merchant_id], of[row.public_id])
        paid = Paid(row.public_id, row.amount, row.received_at, owned.wallet, to, in_tokens=True)
        lines += [(owned.owner, line) for line in _maker(hub, owned).of_payment(paid)]
    store(session, lines)


def take_reports(session: Session, hub: Hub, found: Sequence[Owned]) -> None:
    if not found:
        return
    rows: list[GatewayPayment] = [owned.row for owned in found]
    names = _names(session, {row.merchant_id for row in rows if row.merchant_id})
    gateways = select(col(Gateway.id), col(Gateway.name)).where(col(Gateway.id).in_({row.gateway_id for row in rows}))
    names |= dict(session.execute(gateways).all())
    lines = []
    for owned in found:
        report = _reported(owned, names)
        lines += [(owned.owner, line) for line in _maker(hub, owned).of_report(report)]
    store(session, lines)


# --------------------------------------------------------------- what they say


def _maker(hub: Hub, owned: Owned) -> Maker:
    asset, gift = (Asset(token.id, token.exponent) for token in (hub.asset, hub.gift))
    return Maker(ZoneInfo(owned.zone), asset, gift)


def _paid(owned: Owned, names: dict[str, str], of_invoices: dict[str, str], paid_here: Collection[str]) -> Paid:
    row: Payment = owned.row
    category = of_invoices.get(row.public_id) or row.purchase_category or ""
    to = bought = None
    rounds_up = NOWHERE
    if row.merchant_id is not None:
        to = Place(names[row.merchant_id], category)
    elif row.destination == "person":
        to = Place(row.payee, category, is_person=True)
    elif row.purchase_merchant or row.purchase_category:
        # The payer's client may call a merchant what it likes; one of ours, by its id.
        merchant = row.purchase_merchant or ""
        rounds_up = Place(names.get(merchant, merchant), category)
    if to is None and row.purchase_value is not None and row.reference not in paid_here:
        assert row.purchase_currency is not None
        bought = Bought(row.purchase_value, row.purchase_currency, rounds_up)
    return Paid(row.public_id, row.amount, row.accepted_at, owned.wallet, to, rounds_up, bought)


def _reported(owned: Owned, names: dict[str, str]) -> Reported:
    """A payment whose merchant the gateway does not name is known by the gateway's own name alone."""
    row: GatewayPayment = owned.row
    return Reported(
        id=row.public_id,
        value=row.purchase_value,
        currency=row.purchase_currency,
        paid_at=row.paid_at,
        wallet=owned.wallet,
        place=Place(names[row.merchant_id or row.gateway_id]),
        gathered=row.amount - row.paid_back,
        drawn_at=row.drawn_at,
        returned=row.returned,
        refunded_at=row.refunded_at,
    )


def _names(session: Session, merchants: Collection[str]) -> dict[str, str]:
    """Of those that are known here."""
    found = select(col(Merchant.id), col(Merchant.name)).where(col(Merchant.id).in_(merchants))
    return dict(session.execute(found).all()) if merchants else {}


def _of_sources(session: Session, sources: Collection[str]) -> dict[str, str]:
    """What was given back (`pay_…`, `red_…`) → its category."""
    if not sources:
        return {}
    paid = session.scalars(select(Payment).where(col(Payment.public_id).in_(sources))).all()
    of_invoices = categories(session, paid)
    of = {row.public_id: of_invoices.get(row.public_id) or row.purchase_category or "" for row in paid}
    redeemed = session.scalars(select(Redemption).where(col(Redemption.public_id).in_(sources))).all()
    return of | _of_redemptions(session, redeemed)


def _of_redemptions(session: Session, rows: Sequence[Redemption]) -> dict[str, str]:
    """Redemption's public id → the category of the invoice that it has paid, if it has."""
    ids = {row.invoice_id for row in rows if row.invoice_id is not None}
    invoices = select(col(Invoice.public_id), col(Invoice.details)).where(col(Invoice.public_id).in_(ids))
    of = {id_: details.get("category", "") for id_, details in session.execute(invoices)} if ids else {}
    return {row.public_id: of.get(row.invoice_id or "", "") for row in rows}


def _paid_here(session: Session, references: Collection[str]) -> set[str]:
    """Which of the references are payments to merchants here: a round-up of such a one is not another purchase."""
    if not references:
        return set()
    paid = (
        select(col(Payment.public_id)).where(col(Payment.merchant_id).is_not(None)),
        select(col(DirectPayment.public_id)),
        select(col(Redemption.public_id)),
    )
    return {id_ for query in paid for id_ in session.scalars(query.where(query.selected_columns[0].in_(references)))}
