"""A shop to try a wallet in, on local chains only: what it sells is paid to a real merchant, and given to whoever has paid for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from babel.numbers import get_currency_precision
from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels import holdings
from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.i18n import translate
from taesan.core.problems import Problem
from taesan.core.values import AmountOut, Shape
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.jars import accrual
from taesan.payments.models import Payment
from taesan.web.sample_goods import GOODS, Good, Kind


class GoodPublic(Shape):
    id: str = Field(description="A payment to the merchant with this as its `reference` buys it")
    kind: Kind
    category: str
    title: str
    teaser: str
    price: AmountOut = Field(description="Minor units of `currency`")
    amount: AmountOut = Field(description="The same in the reserve asset's")
    content: list[str] | None = Field(description="Paragraphs; null until it is paid for")
    picture: str | None = Field(description="With the content: an SVG path in a square of 48")
    period_s: int | None = Field(description="What one payment of a subscription is good for")
    paid_until: str | None


class SampleShopPublic(Shape):
    merchant_id: str
    merchant_name: str
    currency: str
    goods: list[GoodPublic]


class Bought(NamedTuple):
    """A payment to the shop. :ivar amount: minor units of the reserve asset"""

    good: str
    amount: int
    at: datetime


def public(session: Session, hub: Hub, wallet: str, now: datetime, language: str) -> SampleShopPublic:
    """What it sells, with the content of what the wallet has paid for.

    :raises Problem: `no-sample-shop`
    """
    merchant = _merchant(session, hub)
    bought = _bought(session, merchant.id, wallet)
    currency = hub.settings.asset_currency
    exponents = get_currency_precision(currency), hub.asset.exponent
    goods = []
    for good in GOODS:
        amount = accrual.rescale(good.price, *exponents)
        assert amount is not None  # a reserve asset has more decimals than its currency
        paid = [one.at for one in bought if one.good == good.id and one.amount >= amount]
        goods.append(_shown(good, amount, paid, now, language))
    return SampleShopPublic(merchant_id=merchant.id, merchant_name=merchant.name, currency=currency, goods=goods)


def _shown(good: Good, amount: int, paid: Sequence[datetime], now: datetime, language: str) -> GoodPublic:
    until = paid_until(paid, good.period_s) if good.period_s else None
    is_open = until is not None and until > now if good.period_s else bool(paid)
    told = [translate(text, language) for text in good.content]
    if good.period_s:
        told = [told[int(now.timestamp()) // good.period_s % len(told)]]
    return GoodPublic(
        id=good.id,
        kind=good.kind,
        category=good.category,
        title=translate(good.title, language),
        teaser=translate(good.teaser, language),
        price=good.price,
        amount=amount,
        content=told if is_open else None,
        picture=good.picture if is_open else None,
        period_s=good.period_s,
        paid_until=None if until is None else rfc3339(until),
    )


def paid_until(paid: Sequence[datetime], period_s: int) -> datetime | None:
    """Each payment is good for a period, from then on or from the end of what was paid before. Pure. :param paid: the oldest first"""
    until: datetime | None = None
    for at in paid:
        until = max(until or at, at) + timedelta(seconds=period_s)
    return until


def _merchant(session: Session, hub: Hub) -> Merchant:
    """:raises Problem: `no-sample-shop`"""
    merchant = None
    if hub.settings.sample_shop and holdings.is_generous(hub):
        merchant = session.scalar(select(Merchant).where(col(Merchant.address) == hub.settings.sample_shop))
    if merchant is None:
        raise Problem(
            "no-sample-shop",
            404,
            "This hub has no sample shop.",
            "Merchants show their own pages to pay at; `taesan demo` and `taesan devnet --with-hub` have a sample.",
        )
    return merchant


def _bought(session: Session, merchant_id: str, wallet: str) -> list[Bought]:
    """All that the wallet has paid to the shop, the oldest first."""
    own = select(col(Channel.account_id)).where(col(Channel.payer) == wallet)
    rows = session.execute(
        select(col(Payment.reference), col(Payment.amount), col(Payment.accepted_at))
        .where(col(Payment.account_id).in_(own), col(Payment.merchant_id) == merchant_id)
        .where(col(Payment.reference).in_([good.id for good in GOODS]))
        .order_by(col(Payment.id))
    )
    return [Bought(*row) for row in rows]
