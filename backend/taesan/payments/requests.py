"""What can be said of a payment request without the database: chain, contract, asset, exponents, limits."""

from fractions import Fraction

from babel.numbers import get_currency_precision

from taesan.core.problems import Problem, too_small
from taesan.core.values import Money
from taesan.hub import Hub
from taesan.payments import quotes
from taesan.payments.decision import invalid_recipient
from taesan.payments.messages import Submission
from taesan.payments.models import PaymentCreate, ToInvoice, ToJar, ToMerchant, ToPerson, VoucherIn


def submission_of(hub: Hub, request: PaymentCreate, idempotency_key: str) -> Submission:
    """A request that is for this hub, ready for the intake.

    :raises Problem: `wrong-network`, `wrong-contract`, `wrong-asset`, `wrong-currency`, `wrong-exponent`, `zero-amount`,
        `amount-over-cap`, `amount-too-small`, `invalid-recipient`
    """
    voucher, amount, purchase, to = request.voucher, request.amount, request.purchase, request.destination
    check_voucher(hub, voucher)
    if amount.asset != hub.asset.id:
        raise Problem("wrong-asset", 422, "The amount is in another asset.", f"This hub's asset is {hub.asset.id}.")
    check_exponent(amount, hub.asset.exponent)
    if amount.value == 0:
        raise zero_amount()
    if amount.value > hub.settings.max_payment:
        raise over_cap(hub.settings.max_payment)
    if purchase is not None:
        _check_purchase(hub, purchase)
    return Submission(
        idempotency_key,
        voucher.channel_id,
        amount.value,
        voucher.max_claimable_amount,
        voucher.signature,
        to.merchant_id if isinstance(to, ToMerchant) else None,
        None if purchase is None else purchase.value,
        None if purchase is None else purchase.asset,
        request.reference,
        invoice_id=to.invoice_id if isinstance(to, ToInvoice) else None,
        rule_id=to.rule_id if isinstance(to, ToJar) else None,
        purchase_merchant=None if purchase is None else purchase.merchant_id,
        purchase_category=None if purchase is None else purchase.category,
        person=_person(hub, to, amount.value) if isinstance(to, ToPerson) else None,
    )


def _person(hub: Hub, to: ToPerson, amount: int) -> str:
    """It is minted in a batch, for gas that the hub pays. :raises Problem: `amount-too-small`, `invalid-recipient`"""
    if amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    if to.address in hub.contracts.deployment.dead_ends:
        raise invalid_recipient(to.address)
    return to.address


def check_voucher(hub: Hub, voucher: VoucherIn) -> None:
    """Chain and contract, as far as they are told. :raises Problem: `wrong-network`, `wrong-contract`"""
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


def _check_purchase(hub: Hub, purchase: Money) -> None:
    if purchase.asset != hub.settings.asset_currency:
        raise Problem(
            "wrong-currency",
            422,
            "The purchase is in another currency.",
            f"Round-ups of this hub are from {hub.settings.asset_currency}.",
        )
    check_exponent(purchase, get_currency_precision(purchase.asset))


def quoted(hub: Hub, asked: Money) -> tuple[int, Fraction | None]:
    """What an amount in a currency is in the reserve asset, and the rate that this needed, if any; see `quotes.quote`.

    :raises Problem: `currency-not-quoted`, `wrong-exponent`
    """
    settings = hub.settings
    try:
        if asked.asset not in quotes.CURRENCIES:
            raise quotes.NoRate(asked.asset)
        due = quotes.quote(
            asked.value, asked.asset, settings.asset_currency, hub.asset.exponent, settings.won_for_a_dollar
        )
    except quotes.NoRate:
        raise Problem(
            "currency-not-quoted",
            422,
            "This hub has no rate for this currency.",
            f"Its reserve asset stands for {settings.asset_currency}.",
        ) from None
    check_exponent(asked, get_currency_precision(asked.asset))
    return due


def zero_amount() -> Problem:
    return Problem("zero-amount", 422, "The amount is zero.", "There is nothing to pay: do not send it.")


def over_cap(most: int) -> Problem:
    return Problem(
        "amount-over-cap",
        422,
        "The amount is over this hub's cap for one payment.",
        f"At most {most} minor units; this hub is made for micropayments.",
    )


def check_exponent(money: Money, exponent: int) -> None:
    """:raises Problem: `wrong-exponent`"""
    if money.exponent is not None and money.exponent != exponent:
        raise Problem(
            "wrong-exponent",
            422,
            "The amount's exponent is not its asset's.",
            f"{money.asset} has {exponent} decimals, not {money.exponent}: the value would be off by powers of ten.",
        )
