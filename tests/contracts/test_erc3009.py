"""ERC3009 as our two tokens have it: transfers by signature, in both signature forms."""

import pytest
from brownie import ContractWallet, GiftToken, TestDollar, chain
from eth_utils import keccak

from support import FOREVER, ZERO_ADDRESS, signing
from support.clock import now, travel_to
from support.errors import reverts_with
from support.events import assert_emitted
from support.packing import word

NONCE = keccak(text="one payment")


@pytest.fixture(scope="module", params=["TestDollar", "GiftToken"])
def token(request, hub, admin, payer):
    """A token of each kind, of which the payer has 100."""
    if request.param == "TestDollar":
        token = TestDollar.deploy({"from": admin})
        token.mint(payer, 100, {"from": admin})
    else:
        token = GiftToken.deploy("Gift", "GIFT", 6, {"from": admin})
        token.mintUpTo([word(payer, 100)], {"from": admin})
    return token


@pytest.fixture(scope="module")
def sign(token, keys, payer, stranger):
    """The payer's signature over a transfer of 30 to the stranger; with what it is a signature of, changed or not."""

    def sign(kind="TransferWithAuthorization", *, key=None, domain=None, **changes):
        message = {"from": payer.address, "to": stranger.address, "value": 30, "nonce": NONCE}
        message |= {"validAfter": 0, "validBefore": FOREVER} | changes
        return signing.sign(key or keys[payer.address], domain or signing.domain_of(token), kind, **message)

    return sign


@pytest.fixture(scope="module")
def cancel_signature(token, keys, payer):
    return signing.sign(
        keys[payer.address],
        signing.domain_of(token),
        "CancelAuthorization",
        authorizer=payer.address,
        nonce=NONCE,
    )


@pytest.fixture(scope="module", params=["one piece", "v, r, s"])
def form(request):
    """The arguments that carry a signature, in each of the two forms."""
    return (lambda signature: (signature,)) if request.param == "one piece" else signing.split


# -------------------------------------------------------------------- transfer


def test_anyone_may_relay_a_transfer(token, sign, form, payer, stranger, relayer):
    tx = token.transferWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *form(sign()), {"from": relayer})

    assert token.balanceOf(stranger) == 30
    assert token.balanceOf(payer) == 70
    assert token.authorizationState(payer, NONCE)
    assert_emitted(tx, "AuthorizationUsed", authorizer=payer, nonce=NONCE)
    assert_emitted(tx, "Transfer", **{"from": payer, "to": stranger, "value": 30})


def test_a_nonce_is_used_once(token, sign, form, payer, stranger, relayer):
    terms = (payer, stranger, 30, 0, FOREVER, NONCE)
    token.transferWithAuthorization(*terms, *form(sign()), {"from": relayer})
    with reverts_with("ERC3009_AuthorizationUsed", payer, NONCE):
        token.transferWithAuthorization(*terms, *form(sign()), {"from": relayer})


def test_nonces_need_no_order(token, sign, payer, stranger, relayer):
    for nonce in (b"\xff" * 32, bytes(32), NONCE):
        token.transferWithAuthorization(payer, stranger, 30, 0, FOREVER, nonce, sign(nonce=nonce), {"from": relayer})
    assert token.balanceOf(stranger) == 90


@pytest.mark.parametrize("changed", ["to", "value", "validAfter", "validBefore", "nonce", "key", "chain", "contract"])
def test_what_was_not_signed_is_refused(token, sign, form, keys, hub, payer, stranger, relayer, changed):
    elsewhere = {
        "key": {"key": keys[stranger.address]},
        "chain": {"domain": signing.domain_of(token, chain_id=chain.id + 1)},
        "contract": {"domain": signing.domain_of(hub.channels)},
        "to": {"to": relayer.address},
        "nonce": {"nonce": bytes(32)},
    }
    signature = sign(**elsewhere.get(changed, {changed: 1}))
    with reverts_with("ERC3009_InvalidSignature", payer):
        token.transferWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *form(signature), {"from": relayer})


def test_a_malleated_signature_is_refused(token, sign, form, payer, stranger, relayer):
    signature = signing.malleated(sign())
    with reverts_with("ERC3009_InvalidSignature", payer):
        token.transferWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *form(signature), {"from": relayer})


def test_junk_never_moves_the_zero_addresss_tokens(token, form, stranger, relayer):
    # ecrecover answers zero to junk: it must not pass for the zero address's own signature.
    with reverts_with("ERC3009_InvalidSignature", ZERO_ADDRESS):
        token.transferWithAuthorization(
            ZERO_ADDRESS, stranger, 0, 0, FOREVER, NONCE, *form(bytes(65)), {"from": relayer}
        )


def test_more_than_the_payer_has_is_refused(token, sign, form, payer, stranger, relayer):
    with reverts_with("ERC20InsufficientBalance", payer, 100, 101):
        token.transferWithAuthorization(
            payer, stranger, 101, 0, FOREVER, NONCE, *form(sign(value=101)), {"from": relayer}
        )


def test_it_holds_after_valid_after_and_before_valid_before(token, sign, form, payer, stranger, relayer):
    start = now() + 100
    end = start + 10
    signature = form(sign(validAfter=start, validBefore=end))
    terms = (payer, stranger, 30, start, end, NONCE, *signature)

    travel_to(start)  # both ends are excluded
    with reverts_with("ERC3009_NotYetValid", start):
        token.transferWithAuthorization(*terms, {"from": relayer})
    travel_to(end)
    with reverts_with("ERC3009_Expired", end):
        token.transferWithAuthorization(*terms, {"from": relayer})


def test_in_between_it_goes_through(token, sign, form, payer, stranger, relayer):
    start = now() + 100
    end = start + 1000
    signature = form(sign(validAfter=start, validBefore=end))
    travel_to(start + 1)
    token.transferWithAuthorization(payer, stranger, 30, start, end, NONCE, *signature, {"from": relayer})
    assert token.balanceOf(stranger) == 30


# --------------------------------------------------------------------- receive


def test_the_payee_pulls_what_was_signed_for_it(token, sign, form, payer, stranger):
    signature = form(sign("ReceiveWithAuthorization"))
    tx = token.receiveWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *signature, {"from": stranger})
    assert token.balanceOf(stranger) == 30
    assert_emitted(tx, "AuthorizationUsed", authorizer=payer, nonce=NONCE)


def test_nobody_else_may_pull_it(token, sign, form, payer, stranger, relayer):
    signature = form(sign("ReceiveWithAuthorization"))
    with reverts_with("ERC3009_CallerNotPayee", relayer, stranger):
        token.receiveWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *signature, {"from": relayer})


def test_the_two_kinds_of_authorization_do_not_stand_in_for_each_other(token, sign, form, payer, stranger):
    terms = (payer, stranger, 30, 0, FOREVER, NONCE)
    with reverts_with("ERC3009_InvalidSignature", payer):
        token.transferWithAuthorization(*terms, *form(sign("ReceiveWithAuthorization")), {"from": stranger})
    with reverts_with("ERC3009_InvalidSignature", payer):
        token.receiveWithAuthorization(*terms, *form(sign("TransferWithAuthorization")), {"from": stranger})


def test_the_two_kinds_share_their_nonces(token, sign, form, payer, stranger):
    terms = (payer, stranger, 30, 0, FOREVER, NONCE)
    token.receiveWithAuthorization(*terms, *form(sign("ReceiveWithAuthorization")), {"from": stranger})
    with reverts_with("ERC3009_AuthorizationUsed", payer, NONCE):
        token.transferWithAuthorization(*terms, *form(sign()), {"from": stranger})


# ---------------------------------------------------------------------- cancel


def test_a_cancelled_nonce_moves_nothing(token, sign, form, cancel_signature, payer, stranger, relayer):
    tx = token.cancelAuthorization(payer, NONCE, *form(cancel_signature), {"from": relayer})

    assert_emitted(tx, "AuthorizationCanceled", authorizer=payer, nonce=NONCE)
    assert token.authorizationState(payer, NONCE)
    with reverts_with("ERC3009_AuthorizationUsed", payer, NONCE):
        token.transferWithAuthorization(payer, stranger, 30, 0, FOREVER, NONCE, *form(sign()), {"from": relayer})


def test_what_is_used_or_cancelled_is_not_cancelled(token, form, cancel_signature, payer, relayer):
    token.cancelAuthorization(payer, NONCE, *form(cancel_signature), {"from": relayer})
    with reverts_with("ERC3009_AuthorizationUsed", payer, NONCE):
        token.cancelAuthorization(payer, NONCE, *form(cancel_signature), {"from": relayer})


def test_nobody_cancels_for_somebody_else(token, form, cancel_signature, stranger):
    with reverts_with("ERC3009_InvalidSignature", stranger):
        token.cancelAuthorization(stranger, NONCE, *form(cancel_signature), {"from": stranger})


# ------------------------------------------------------------- contract wallets


def test_a_contract_wallet_pays_by_its_owners_signature(token, sign, payer, stranger, relayer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    token.transfer(wallet, 30, {"from": payer})
    signature = sign(**{"from": wallet.address})

    token.transferWithAuthorization(wallet, stranger, 30, 0, FOREVER, NONCE, signature, {"from": relayer})

    assert token.balanceOf(stranger) == 30


def test_a_contract_wallet_that_refuses_pays_nothing(token, sign, payer, stranger, relayer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    token.transfer(wallet, 30, {"from": payer})
    wallet.setAnswer(1, {"from": payer})
    with reverts_with("ERC3009_InvalidSignature", wallet):
        token.transferWithAuthorization(
            wallet, stranger, 30, 0, FOREVER, NONCE, sign(**{"from": wallet.address}), {"from": relayer}
        )


def test_the_tokens_tell_their_eip_712_domain(token):
    domain = signing.domain_of(token)
    assert (domain["name"], domain["version"]) == (token.name(), token.version())
    assert token.version() == "1"
