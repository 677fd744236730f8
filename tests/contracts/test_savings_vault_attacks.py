"""SavingsVault: what has been done to vaults before, and a gift token that calls back."""

import pytest
from brownie import SavingsVault, TrickToken

from support import DOLLAR, FOREVER, signing
from support.clock import travel
from support.errors import reverts_with
from support.savings import DRIP

# -------------------------------------------------------------------- inflation


def test_the_first_saver_cannot_inflate_the_price_by_a_donation(savings, gift_token, payer, other_payer):
    """The classic: one unit in, a large donation, so that the victim's deposit is rounded down to no share."""
    savings.deposit(1, payer, {"from": payer})
    gift_token.transfer(savings, 5_000 * DOLLAR, {"from": payer})

    savings.deposit(1_000 * DOLLAR, other_payer, {"from": other_payer})

    assert savings.maxWithdraw(other_payer) == 1_000 * DOLLAR
    assert savings.maxWithdraw(payer) == 1


def test_not_by_a_donation_that_becomes_a_sponsorship_either(savings, gift_token, payer, other_payer):
    savings.deposit(1, payer, {"from": payer})
    gift_token.transfer(savings, 5_000 * DOLLAR, {"from": payer})
    savings.sponsorSurplus({"from": payer})
    travel(DRIP)  # one unit's shares are too few to make it drip

    savings.deposit(1_000 * DOLLAR, other_payer, {"from": other_payer})

    assert savings.maxWithdraw(other_payer) == 1_000 * DOLLAR
    assert savings.maxWithdraw(payer) == 1


def test_the_price_can_be_inflated_only_by_giving_and_then_robs_nobody(savings, gift_token, payer, other_payer):
    """The attacker's best: alone until its own 9,000 dollars have dripped, and then out but for one share."""
    savings.deposit(DOLLAR, payer, {"from": payer})
    savings.sponsor(9_000 * DOLLAR, {"from": payer})
    travel(DRIP)
    savings.redeem(savings.balanceOf(payer) - 1, payer, payer, {"from": payer})

    savings.deposit(DOLLAR, other_payer, {"from": other_payer})

    assert savings.maxWithdraw(other_payer) >= DOLLAR - 1
    savings.redeem(1, payer, payer, {"from": payer})
    assert gift_token.balanceOf(payer) < 10_000 * DOLLAR


# ------------------------------------------------------------- in and out again


def test_who_comes_for_the_moment_of_a_sponsorship_gets_a_moment_of_it(
    savings, gift_token, payer, other_payer, sponsor
):
    savings.deposit(10 * DOLLAR, payer, {"from": payer})

    came = savings.deposit(9_000 * DOLLAR, other_payer, {"from": other_payer}).timestamp
    savings.sponsor(5_000 * DOLLAR, {"from": sponsor})
    left = savings.redeem(savings.balanceOf(other_payer), other_payer, other_payer, {"from": other_payer}).timestamp

    assert gift_token.balanceOf(other_payer) - 10_000 * DOLLAR <= 5_000 * DOLLAR * (left - came) // DRIP + 1


def test_coming_and_going_pays_nobody(savings, gift_token, payer, other_payer, sponsor):
    savings.deposit(7 * DOLLAR, payer, {"from": payer})
    savings.sponsor(3 * DOLLAR + 1, {"from": sponsor})
    travel(DRIP)
    price = savings.totalAssets() / savings.totalSupply()
    for amount in (1, 2, 3, 999_999, DOLLAR, 17 * DOLLAR + 1):
        savings.deposit(amount, other_payer, {"from": other_payer})
        savings.redeem(savings.balanceOf(other_payer), other_payer, other_payer, {"from": other_payer})
        assert gift_token.balanceOf(other_payer) <= 10_000 * DOLLAR
    assert savings.totalAssets() / savings.totalSupply() >= price


# ------------------------------------------------------------------ a bad token


@pytest.fixture(scope="module")
def token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def trick_vault(token, admin, payer, sponsor):
    """A vault on a token that can call back: the payer has saved 10 of its dollars."""
    vault = SavingsVault.deploy(token, DRIP, "Savings", "S", {"from": admin})
    for holder in (payer, sponsor):
        token.mint(holder, 10**14, {"from": admin})
        token.approve(vault, FOREVER, {"from": holder})
    vault.deposit(10 * DOLLAR, payer, {"from": payer})
    vault.approve(token, FOREVER, {"from": payer})
    return vault


@pytest.fixture(scope="module")
def reentry(trick_vault, payer):
    """Calldata for every function that moves tokens; the token itself may spend the payer's shares."""
    arguments = {
        "deposit": (1, payer),
        "mint": (1, payer),
        "withdraw": (1, payer, payer),
        "redeem": (1, payer, payer),
        "depositWithAuthorization": (payer, payer, 1, 0, FOREVER, bytes(32), b""),
        "sponsor": (1,),
        "sponsorSurplus": (),
    }
    return {name: getattr(trick_vault, name).encode_input(*values) for name, values in arguments.items()}


GUARDED = ["deposit", "mint", "withdraw", "redeem", "depositWithAuthorization", "sponsor", "sponsorSurplus"]


@pytest.mark.parametrize("function", GUARDED)
def test_not_while_tokens_come_or_go(trick_vault, token, reentry, payer, sponsor, function):
    token.setHook(trick_vault, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        trick_vault.deposit(DOLLAR, payer, {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        trick_vault.withdraw(DOLLAR, payer, payer, {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        trick_vault.sponsor(DOLLAR, {"from": sponsor})


def test_not_by_a_signature_either(trick_vault, token, keys, payer):
    terms = {"owner": payer.address, "receiver": payer.address, "shares": 1, "nonce": 0, "deadline": FOREVER}
    signature = signing.sign(keys[payer.address], signing.domain_of(trick_vault), "Redeem", **terms)
    again = trick_vault.redeemWithSignature.encode_input(payer, payer, 1, FOREVER, signature)
    token.setHook(trick_vault, again, {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        trick_vault.deposit(DOLLAR, payer, {"from": payer})


def test_a_token_that_refuses_is_believed(trick_vault, token, payer, sponsor):
    token.setRefuses(True, {"from": payer})
    with reverts_with("SafeERC20FailedOperation", token):
        trick_vault.deposit(DOLLAR, payer, {"from": payer})
    with reverts_with("SafeERC20FailedOperation", token):
        trick_vault.withdraw(DOLLAR, payer, payer, {"from": payer})
    with reverts_with("SafeERC20FailedOperation", token):
        trick_vault.sponsor(DOLLAR, {"from": sponsor})


def test_a_deposit_too_small_for_a_share_is_refused_not_swallowed(trick_vault, payer, sponsor):
    # A share is worth more than a unit once the yield is more than a million times the savings.
    trick_vault.withdraw(9 * DOLLAR, payer, payer, {"from": payer})
    trick_vault.sponsor(5 * 10**6 * DOLLAR, {"from": sponsor})
    travel(DRIP)
    assert trick_vault.previewDeposit(4) == 0
    with reverts_with("SavingsVault_ZeroShares", 4):
        trick_vault.deposit(4, payer, {"from": payer})
    assert trick_vault.deposit.call(6, payer, {"from": payer}) == 1
