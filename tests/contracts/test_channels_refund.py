"""PaymentChannels.refund and refundWithSignature: the receiver's side gives unclaimed money back to the payer."""

import pytest
from brownie import ContractWallet, TrickToken, chain

from support import DOLLAR, ZERO_ADDRESS, signing
from support.clock import travel
from support.errors import reverts_with
from support.events import assert_emitted


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def sign(channels, keys, authorizer):
    """Sign a refund as the authorizer, unless another key or domain is given."""

    def sign(channel, amount, nonce, *, key=None, domain=None):
        domain = domain or signing.domain_of(channels)
        message = {"channelId": channel.id, "nonce": nonce, "amount": amount}
        return signing.sign(key or keys[authorizer.address], domain, "Refund", **message)

    return sign


# -------------------------------------------------------------------- refund


@pytest.mark.parametrize("role", ["merchant", "authorizer"])
def test_receiver_and_authorizer_give_money_back_to_the_payer(channels, asset, channel, payer, request, role):
    receiver_side = request.getfixturevalue(role)

    tx = channels.refund(channel.config, 30 * DOLLAR, {"from": receiver_side})

    assert asset.balanceOf(payer) == 30 * DOLLAR
    assert channel.state == (70 * DOLLAR, 0)
    assert_emitted(
        tx,
        "Refunded",
        channelId=channel.id,
        receiver=channel.receiver,
        amount=30 * DOLLAR,
        balance=70 * DOLLAR,
    )


@pytest.mark.parametrize("role", ["payer", "stranger"])
def test_nobody_else_may_refund(channels, channel, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("PaymentChannels_CallerNotReceiver", channel.id, caller):
        channels.refund(channel.config, DOLLAR, {"from": caller})


def test_a_refund_of_nothing_is_refused(channels, channel, merchant):
    with reverts_with("PaymentChannels_ZeroAmount"):
        channels.refund(channel.config, 0, {"from": merchant})


def test_a_refund_of_more_than_is_left_gives_what_is_left(channels, asset, channel, merchant, payer):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    channels.refund(channel.config, 2**128 - 1, {"from": merchant})

    assert asset.balanceOf(payer) == 70 * DOLLAR
    assert channel.state == (30 * DOLLAR, 30 * DOLLAR)


def test_claimed_money_is_not_refunded(channels, asset, channel, merchant):
    channels.claim([channel.claim(100 * DOLLAR)], {"from": merchant})
    with reverts_with("PaymentChannels_NothingAvailable", channel.id):
        channels.refund(channel.config, 1, {"from": merchant})

    channels.settle(merchant, asset, {"from": merchant})

    assert asset.balanceOf(merchant) == 100 * DOLLAR


def test_after_a_refund_older_vouchers_claim_up_to_what_is_left(channels, channel, merchant):
    channels.refund(channel.config, 80 * DOLLAR, {"from": merchant})
    with reverts_with("PaymentChannels_ClaimExceedsBalance", channel.id, 30 * DOLLAR, 20 * DOLLAR):
        channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    channels.claim([channel.claim(20 * DOLLAR, voucher=30 * DOLLAR)], {"from": merchant})

    assert channel.state == (20 * DOLLAR, 20 * DOLLAR)


def test_a_token_that_refuses_to_pay_reverts_the_refund(channels, new_channel, admin, merchant):
    token = TrickToken.deploy({"from": admin})
    channel = new_channel(token=token)
    token.setRefuses(True, {"from": admin})
    with reverts_with("SafeERC20FailedOperation", token):
        channels.refund(channel.config, DOLLAR, {"from": merchant})


# -------------------------------------------------- beside a pending withdrawal


def test_a_refund_shrinks_a_pending_withdrawal(channels, asset, channel, payer, merchant):
    channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})

    channels.refund(channel.config, 20 * DOLLAR, {"from": merchant})

    assert channel.pending == 40 * DOLLAR
    travel(channel.delay)
    channels.finalizeWithdraw(channel.config, {"from": payer})
    assert asset.balanceOf(payer) == 60 * DOLLAR
    assert channel.state == (40 * DOLLAR, 0)


@pytest.mark.parametrize("amount", [60 * DOLLAR, 61 * DOLLAR, 100 * DOLLAR])
def test_a_refund_that_covers_it_ends_a_pending_withdrawal(channels, asset, channel, payer, merchant, amount):
    channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})

    channels.refund(channel.config, amount, {"from": merchant})

    assert asset.balanceOf(payer) == amount
    travel(channel.delay)
    with reverts_with("PaymentChannels_NoPendingWithdrawal", channel.id):
        channels.finalizeWithdraw(channel.config, {"from": payer})


# -------------------------------------------------------- refundWithSignature


def test_anyone_may_relay_a_signed_refund(channels, asset, channel, sign, payer, merchant, stranger):
    signature = sign(channel, 30 * DOLLAR, 0)

    tx = channels.refundWithSignature(channel.config, 30 * DOLLAR, 0, signature, {"from": stranger})

    assert asset.balanceOf(payer) == 30 * DOLLAR
    assert channels.refundNonce(channel.id) == 1
    assert_emitted(tx, "Refunded", channelId=channel.id, receiver=merchant, amount=30 * DOLLAR, balance=70 * DOLLAR)


def test_a_signed_refund_is_used_once(channels, channel, sign, stranger):
    signature = sign(channel, 30 * DOLLAR, 0)
    channels.refundWithSignature(channel.config, 30 * DOLLAR, 0, signature, {"from": stranger})
    with reverts_with("PaymentChannels_InvalidRefundNonce", channel.id, 0, 1):
        channels.refundWithSignature(channel.config, 30 * DOLLAR, 0, signature, {"from": stranger})
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.refundWithSignature(channel.config, 30 * DOLLAR, 1, signature, {"from": stranger})


def test_signed_refunds_go_in_order(channels, channel, sign, stranger):
    second = sign(channel, DOLLAR, 1)
    with reverts_with("PaymentChannels_InvalidRefundNonce", channel.id, 1, 0):
        channels.refundWithSignature(channel.config, DOLLAR, 1, second, {"from": stranger})
    channels.refundWithSignature(channel.config, DOLLAR, 0, sign(channel, DOLLAR, 0), {"from": stranger})
    channels.refundWithSignature(channel.config, DOLLAR, 1, second, {"from": stranger})
    assert channel.state == (98 * DOLLAR, 0)


def test_every_channel_counts_its_own_refunds(channels, channel, new_channel, sign, stranger):
    channels.refundWithSignature(channel.config, DOLLAR, 0, sign(channel, DOLLAR, 0), {"from": stranger})
    other = new_channel(salt=2)
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.refundWithSignature(other.config, DOLLAR, 0, sign(channel, DOLLAR, 0), {"from": stranger})
    channels.refundWithSignature(other.config, DOLLAR, 0, sign(other, DOLLAR, 0), {"from": stranger})
    assert other.state == (99 * DOLLAR, 0)


@pytest.mark.parametrize("role", ["merchant", "payer", "stranger"])
def test_nobody_else_signs_a_refund_for_the_authorizer(channels, channel, sign, keys, stranger, request, role):
    signature = sign(channel, DOLLAR, 0, key=keys[request.getfixturevalue(role).address])
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.refundWithSignature(channel.config, DOLLAR, 0, signature, {"from": stranger})


def test_a_refund_of_another_amount_or_chain_is_refused(channels, channel, sign, stranger):
    elsewhere = signing.domain_of(channels, chain_id=chain.id + 1)
    for signature in (sign(channel, 2 * DOLLAR, 0), sign(channel, DOLLAR, 0, domain=elsewhere), b"", bytes(65)):
        with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
            channels.refundWithSignature(channel.config, DOLLAR, 0, signature, {"from": stranger})


def test_a_channel_without_an_authorizer_is_not_refunded_by_signature(channels, new_channel, sign, stranger):
    channel = new_channel(receiver_authorizer=ZERO_ADDRESS)
    for signature in (sign(channel, DOLLAR, 0), bytes(65)):
        with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
            channels.refundWithSignature(channel.config, DOLLAR, 0, signature, {"from": stranger})


def test_a_signed_refund_of_nothing_is_refused(channels, channel, sign, stranger):
    with reverts_with("PaymentChannels_ZeroAmount"):
        channels.refundWithSignature(channel.config, 0, 0, sign(channel, 0, 0), {"from": stranger})


def test_a_contract_wallet_may_authorize_a_refund(channels, new_channel, sign, keys, admin, stranger):
    wallet = ContractWallet.deploy(admin, {"from": admin})
    channel = new_channel(receiver_authorizer=wallet.address)
    signature = sign(channel, DOLLAR, 0, key=keys[admin.address])

    channels.refundWithSignature(channel.config, DOLLAR, 0, signature, {"from": stranger})

    assert channel.state == (99 * DOLLAR, 0)
