"""ERC3009DepositCollector: an authorisation funds the channel that it names, once, and nothing else."""

import pytest
from brownie import ContractWallet, TrickToken
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, FOREVER, signing
from support.clock import now
from support.errors import NO_DATA, reverts_with
from support.events import assert_emitted


@pytest.fixture(scope="module")
def unfunded(new_channel, asset, payer):
    asset.mint(payer, 100 * DOLLAR, {"from": payer})
    return new_channel(0)


def deposit_with(channel, amount, data, sender):
    return channel.channels.deposit(channel.config, amount, channel.collector, data, {"from": sender})


def authorization(channel, amount, valid_after, valid_before, salt=1):
    """(nonce, signature) of the payer's authorisation to the collector."""
    nonce = keccak(encode(["bytes32", "uint256"], [channel.id, salt]))
    signature = signing.sign(
        channel.payer_key,
        signing.domain_of(channel.token),
        "ReceiveWithAuthorization",
        **{"from": channel.payer, "to": channel.collector.address, "value": amount},
        validAfter=valid_after,
        validBefore=valid_before,
        nonce=nonce,
    )
    return nonce, signature


def data_of(valid_after, valid_before, salt, signature):
    return encode(["uint256", "uint256", "uint256", "bytes"], [valid_after, valid_before, salt, signature])


def test_it_knows_its_channels(channels, collector):
    assert collector.channels() == channels


def test_it_pulls_the_deposit_and_keeps_nothing(asset, channels, collector, unfunded, payer):
    tx = unfunded.deposit(60 * DOLLAR, payer)

    nonce, _ = authorization(unfunded, 60 * DOLLAR, 0, FOREVER)
    assert_emitted(tx, "AuthorizationUsed", authorizer=payer, nonce=nonce)
    assert asset.authorizationState(payer, nonce)
    assert asset.balanceOf(collector) == 0
    assert asset.balanceOf(channels) == 60 * DOLLAR


def test_nobody_but_the_channels_may_collect(asset, collector, unfunded, payer, stranger):
    data = unfunded.deposit_data(DOLLAR)
    with reverts_with("DepositCollector_CallerNotChannels", stranger):
        collector.collect(payer, asset, DOLLAR, unfunded.id, data, {"from": stranger})


def test_an_authorization_cannot_fund_another_channel(unfunded, payer, stranger):
    data = unfunded.deposit_data(DOLLAR)
    thief = unfunded.with_(receiver=stranger.address, payer_authorizer=stranger.address)
    with reverts_with("ERC3009_InvalidSignature", payer):
        deposit_with(thief, DOLLAR, data, stranger)


def test_an_authorization_funds_once(unfunded, payer):
    unfunded.deposit(DOLLAR, payer)
    nonce, _ = authorization(unfunded, DOLLAR, 0, FOREVER)
    with reverts_with("ERC3009_AuthorizationUsed", payer, nonce):
        unfunded.deposit(DOLLAR, payer)


def test_another_amount_than_the_authorized_is_refused(unfunded, payer):
    data = unfunded.deposit_data(DOLLAR)
    with reverts_with("ERC3009_InvalidSignature", payer):
        deposit_with(unfunded, 2 * DOLLAR, data, payer)


def test_a_strangers_signature_is_refused(unfunded, payer, keys, stranger):
    data = unfunded.with_(payer_key=keys[stranger.address]).deposit_data(DOLLAR)
    with reverts_with("ERC3009_InvalidSignature", payer):
        deposit_with(unfunded, DOLLAR, data, payer)


def test_a_malleated_signature_is_refused(unfunded, payer):
    _, signature = authorization(unfunded, DOLLAR, 0, FOREVER)
    data = data_of(0, FOREVER, 1, signing.malleated(signature))
    with reverts_with("ERC3009_InvalidSignature", payer):
        deposit_with(unfunded, DOLLAR, data, payer)


def test_an_authorization_is_not_taken_before_its_time(unfunded, payer):
    later = now() + 1000
    _, signature = authorization(unfunded, DOLLAR, later, FOREVER)
    with reverts_with("ERC3009_NotYetValid", later):
        deposit_with(unfunded, DOLLAR, data_of(later, FOREVER, 1, signature), payer)


def test_an_authorization_is_not_taken_after_its_time(unfunded, payer):
    earlier = now() - 1
    _, signature = authorization(unfunded, DOLLAR, 0, earlier)
    with reverts_with("ERC3009_Expired", earlier):
        deposit_with(unfunded, DOLLAR, data_of(0, earlier, 1, signature), payer)


def test_more_than_the_payer_has_is_refused(unfunded, payer):
    with reverts_with("ERC20InsufficientBalance", payer, 100 * DOLLAR, 101 * DOLLAR):
        unfunded.deposit(101 * DOLLAR, payer)


def test_data_of_another_shape_is_refused(unfunded, payer):
    with reverts_with(NO_DATA):
        deposit_with(unfunded, DOLLAR, b"\x01", payer)


def test_nobody_can_use_the_authorization_at_the_token_itself(asset, collector, unfunded, payer, stranger):
    nonce, signature = authorization(unfunded, DOLLAR, 0, FOREVER)
    terms = (payer, collector, DOLLAR, 0, FOREVER, nonce, signature)
    with reverts_with("ERC3009_CallerNotPayee", stranger, collector):
        asset.receiveWithAuthorization(*terms, {"from": stranger})
    with reverts_with("ERC3009_InvalidSignature", payer):
        asset.transferWithAuthorization(*terms, {"from": stranger})


def test_what_was_left_with_the_collector_goes_to_the_next_deposit(asset, collector, unfunded, payer):
    asset.transfer(collector, 3 * DOLLAR, {"from": payer})

    unfunded.deposit(10 * DOLLAR, payer)

    assert unfunded.state == (13 * DOLLAR, 0)
    assert asset.balanceOf(collector) == 0


def test_a_token_that_refuses_to_move_reverts_the_deposit(new_channel, admin, payer):
    token = TrickToken.deploy({"from": admin})
    token.mint(payer, DOLLAR, {"from": payer})
    token.setRefuses(True, {"from": payer})
    with reverts_with("SafeERC20FailedOperation", token):
        new_channel(0, token=token).deposit(DOLLAR, payer)


def test_a_contract_wallet_deposits_by_its_owners_signature(new_channel, keys, payer, relayer):
    wallet = ContractWallet.deploy(payer, {"from": payer})

    channel = new_channel(50 * DOLLAR, payer=wallet.address, payer_key=keys[payer.address])

    assert channel.state == (50 * DOLLAR, 0)


def test_a_contract_wallet_that_refuses_deposits_nothing(asset, new_channel, keys, payer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    asset.mint(wallet, DOLLAR, {"from": payer})
    wallet.setAnswer(1, {"from": payer})
    channel = new_channel(0, payer=wallet.address, payer_key=keys[payer.address])
    with reverts_with("ERC3009_InvalidSignature", wallet):
        channel.deposit(DOLLAR, payer)
