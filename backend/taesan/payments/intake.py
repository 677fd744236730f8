"""Accepts payments: every way in ends here. Accepted means verified, funded, booked and durable."""

from datetime import datetime, timedelta

from babel.numbers import get_currency_precision
from sqlmodel import Session

from taesan.chain import watcher
from taesan.channels import service as channels
from taesan.channels import vouchers
from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.problems import Problem
from taesan.core.values import Money, new_id
from taesan.hub import Hub
from taesan.identity import keys
from taesan.jars import accrual
from taesan.jars import service as jars
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.payments.models import JarProgress, Payment, PaymentAccepted, PaymentCreate, ToMerchant


def check_request(hub: Hub, request: PaymentCreate) -> None:
    """What can be said without the database: chain, contract, asset, exponent, limits.

    :raises Problem: `wrong-network`, `wrong-contract`, `wrong-asset`, `wrong-exponent`, `zero-amount`, `amount-over-cap`
    """
    voucher, amount = request.voucher, request.amount
    if voucher.network not in (None, hub.contracts.network):
        raise Problem(
            "wrong-network", 422, "The voucher is for another chain.", f"This hub is on {hub.contracts.network}."
        )
    if voucher.contract not in (None, hub.contracts.deployment.channels):
        raise Problem(
            "wrong-contract",
            422,
            "The voucher is for another contract.",
            f"This hub's channels are in {hub.contracts.deployment.channels}.",
        )
    if amount.asset != hub.asset.id:
        raise Problem("wrong-asset", 422, "The amount is in another asset.", f"This hub's asset is {hub.asset.id}.")
    _check_exponent(amount, hub.asset.exponent)
    if amount.value == 0:
        raise Problem("zero-amount", 422, "The amount is zero.", "There is nothing to pay: do not send it.")
    if amount.value > hub.settings.max_payment:
        raise Problem(
            "amount-over-cap",
            422,
            "The amount is over this hub's cap for one payment.",
            f"At most {hub.settings.max_payment} minor units; this hub is made for micropayments.",
        )
    if request.purchase is not None:
        _check_purchase(hub, request.purchase)


def check_view(session: Session, hub: Hub, now: datetime) -> None:
    """A payer's withdrawal that we do not know of would leave a payment unfunded: well before its delay can be over, a hub
    that hears nothing from the chain stops accepting.

    :raises Problem: `chain-view-too-old`
    """
    age = now - watcher.known_since(session)
    if age > timedelta(seconds=hub.settings.withdraw_delay_s // 4):
        raise Problem(
            "chain-view-too-old",
            503,
            "The hub has not heard from its blockchain for too long to accept payments.",
            f"For {age.total_seconds():.0f} s. It goes on by itself when the node is back.",
            headers={"retry-after": "30"},
        )


def check_signature(session: Session, hub: Hub, request: PaymentCreate) -> None:
    """Costs the most, so it is done before the writing transaction.

    :raises Problem: `unknown-channel`, `invalid-signature`
    """
    channel = channels.find_channel(session, request.voucher.channel_id)
    vouchers.check_signature(
        hub.contracts.voucher_domain,
        channels.spending_of(session, hub, channel),
        request.voucher.max_claimable_amount,
        request.voucher.signature,
    )


def accept(session: Session, hub: Hub, request: PaymentCreate, now: datetime) -> PaymentAccepted:
    """Books one verified payment; the caller's commit makes it accepted.

    :raises Problem: `unknown-merchant`, `channel-not-open`, `voucher-out-of-sequence`, `insufficient-deposit`,
        `round-up-mismatch`; nothing of it is stored then
    """
    channel = channels.find_channel(session, request.voucher.channel_id)
    amount = request.amount.value
    vouchers.check_next(channels.spending_of(session, hub, channel), amount, request.voucher.max_claimable_amount)
    payment = Payment(
        public_id=new_id("pay"),
        channel_id=channel.id,
        amount=amount,
        cumulative=request.voucher.max_claimable_amount,
        signature=request.voucher.signature,
        destination=request.destination.type,
        payee=channel.payer,
        purchase_value=request.purchase.value if request.purchase else None,
        purchase_currency=request.purchase.asset if request.purchase else None,
        reference=request.reference,
        accepted_at=now,
    )
    channel.charged = payment.cumulative
    channel.voucher_signature = payment.signature
    session.add(channel)
    if isinstance(request.destination, ToMerchant):
        progress = None
        _pay_merchant(session, hub, payment, request.destination.merchant_id, now)
    else:
        progress = _pay_jar(session, hub, channel, payment, request.purchase, now)
    session.add(payment)
    session.flush()
    return PaymentAccepted(
        id=payment.public_id,
        channel_id=payment.channel_id,
        amount=payment.amount,
        charged_cumulative=payment.cumulative,
        destination=payment.destination,
        merchant_id=payment.merchant_id,
        reference=payment.reference,
        accepted_at=rfc3339(now),
        batch_id=None,
        jar=progress,
    )


def _pay_merchant(session: Session, hub: Hub, payment: Payment, merchant_id: str, now: datetime) -> None:
    merchant = keys.find_merchant(session, merchant_id)
    payment.merchant_id, payment.payee = merchant.id, merchant.address
    lines = transfer(hub.chart.channel(payment.channel_id), hub.chart.pending(merchant.address), payment.amount)
    posting.post(session, f"payment:{payment.public_id}", "payment to merchant", now, lines)


def _pay_jar(
    session: Session, hub: Hub, channel: Channel, payment: Payment, purchase: Money | None, now: datetime
) -> JarProgress:
    jar = jars.jar_of(session, hub, channel.id, now)
    if purchase is not None:
        _check_round_up(hub, purchase, jar.round_up_step, payment.amount)
    firing = jars.accrue(session, hub, channel, payment.public_id, payment.amount, now)
    return JarProgress(
        gathered=posting.balance(session, hub.chart.jar(channel.id)),
        payments=jar.payment_count,
        fired=firing.amount if firing else None,
    )


def _check_purchase(hub: Hub, purchase: Money) -> None:
    if purchase.asset != hub.settings.asset_currency:
        raise Problem(
            "wrong-currency",
            422,
            "The purchase is in another currency.",
            f"Round-ups of this hub are from {hub.settings.asset_currency}.",
        )
    _check_exponent(purchase, get_currency_precision(purchase.asset))


def _check_exponent(money: Money, exponent: int) -> None:
    if money.exponent is not None and money.exponent != exponent:
        raise Problem(
            "wrong-exponent",
            422,
            "The amount's exponent is not its asset's.",
            f"{money.asset} has {exponent} decimals, not {money.exponent}: the value would be off by powers of ten.",
        )


def _check_round_up(hub: Hub, purchase: Money, step: int, amount: int) -> None:
    paid = accrual.rescale(purchase.value, get_currency_precision(purchase.asset), hub.asset.exponent)
    expected = None if paid is None else accrual.round_up(paid, step)
    if amount != expected:
        raise Problem(
            "round-up-mismatch",
            422,
            "The amount is not the purchase's round-up.",
            f"Rounding {purchase.value} {purchase.asset} (minor units) up by the jar's rule gives {expected}.",
            expected=str(expected),
        )
