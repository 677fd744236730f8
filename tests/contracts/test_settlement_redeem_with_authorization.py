"""GiftSettlement.redeemWithAuthorization: a holder pays a merchant with gift tokens by signature."""

import pytest
from brownie import ContractWallet
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, FOREVER, ZERO_ADDRESS, signing
from support.batches import batch
from support.clock import now
from support.errors import reverts_with
from support.events import assert_emitted
from support.merkle import BatchTree

SALT = keccak(text="this payment")


@pytest.fixture(scope="module")
def wallet(module_isolation, payer):
    return ContractWallet.deploy(payer, {"from": payer})


@pytest.fixture(scope="module", autouse=True)
def settled(settlement, asset, settler, payer, wallet):
    """The payer and its contract wallet hold 40 dollars of gift tokens each."""
    asset.mint(settlement, 80 * DOLLAR, {"from": settler})
    tree = BatchTree([(payer, 40 * DOLLAR), (wallet, 40 * DOLLAR)])
    settlement.settle(batch(1, entitled=80 * DOLLAR, tree=tree), b"", [], {"from": settler})
    settlement.claimMany(1, *tree.multiproof([payer, wallet]), {"from": settler})


@pytest.fixture(scope="module")
def sign(settlement, gift_token, keys, payer):
    """The payer's signature over a payment to a merchant."""

    def sign(merchant, amount, *, holder=None, valid_after=0, valid_before=FOREVER):
        return signing.sign(
            keys[payer.address],
            signing.domain_of(gift_token),
            "ReceiveWithAuthorization",
            **{"from": (holder or payer).address, "to": settlement.address, "value": amount},
            validAfter=valid_after,
            validBefore=valid_before,
            nonce=nonce_for(merchant),
        )

    return sign


def nonce_for(merchant):
    return keccak(encode(["address", "bytes32"], [str(merchant), SALT]))


def test_anyone_may_relay_and_the_merchant_is_credited(settlement, asset, gift_token, sign, payer, merchant, stranger):
    signature = sign(merchant, 15 * DOLLAR)

    tx = settlement.redeemWithAuthorization(
        payer, merchant, 15 * DOLLAR, 0, FOREVER, SALT, signature, {"from": stranger}
    )

    assert gift_token.balanceOf(payer) == 25 * DOLLAR
    assert gift_token.balanceOf(settlement) == 0
    assert settlement.credits(merchant) == 15 * DOLLAR
    assert settlement.liabilities() == 80 * DOLLAR
    assert_emitted(tx, "RedeemedToCredit", holder=payer, merchant=merchant, amount=15 * DOLLAR)
    assert_emitted(tx, "AuthorizationUsed", authorizer=payer, nonce=nonce_for(merchant))
    settlement.withdrawCredit(merchant, 15 * DOLLAR, {"from": merchant})
    assert asset.balanceOf(merchant) == 15 * DOLLAR


def test_another_merchant_cannot_steal_the_payment(settlement, sign, payer, merchant, other_merchant):
    signature = sign(merchant, DOLLAR)
    with reverts_with("ERC3009_InvalidSignature", payer):
        settlement.redeemWithAuthorization(
            payer, other_merchant, DOLLAR, 0, FOREVER, SALT, signature, {"from": other_merchant}
        )


def test_a_payment_is_made_once(settlement, sign, payer, merchant):
    terms = (payer, merchant, DOLLAR, 0, FOREVER, SALT, sign(merchant, DOLLAR))
    settlement.redeemWithAuthorization(*terms, {"from": merchant})
    with reverts_with("ERC3009_AuthorizationUsed", payer, nonce_for(merchant)):
        settlement.redeemWithAuthorization(*terms, {"from": merchant})


def test_a_cancelled_payment_is_not_made(settlement, gift_token, sign, keys, payer, merchant):
    cancel = signing.sign(
        keys[payer.address],
        signing.domain_of(gift_token),
        "CancelAuthorization",
        authorizer=payer.address,
        nonce=nonce_for(merchant),
    )
    gift_token.cancelAuthorization(payer, nonce_for(merchant), cancel, {"from": payer})
    with reverts_with("ERC3009_AuthorizationUsed", payer, nonce_for(merchant)):
        settlement.redeemWithAuthorization(
            payer, merchant, DOLLAR, 0, FOREVER, SALT, sign(merchant, DOLLAR), {"from": merchant}
        )


def test_another_amount_than_the_signed_is_refused(settlement, sign, payer, merchant):
    with reverts_with("ERC3009_InvalidSignature", payer):
        settlement.redeemWithAuthorization(
            payer, merchant, 2 * DOLLAR, 0, FOREVER, SALT, sign(merchant, DOLLAR), {"from": merchant}
        )


def test_a_payment_of_nothing_is_refused(settlement, sign, payer, merchant):
    with reverts_with("GiftSettlement_ZeroAmount"):
        settlement.redeemWithAuthorization(payer, merchant, 0, 0, FOREVER, SALT, sign(merchant, 0), {"from": merchant})


def test_a_payment_to_nobody_is_refused(settlement, sign, payer):
    with reverts_with("GiftSettlement_ZeroAddress"):
        settlement.redeemWithAuthorization(
            payer, ZERO_ADDRESS, DOLLAR, 0, FOREVER, SALT, sign(ZERO_ADDRESS, DOLLAR), {"from": payer}
        )


def test_more_than_the_holder_has_is_refused(settlement, sign, payer, merchant):
    amount = 41 * DOLLAR
    with reverts_with("ERC20InsufficientBalance", payer, 40 * DOLLAR, amount):
        settlement.redeemWithAuthorization(
            payer, merchant, amount, 0, FOREVER, SALT, sign(merchant, amount), {"from": merchant}
        )


def test_a_payment_is_made_in_its_time_alone(settlement, sign, payer, merchant):
    later, earlier = now() + 1000, now() - 1
    early = sign(merchant, DOLLAR, valid_after=later)
    with reverts_with("ERC3009_NotYetValid", later):
        settlement.redeemWithAuthorization(payer, merchant, DOLLAR, later, FOREVER, SALT, early, {"from": merchant})
    late = sign(merchant, DOLLAR, valid_before=earlier)
    with reverts_with("ERC3009_Expired", earlier):
        settlement.redeemWithAuthorization(payer, merchant, DOLLAR, 0, earlier, SALT, late, {"from": merchant})


def test_nobody_strands_the_payment_by_using_it_at_the_token(settlement, gift_token, sign, payer, merchant, stranger):
    # Were it possible, the tokens would lie in the reserve and the merchant would have no credit.
    terms = (payer, settlement, DOLLAR, 0, FOREVER, nonce_for(merchant), sign(merchant, DOLLAR))
    with reverts_with("ERC3009_CallerNotPayee", stranger, settlement):
        gift_token.receiveWithAuthorization(*terms, {"from": stranger})
    with reverts_with("ERC3009_InvalidSignature", payer):
        gift_token.transferWithAuthorization(*terms, {"from": stranger})


def test_a_contract_wallet_pays_by_its_owners_signature(settlement, gift_token, sign, wallet, merchant, stranger):
    signature = sign(merchant, DOLLAR, holder=wallet)
    settlement.redeemWithAuthorization(wallet, merchant, DOLLAR, 0, FOREVER, SALT, signature, {"from": stranger})
    assert gift_token.balanceOf(wallet) == 39 * DOLLAR
    assert settlement.credits(merchant) == DOLLAR


def test_tokens_that_lie_in_the_reserve_by_mistake_pay_for_nobody(settlement, gift_token, payer, sign, merchant):
    gift_token.transfer(settlement, 10 * DOLLAR, {"from": payer})
    settlement.redeemWithAuthorization(
        payer, merchant, DOLLAR, 0, FOREVER, SALT, sign(merchant, DOLLAR), {"from": merchant}
    )
    assert gift_token.balanceOf(settlement) == 10 * DOLLAR
    assert settlement.credits(merchant) == DOLLAR
