"""Unmodified PyPI `x402` against our contracts: its client signs, its facilitator verifies and sends."""

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from web3.exceptions import ContractCustomError
from x402.client_base import NoMatchingRequirementsError
from x402.mechanisms.evm.batch_settlement import errors
from x402.mechanisms.evm.batch_settlement.client.voucher import sign_voucher
from x402.mechanisms.evm.batch_settlement.facilitator.utils import to_contract_channel_config
from x402.mechanisms.evm.batch_settlement.types import ChannelConfig
from x402.mechanisms.evm.signers import EthAccountSigner
from x402.schemas import PaymentPayload, SettleResponse

from tests.support.chain import Chain
from tests.support.stage import CENT, DOLLAR
from tests.support.x402 import WITHDRAW_DELAY_S, Customer, Shop, claim_of

PRICE = 10 * CENT
DEPOSIT = 5 * PRICE  # the SDK's own choice: five times the price


@pytest.fixture
def shop(chain: Chain) -> Shop:
    return Shop(chain, PRICE)


@pytest.fixture
def anna(chain: Chain) -> Customer:
    return Customer(chain, 2 * DOLLAR)


def _dollars(chain: Chain, address: str) -> int:
    return int(chain.read("asset", "balanceOf", address))


def _channel(chain: Chain, payment: PaymentPayload) -> tuple[int, int]:
    """(balance, claimed in all)."""
    balance, claimed = chain.read("channels", "channels", payment.payload["voucher"]["channelId"])
    return balance, claimed


def _events(chain: Chain, transaction: Any) -> list[tuple[str, dict[str, Any]]]:
    """The channels contract's events, in order. :param transaction: a hash, or the facilitator's answer with one"""
    hash_ = transaction.transaction if isinstance(transaction, SettleResponse) else transaction
    logs = chain.web3.eth.get_transaction_receipt(hash_)["logs"]
    decoded = [chain.contracts.decode_log(log) for log in logs]
    return [(event.name.removeprefix("channels."), event.args) for event in decoded if event]


def _opened(shop: Shop, customer: Customer) -> PaymentPayload:
    """The customer's first payment, with its deposit on the chain and the shop's answer heard."""
    payment = customer.pay(shop)
    answer = shop.settle(payment)
    assert answer.success, answer
    customer.hear(payment, answer, PRICE)
    return payment


def _paid(shop: Shop, customer: Customer) -> PaymentPayload:
    """One more payment by voucher."""
    payment = customer.pay(shop)
    assert payment.payload["type"] == "voucher"
    verified = shop.verify(payment)
    assert verified.is_valid, verified
    customer.hear(payment, SettleResponse(success=True, transaction="", network=shop.offer.network), PRICE)
    return payment


# --------------------------------------------------------------- the whole way


def test_from_the_deposit_to_the_last_cent(chain: Chain, shop: Shop, anna: Customer) -> None:
    first = anna.pay(shop)
    assert first.payload["type"] == "deposit"
    assert shop.verify(first).is_valid
    deposited = shop.settle(first)
    assert (deposited.success, deposited.amount) == (True, str(DEPOSIT)), deposited
    assert [name for name, _ in _events(chain, deposited)] == ["ChannelOpened", "Deposited"]
    assert _channel(chain, first) == (DEPOSIT, 0)
    assert _dollars(chain, anna.wallet.address) == 2 * DOLLAR - DEPOSIT
    assert _dollars(chain, chain.deployment.channels) == DEPOSIT
    anna.hear(first, deposited, PRICE)

    second = _paid(shop, anna)
    assert second.payload["voucher"]["maxClaimableAmount"] == str(2 * PRICE)
    claimed = shop.claim(claim_of(second))
    assert claimed.success, claimed
    ((name, args),) = _events(chain, claimed)
    assert (name, args["amount"], args["totalClaimed"]) == ("Claimed", 2 * PRICE, 2 * PRICE)
    assert _channel(chain, first) == (DEPOSIT, 2 * PRICE)
    assert _dollars(chain, shop.address) == 0

    swept = shop.sweep()
    assert (swept.success, _events(chain, swept)[0][1]["amount"]) == (True, 2 * PRICE), swept
    assert _dollars(chain, shop.address) == 2 * PRICE
    again = shop.sweep()
    assert (again.success, again.error_reason) == (False, errors.ERR_NOTHING_TO_SETTLE)

    third = _paid(shop, anna)
    refunded = shop.refund(third, PRICE, 0, claim_of(third))  # claim and refund in one multicall
    assert (refunded.success, refunded.amount) == (True, str(PRICE)), refunded
    assert [name for name, _ in _events(chain, refunded)] == ["Claimed", "Refunded"]
    assert _channel(chain, first) == (DEPOSIT - PRICE, 3 * PRICE)
    assert _dollars(chain, anna.wallet.address) == 2 * DOLLAR - DEPOSIT + PRICE
    assert refunded.extra is not None
    assert refunded.extra["channelState"]["refundNonce"] == "1"

    left = DEPOSIT - PRICE - 3 * PRICE
    final = shop.refund(third, 100 * DOLLAR, 1)  # more than there is: all of it
    assert (final.success, final.amount) == (True, str(left)), final
    assert _channel(chain, first) == (3 * PRICE, 3 * PRICE)
    assert shop.refund(third, PRICE, 2).error_reason == errors.ERR_REFUND_NO_BALANCE
    assert shop.sweep().success
    assert _dollars(chain, shop.address) == 3 * PRICE
    assert _dollars(chain, anna.wallet.address) == 2 * DOLLAR - 3 * PRICE
    assert _dollars(chain, chain.deployment.channels) == 0


def test_many_customers_are_claimed_at_once(chain: Chain, shop: Shop) -> None:
    payments = [_opened(shop, Customer(chain, DOLLAR)) for _ in range(3)]
    claimed = shop.claim(*map(claim_of, payments))
    assert claimed.success, claimed
    assert [name for name, _ in _events(chain, claimed)] == ["Claimed"] * 3
    repeated = shop.claim(*map(claim_of, payments))
    assert (repeated.success, _events(chain, repeated)) == (True, [])  # harmless
    assert shop.sweep().success
    assert _dollars(chain, shop.address) == 3 * PRICE


def test_a_channel_that_ran_low_is_filled_up(chain: Chain, shop: Shop, anna: Customer) -> None:
    first = _opened(shop, anna)
    for _ in range(4):
        _paid(shop, anna)
    more = anna.pay(shop)
    assert more.payload["type"] == "deposit"
    deposited = shop.settle(more)
    assert [name for name, _ in _events(chain, deposited)] == ["Deposited"]
    assert _channel(chain, first) == (2 * DEPOSIT, 0)


def test_the_payer_takes_the_rest_without_anybody(chain: Chain, shop: Shop, anna: Customer) -> None:
    payment = _opened(shop, anna)
    config = ChannelConfig.from_dict(payment.payload["channelConfig"])
    channel = to_contract_channel_config(config)
    announced = anna.call("initiateWithdraw", channel, DEPOSIT)
    ((name, args),) = _events(chain, announced["transactionHash"])
    announced_at = chain.web3.eth.get_block(announced["blockNumber"])["timestamp"]
    assert (name, args["finalizableAt"]) == ("WithdrawInitiated", announced_at + WITHDRAW_DELAY_S)
    verified = shop.verify(anna.pay(shop))
    assert verified.extra is not None
    assert verified.extra["withdrawRequestedAt"] == announced_at, "the shop is told"
    with pytest.raises(ContractCustomError):
        anna.call("finalizeWithdraw", channel)

    assert shop.claim(claim_of(payment)).success  # the shop still gets what it was promised
    chain.wait(WITHDRAW_DELAY_S)
    finalized = anna.call("finalizeWithdraw", channel)
    ((name, args),) = _events(chain, finalized["transactionHash"])
    assert (name, args["amount"]) == ("WithdrawFinalized", DEPOSIT - PRICE)
    assert _dollars(chain, anna.wallet.address) == 2 * DOLLAR - PRICE
    assert shop.sweep().success
    assert _dollars(chain, shop.address) == PRICE


def test_a_refund_ends_an_announced_withdrawal(chain: Chain, shop: Shop, anna: Customer) -> None:
    payment = _opened(shop, anna)
    channel = to_contract_channel_config(ChannelConfig.from_dict(payment.payload["channelConfig"]))
    anna.call("initiateWithdraw", channel, DEPOSIT - PRICE)
    refunded = shop.refund(payment, DEPOSIT, 0, claim_of(payment))
    assert (refunded.success, refunded.amount) == (True, str(DEPOSIT - PRICE)), refunded
    assert refunded.extra is not None
    assert refunded.extra["channelState"]["withdrawRequestedAt"] == 0


def test_a_client_without_its_own_spend_controls_refuses_a_test_dollar(chain: Chain, shop: Shop) -> None:
    with pytest.raises(NoMatchingRequirementsError, match="allowed_assets"):
        Customer(chain, DOLLAR, any_asset=False).pay(shop)


# -------------------------------------------------------------------- nonsense


def _with_voucher(payment: PaymentPayload, shop: Shop, key: Any, amount: int) -> PaymentPayload:
    """The payment with another voucher in it, signed by a key."""
    changed = copy.deepcopy(payment)
    channel_id = payment.payload["voucher"]["channelId"]
    voucher = sign_voucher(EthAccountSigner(key), channel_id, amount, shop.offer.network)
    changed.payload["voucher"] = voucher.to_dict()
    return changed


def _above_the_balance(shop: Shop, anna: Customer) -> PaymentPayload:
    return _with_voucher(_paid(shop, anna), shop, anna.hot_key, DEPOSIT + 1)


def _by_a_stranger(shop: Shop, anna: Customer) -> PaymentPayload:
    return _with_voucher(_paid(shop, anna), shop, Account.create(), 2 * PRICE)


def _by_the_wallet_itself(shop: Shop, anna: Customer) -> PaymentPayload:
    """The hot key alone signs vouchers once there is one."""
    return _with_voucher(_paid(shop, anna), shop, anna.wallet, 2 * PRICE)


def _already_claimed(shop: Shop, anna: Customer) -> PaymentPayload:
    payment = _paid(shop, anna)
    assert shop.claim(claim_of(payment)).success
    return payment


def _of_an_unknown_channel(shop: Shop, anna: Customer) -> PaymentPayload:
    payment = _paid(shop, anna)
    payment.payload["channelConfig"]["salt"] = "0x" + "77" * 32
    channel_id = shop.chain.read("channels", "getChannelId", tuple(payment.payload["channelConfig"].values()))
    payment.payload["voucher"]["channelId"] = "0x" + channel_id.hex()
    return _with_voucher(payment, shop, anna.hot_key, PRICE)


def _for_another_channel_than_it_says(shop: Shop, anna: Customer) -> PaymentPayload:
    payment = _paid(shop, anna)
    payment.payload["channelConfig"]["salt"] = "0x" + "77" * 32
    return payment


def _to_another_shop(shop: Shop, anna: Customer) -> PaymentPayload:
    return _opened(Shop(shop.chain, PRICE), anna)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_above_the_balance, errors.ERR_CUMULATIVE_EXCEEDS_BALANCE),
        (_by_a_stranger, errors.ERR_INVALID_VOUCHER_SIGNATURE),
        (_by_the_wallet_itself, errors.ERR_INVALID_VOUCHER_SIGNATURE),
        (_already_claimed, errors.ERR_CUMULATIVE_AMOUNT_BELOW_CLAIMED),
        (_of_an_unknown_channel, errors.ERR_CHANNEL_NOT_FOUND),
        (_for_another_channel_than_it_says, errors.ERR_CHANNEL_ID_MISMATCH),
        (_to_another_shop, errors.ERR_RECEIVER_MISMATCH),
    ],
)
def test_a_bad_voucher_has_the_sdks_own_reason(
    shop: Shop, anna: Customer, make: Callable[[Shop, Customer], PaymentPayload], reason: str
) -> None:
    _opened(shop, anna)
    verified = shop.verify(make(shop, anna))
    assert (verified.is_valid, verified.invalid_reason) == (False, reason)


def test_a_deposit_counts_once(chain: Chain, shop: Shop, anna: Customer) -> None:
    payment = _opened(shop, anna)
    verified = shop.verify(payment)
    assert (verified.is_valid, verified.invalid_reason) == (False, errors.ERR_DEPOSIT_SIMULATION_FAILED)
    answer = shop.settle(payment)
    assert (answer.success, answer.error_reason) == (False, errors.ERR_DEPOSIT_SIMULATION_FAILED)
    assert _channel(chain, payment) == (DEPOSIT, 0)


def test_a_bad_deposit_has_the_sdks_own_reason(chain: Chain, shop: Shop, anna: Customer) -> None:
    good = anna.pay(shop)

    def reason(**changes: Any) -> str | None:
        payment = copy.deepcopy(good)
        payment.payload["deposit"]["authorization"]["erc3009Authorization"] |= changes
        return shop.verify(payment).invalid_reason

    now = int(time.time())
    assert reason(validBefore=str(now + 1)) == errors.ERR_VALID_BEFORE_EXPIRED
    assert reason(validAfter=str(now + 60)) == errors.ERR_VALID_AFTER_IN_FUTURE
    assert reason(salt="0x" + "01" * 32) == errors.ERR_INVALID_RECEIVE_AUTHORIZATION_SIGNATURE
    poor = Customer(chain, DEPOSIT - 1)
    assert shop.verify(poor.pay(shop)).invalid_reason == errors.ERR_INSUFFICIENT_BALANCE
    assert shop.settle(good).success, "the one that they were made from"


def test_bad_claims_and_refunds_have_the_sdks_own_reason(chain: Chain, shop: Shop, anna: Customer) -> None:
    payment = _opened(shop, anna)
    assert shop.claim(claim_of(payment, PRICE + 1)).error_reason == errors.ERR_CLAIM_SIMULATION_FAILED
    forged = claim_of(_with_voucher(payment, shop, Account.create(), PRICE))
    assert shop.claim(forged).error_reason == errors.ERR_CLAIM_SIMULATION_FAILED
    bert = _with_voucher(_opened(shop, Customer(chain, DOLLAR)), shop, Account.create(), PRICE)
    both = shop.claim(claim_of(payment), claim_of(bert))  # the good one is not claimed without the other
    assert both.error_reason == errors.ERR_CLAIM_SIMULATION_FAILED
    other = Shop(chain, PRICE)
    assert other.claim(claim_of(payment)).error_reason == errors.ERR_AUTHORIZER_ADDRESS_MISMATCH
    assert other.refund(payment, PRICE, 0).error_reason == errors.ERR_AUTHORIZER_ADDRESS_MISMATCH
    assert shop.refund(payment, PRICE, 1).error_reason == errors.ERR_REFUND_SIMULATION_FAILED
    assert _channel(chain, payment) == (DEPOSIT, 0)
