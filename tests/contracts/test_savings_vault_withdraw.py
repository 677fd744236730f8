"""SavingsVault: withdrawals, by signature and by allowance too."""

import pytest
from brownie import ContractWallet

from support import DOLLAR, FOREVER, ZERO_ADDRESS, signing
from support.clock import now
from support.errors import reverts_with
from support.events import assert_emitted
from support.savings import VIRTUAL_SHARES

SHARES = 100 * DOLLAR * VIRTUAL_SHARES


@pytest.fixture(scope="module", autouse=True)
def saved(savings, payer, other_payer):
    """Each of the two savers has 100 dollars in the vault."""
    for saver in (payer, other_payer):
        savings.deposit(100 * DOLLAR, saver, {"from": saver})


# ----------------------------------------------------------------- withdrawals


def test_a_saver_withdraws_an_amount_to_anyone(savings, gift_token, payer, stranger):
    tx = savings.withdraw(40 * DOLLAR, stranger, payer, {"from": payer})

    shares = 40 * DOLLAR * VIRTUAL_SHARES
    assert tx.return_value == shares
    assert savings.balanceOf(payer) == SHARES - shares
    assert savings.totalAssets() == gift_token.balanceOf(savings) == 160 * DOLLAR
    assert gift_token.balanceOf(stranger) == 40 * DOLLAR
    assert_emitted(tx, "Withdraw", sender=payer, receiver=stranger, owner=payer, assets=40 * DOLLAR, shares=shares)


def test_a_saver_redeems_shares(savings, gift_token, payer):
    tx = savings.redeem(SHARES, payer, payer, {"from": payer})
    assert tx.return_value == 100 * DOLLAR
    assert gift_token.balanceOf(payer) == 10_000 * DOLLAR
    assert savings.balanceOf(payer) == savings.maxWithdraw(payer) == savings.maxRedeem(payer) == 0


def test_shares_change_hands_and_the_holder_redeems(savings, gift_token, payer, stranger):
    savings.transfer(stranger, SHARES, {"from": payer})
    savings.redeem(SHARES, stranger, stranger, {"from": stranger})
    assert gift_token.balanceOf(stranger) == 100 * DOLLAR


def test_more_than_the_saver_has_is_refused(savings, payer):
    with reverts_with("ERC4626ExceededMaxWithdraw", payer, 100 * DOLLAR + 1, 100 * DOLLAR):
        savings.withdraw(100 * DOLLAR + 1, payer, payer, {"from": payer})
    with reverts_with("ERC4626ExceededMaxRedeem", payer, SHARES + 1, SHARES):
        savings.redeem(SHARES + 1, payer, payer, {"from": payer})


def test_nobody_else_withdraws(savings, payer, other_payer, admin, settler, stranger):
    for caller in (other_payer, admin, settler, stranger):
        with reverts_with("ERC20InsufficientAllowance", caller, 0, VIRTUAL_SHARES):
            savings.withdraw(1, caller, payer, {"from": caller})
        with reverts_with("ERC20InsufficientAllowance", caller, 0, 1):
            savings.redeem(1, caller, payer, {"from": caller})


def test_an_allowance_is_spent_in_shares(savings, gift_token, payer, stranger):
    savings.approve(stranger, SHARES // 2, {"from": payer})
    savings.withdraw(10 * DOLLAR, stranger, payer, {"from": stranger})
    savings.redeem(SHARES // 10, stranger, payer, {"from": stranger})
    assert savings.allowance(payer, stranger) == SHARES // 2 - 2 * (SHARES // 10)
    assert gift_token.balanceOf(stranger) == 20 * DOLLAR


def test_withdrawing_nothing_does_nothing(savings, payer, stranger):
    for saver in (payer, stranger):
        savings.withdraw(0, saver, saver, {"from": saver})
        savings.redeem(0, saver, saver, {"from": saver})
    assert savings.totalAssets() == 200 * DOLLAR


def test_shares_in_the_vaults_own_hands_are_out_of_reach(savings, payer, stranger):
    savings.transfer(savings, SHARES, {"from": payer})
    with reverts_with("ERC20InsufficientAllowance", stranger, 0, SHARES):
        savings.redeem(SHARES, stranger, savings, {"from": stranger})


# ---------------------------------------------------------------------- permit


def test_a_permit_gives_an_allowance_over_shares(savings, gift_token, keys, payer, relayer):
    terms = {"owner": payer.address, "spender": relayer.address, "value": SHARES, "nonce": 0, "deadline": FOREVER}
    signature = signing.sign(keys[payer.address], signing.domain_of(savings), "Permit", **terms)
    savings.permit(payer, relayer, SHARES, FOREVER, *signing.split(signature), {"from": relayer})
    savings.redeem(SHARES, payer, payer, {"from": relayer})
    assert gift_token.balanceOf(payer) == 10_000 * DOLLAR


# -------------------------------------------------------- withdrawal by signature


@pytest.fixture(scope="module")
def sign(savings, keys, payer):
    """The payer's signature over a redemption to a receiver."""

    def sign(receiver, shares, *, owner=payer, nonce=0, deadline=FOREVER, signer=payer):
        return signing.sign(
            keys[signer.address],
            signing.domain_of(savings),
            "Redeem",
            owner=owner.address,
            receiver=str(receiver),
            shares=shares,
            nonce=nonce,
            deadline=deadline,
        )

    return sign


def test_anyone_may_relay_a_redemption(savings, gift_token, sign, payer, stranger, relayer):
    signature = sign(stranger, SHARES)

    tx = savings.redeemWithSignature(payer, stranger, SHARES, FOREVER, signature, {"from": relayer})

    assert tx.return_value == gift_token.balanceOf(stranger) == 100 * DOLLAR
    assert savings.balanceOf(payer) == 0
    assert savings.nonces(payer) == 1
    assert_emitted(tx, "Withdraw", sender=payer, receiver=stranger, owner=payer, assets=100 * DOLLAR, shares=SHARES)


def test_the_relayer_cannot_pay_itself(savings, sign, payer, relayer):
    with reverts_with("SavingsVault_InvalidSignature", payer):
        savings.redeemWithSignature(payer, relayer, SHARES, FOREVER, sign(payer, SHARES), {"from": relayer})


def test_other_terms_than_the_signed_are_refused(savings, sign, payer, other_payer, relayer):
    signature = sign(payer, SHARES)
    for terms in ((payer, payer, SHARES - 1, FOREVER), (payer, payer, SHARES, FOREVER - 1)):
        with reverts_with("SavingsVault_InvalidSignature", payer):
            savings.redeemWithSignature(*terms, signature, {"from": relayer})
    with reverts_with("SavingsVault_InvalidSignature", other_payer):
        savings.redeemWithSignature(other_payer, payer, SHARES, FOREVER, signature, {"from": relayer})


def test_anothers_signature_is_refused(savings, sign, payer, stranger):
    forged = sign(stranger, SHARES, signer=stranger)
    with reverts_with("SavingsVault_InvalidSignature", payer):
        savings.redeemWithSignature(payer, stranger, SHARES, FOREVER, forged, {"from": stranger})


def test_a_signature_redeems_once(savings, sign, payer, relayer):
    terms = (payer, payer, SHARES // 2, FOREVER, sign(payer, SHARES // 2))
    savings.redeemWithSignature(*terms, {"from": relayer})
    with reverts_with("SavingsVault_InvalidSignature", payer):
        savings.redeemWithSignature(*terms, {"from": relayer})


def test_a_late_redemption_is_refused(savings, sign, payer, relayer):
    deadline = now() - 1
    with reverts_with("SavingsVault_Expired", deadline):
        savings.redeemWithSignature(
            payer, payer, SHARES, deadline, sign(payer, SHARES, deadline=deadline), {"from": relayer}
        )
    # In its last second it goes through: what is simulated runs at the latest block's time.
    signature = sign(payer, SHARES, deadline=now())
    assert savings.redeemWithSignature.call(payer, payer, SHARES, now(), signature, {"from": relayer}) == 100 * DOLLAR


def test_more_than_the_signer_has_is_refused(savings, sign, payer, relayer):
    # Others' shares are there to be burned, but not for this signature.
    signature = sign(payer, SHARES + 1)
    with reverts_with("ERC4626ExceededMaxRedeem", payer, SHARES + 1, SHARES):
        savings.redeemWithSignature(payer, payer, SHARES + 1, FOREVER, signature, {"from": relayer})


def test_a_redemption_to_nobody_is_refused(savings, sign, payer, relayer):
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        savings.redeemWithSignature(payer, ZERO_ADDRESS, SHARES, FOREVER, sign(ZERO_ADDRESS, SHARES), {"from": relayer})


def test_a_contract_wallet_redeems_by_its_owners_signature(savings, gift_token, sign, payer, stranger, relayer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    savings.transfer(wallet, SHARES, {"from": payer})
    signature = sign(stranger, SHARES, owner=wallet)
    savings.redeemWithSignature(wallet, stranger, SHARES, FOREVER, signature, {"from": relayer})
    assert gift_token.balanceOf(stranger) == 100 * DOLLAR


def test_a_redemption_for_another_vault_is_refused(savings, sign, keys, payer, relayer):
    domain = {**signing.domain_of(savings), "verifyingContract": relayer.address}
    terms = {"owner": payer.address, "receiver": payer.address, "shares": SHARES, "nonce": 0, "deadline": FOREVER}
    signature = signing.sign(keys[payer.address], domain, "Redeem", **terms)
    with reverts_with("SavingsVault_InvalidSignature", payer):
        savings.redeemWithSignature(payer, payer, SHARES, FOREVER, signature, {"from": relayer})
