"""GiftToken and TestDollar: who may mint, and EIP-2612."""

import pytest
from brownie import GiftToken

from support import DOLLAR, FOREVER, signing
from support.clock import now
from support.errors import reverts_with
from support.events import assert_emitted
from support.packing import word


@pytest.fixture(scope="module")
def own_gift_token(hub, admin):
    """A gift token that an account has deployed, and may therefore mint."""
    return GiftToken.deploy("Gift", "GIFT", 2, {"from": admin})


# ----------------------------------------------------------------- GiftToken


@pytest.mark.parametrize("role", ["admin", "settler", "payer", "stranger"])
def test_nobody_but_the_settlement_contract_mints_or_burns_gift_tokens(gift_token, payer, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("GiftToken_CallerNotMinter", caller):
        gift_token.mintUpTo([word(caller, 1)], {"from": caller})
    with reverts_with("GiftToken_CallerNotMinter", caller):
        gift_token.burn(payer, 1, {"from": caller})


def test_whoever_deploys_a_gift_token_mints_and_burns_it(own_gift_token, admin, payer):
    own_gift_token.mintUpTo([word(payer, 100)], {"from": admin})
    tx = own_gift_token.burn(payer, 40, {"from": admin})
    assert own_gift_token.minter() == admin
    assert own_gift_token.totalSupply() == own_gift_token.balanceOf(payer) == 60
    assert own_gift_token.decimals() == 2
    assert_emitted(tx, "Transfer", **{"from": payer, "to": "0x" + "00" * 20, "value": 40})


# ---------------------------------------------------------------- TestDollar


def test_anyone_draws_test_dollars_from_the_faucet(asset, stranger, payer):
    tx = asset.mint(payer, 1_000_000 * DOLLAR, {"from": stranger})
    assert asset.balanceOf(payer) == 1_000_000 * DOLLAR
    assert_emitted(tx, "Transfer", **{"from": "0x" + "00" * 20, "to": payer, "value": 1_000_000 * DOLLAR})


def test_the_faucet_has_a_limit_for_typing_errors(asset, stranger):
    limit = 1_000_000 * DOLLAR
    assert asset.MAX_MINT() == limit
    with reverts_with("TestDollar_MintTooLarge", limit + 1, limit):
        asset.mint(stranger, limit + 1, {"from": stranger})


def test_the_faucet_serves_many_at_once(asset, payer, merchant, stranger):
    calls = [asset.mint.encode_input(account, DOLLAR) for account in (payer, merchant)]
    asset.multicall(calls, {"from": stranger})
    assert asset.balanceOf(payer) == asset.balanceOf(merchant) == DOLLAR


def test_the_test_dollar_looks_like_a_stablecoin(asset):
    assert (asset.name(), asset.symbol(), asset.decimals()) == ("Test Dollar", "TUSD", 6)


# ------------------------------------------------------------------ EIP-2612


@pytest.fixture(scope="module", params=["asset", "own_gift_token"])
def token(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def permit(token, keys, payer, merchant):
    def permit(deadline, *, signer=payer):
        return signing.split(
            signing.sign(
                keys[signer.address],
                signing.domain_of(token),
                "Permit",
                owner=payer.address,
                spender=merchant.address,
                value=30,
                nonce=token.nonces(payer),
                deadline=deadline,
            )
        )

    return permit


def test_a_permit_gives_an_allowance_once(token, permit, payer, merchant, stranger):
    signature = permit(FOREVER)
    token.permit(payer, merchant, 30, FOREVER, *signature, {"from": stranger})
    assert token.allowance(payer, merchant) == 30
    with reverts_with("ERC2612InvalidSigner"):
        token.permit(payer, merchant, 30, FOREVER, *signature, {"from": stranger})


def test_a_late_permit_is_refused(token, permit, payer, merchant, stranger):
    deadline = now() - 1
    with reverts_with("ERC2612ExpiredSignature", deadline):
        token.permit(payer, merchant, 30, deadline, *permit(deadline), {"from": stranger})


def test_a_strangers_permit_is_refused(token, permit, payer, merchant, stranger):
    with reverts_with("ERC2612InvalidSigner", stranger, payer):
        token.permit(payer, merchant, 30, FOREVER, *permit(FOREVER, signer=stranger), {"from": stranger})
