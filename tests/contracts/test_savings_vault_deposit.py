"""SavingsVault: construction, deposits, and deposits by signature."""

import pytest
from brownie import ContractWallet, SavingsVault
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, FOREVER, ZERO_ADDRESS, signing
from support.clock import now
from support.errors import reverts_with
from support.events import assert_emitted, emitted
from support.savings import DRIP, VIRTUAL_SHARES

SALT = keccak(text="this deposit")
MOST = 2**128 - 1

# --------------------------------------------------------------- construction


def test_it_knows_its_token_and_starts_empty(vault, gift_token):
    assert vault.asset() == gift_token
    assert vault.decimals() == gift_token.decimals() + 6
    assert vault.dripDuration() == DRIP
    assert (vault.totalSupply(), vault.totalAssets(), vault.undripped(), vault.dripTimeLeft()) == (0, 0, 0, 0)


def test_it_is_not_made_without_a_token_or_a_duration(gift_token, admin):
    with reverts_with("SavingsVault_ZeroAddress"):
        SavingsVault.deploy(ZERO_ADDRESS, DRIP, "Savings", "S", {"from": admin})
    with reverts_with("SavingsVault_ZeroDuration"):
        SavingsVault.deploy(gift_token, 0, "Savings", "S", {"from": admin})


# ------------------------------------------------------------------- deposits


def test_a_deposit_is_worth_what_was_put_in(savings, gift_token, payer):
    tx = savings.deposit(5 * DOLLAR, payer, {"from": payer})

    shares = 5 * DOLLAR * VIRTUAL_SHARES
    assert tx.return_value == shares == savings.balanceOf(payer) == savings.totalSupply()
    assert savings.totalAssets() == gift_token.balanceOf(savings) == 5 * DOLLAR
    assert savings.convertToAssets(shares) == savings.maxWithdraw(payer) == 5 * DOLLAR
    assert_emitted(tx, "Deposit", sender=payer, owner=payer, assets=5 * DOLLAR, shares=shares)


def test_a_deposit_for_another_is_the_others(savings, gift_token, payer, other_payer):
    savings.deposit(5 * DOLLAR, other_payer, {"from": payer})
    assert savings.balanceOf(payer) == 0
    assert savings.maxWithdraw(other_payer) == 5 * DOLLAR
    assert gift_token.balanceOf(payer) == 9_995 * DOLLAR


def test_shares_are_minted_by_number(savings, gift_token, payer, other_payer):
    tx = savings.mint(3 * DOLLAR * VIRTUAL_SHARES + 1, other_payer, {"from": payer})
    # The millionth unit beyond three dollars costs a whole one.
    assert tx.return_value == savings.totalAssets() == gift_token.balanceOf(savings) == 3 * DOLLAR + 1
    assert savings.balanceOf(other_payer) == 3 * DOLLAR * VIRTUAL_SHARES + 1


def test_two_savers_get_shares_in_proportion(savings, payer, other_payer):
    savings.deposit(5 * DOLLAR, payer, {"from": payer})
    savings.deposit(15 * DOLLAR, other_payer, {"from": other_payer})
    assert savings.balanceOf(other_payer) == 3 * savings.balanceOf(payer)


def test_nothing_is_deposited_without_an_allowance(savings, gift_token, payer):
    gift_token.approve(savings, DOLLAR - 1, {"from": payer})
    with reverts_with("ERC20InsufficientAllowance", savings, DOLLAR - 1, DOLLAR):
        savings.deposit(DOLLAR, payer, {"from": payer})
    with reverts_with("ERC20InsufficientAllowance", savings, DOLLAR - 1, DOLLAR):
        savings.mint(DOLLAR * VIRTUAL_SHARES, payer, {"from": payer})


def test_a_deposit_of_nothing_is_refused(savings, payer):
    with reverts_with("SavingsVault_ZeroShares", 0):
        savings.deposit(0, payer, {"from": payer})
    with reverts_with("SavingsVault_ZeroShares", 0):
        savings.mint(0, payer, {"from": payer})


def test_a_deposit_for_nobody_is_refused(savings, payer):
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        savings.deposit(DOLLAR, ZERO_ADDRESS, {"from": payer})


def test_more_than_there_is_room_for_is_refused(savings, payer):
    savings.deposit(5, payer, {"from": payer})
    room = MOST - 5
    assert savings.maxDeposit(payer) == room
    assert savings.maxMint(payer) == room * VIRTUAL_SHARES
    with reverts_with("ERC4626ExceededMaxDeposit", payer, room + 1, room):
        savings.deposit(room + 1, payer, {"from": payer})
    with reverts_with("ERC4626ExceededMaxMint", payer, room * VIRTUAL_SHARES + 1, room * VIRTUAL_SHARES):
        savings.mint(room * VIRTUAL_SHARES + 1, payer, {"from": payer})
    # The most that is allowed fails for want of tokens, not of room.
    with reverts_with("ERC20InsufficientBalance"):
        savings.deposit(room, payer, {"from": payer})


# --------------------------------------------------------- deposits by signature


@pytest.fixture(scope="module")
def sign(savings, gift_token, keys, payer):
    """The payer's signature over a deposit for a receiver."""

    def sign(receiver, assets, *, saver=payer, valid_after=0, valid_before=FOREVER):
        return signing.sign(
            keys[payer.address],
            signing.domain_of(gift_token),
            "ReceiveWithAuthorization",
            **{"from": saver.address, "to": savings.address, "value": assets},
            validAfter=valid_after,
            validBefore=valid_before,
            nonce=nonce_for(receiver),
        )

    return sign


def nonce_for(receiver):
    return keccak(encode(["address", "bytes32"], [str(receiver), SALT]))


def test_anyone_may_relay_a_deposit(savings, gift_token, sign, payer, other_payer, relayer):
    signature = sign(other_payer, 5 * DOLLAR)

    tx = savings.depositWithAuthorization(
        payer, other_payer, 5 * DOLLAR, 0, FOREVER, SALT, signature, {"from": relayer}
    )

    shares = 5 * DOLLAR * VIRTUAL_SHARES
    assert tx.return_value == shares == savings.balanceOf(other_payer)
    assert savings.totalAssets() == gift_token.balanceOf(savings) == 5 * DOLLAR
    assert gift_token.balanceOf(payer) == 9_995 * DOLLAR
    assert gift_token.allowance(payer, savings) == FOREVER
    assert_emitted(tx, "Deposit", sender=payer, owner=other_payer, assets=5 * DOLLAR, shares=shares)
    assert_emitted(tx, "AuthorizationUsed", authorizer=payer, nonce=nonce_for(other_payer))


def test_a_relayed_deposit_sets_the_drip_going(savings, sign, payer, relayer, sponsor):
    savings.sponsor(DOLLAR, {"from": sponsor})
    tx = savings.depositWithAuthorization(
        payer, payer, DOLLAR, 0, FOREVER, SALT, sign(payer, DOLLAR), {"from": relayer}
    )
    assert emitted(tx, "DripScheduled") == [{"amount": DOLLAR, "end": tx.timestamp + DRIP}]


def test_the_relayer_cannot_save_for_itself(savings, sign, payer, relayer):
    with reverts_with("ERC3009_InvalidSignature", payer):
        savings.depositWithAuthorization(
            payer, relayer, DOLLAR, 0, FOREVER, SALT, sign(payer, DOLLAR), {"from": relayer}
        )


def test_another_amount_than_the_signed_is_refused(savings, sign, payer, relayer):
    with reverts_with("ERC3009_InvalidSignature", payer):
        savings.depositWithAuthorization(
            payer, payer, 2 * DOLLAR, 0, FOREVER, SALT, sign(payer, DOLLAR), {"from": relayer}
        )


def test_a_signature_deposits_once(savings, sign, payer, relayer):
    terms = (payer, payer, DOLLAR, 0, FOREVER, SALT, sign(payer, DOLLAR))
    savings.depositWithAuthorization(*terms, {"from": relayer})
    with reverts_with("ERC3009_AuthorizationUsed", payer, nonce_for(payer)):
        savings.depositWithAuthorization(*terms, {"from": relayer})


def test_a_signature_deposits_in_its_time_alone(savings, sign, payer, relayer):
    later, earlier = now() + 1000, now() - 1
    early = sign(payer, DOLLAR, valid_after=later)
    with reverts_with("ERC3009_NotYetValid", later):
        savings.depositWithAuthorization(payer, payer, DOLLAR, later, FOREVER, SALT, early, {"from": relayer})
    late = sign(payer, DOLLAR, valid_before=earlier)
    with reverts_with("ERC3009_Expired", earlier):
        savings.depositWithAuthorization(payer, payer, DOLLAR, 0, earlier, SALT, late, {"from": relayer})


def test_a_signed_deposit_of_nothing_is_refused(savings, sign, payer, relayer):
    with reverts_with("SavingsVault_ZeroShares", 0):
        savings.depositWithAuthorization(payer, payer, 0, 0, FOREVER, SALT, sign(payer, 0), {"from": relayer})


def test_a_signed_deposit_for_nobody_is_refused(savings, sign, payer, relayer):
    signature = sign(ZERO_ADDRESS, DOLLAR)
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        savings.depositWithAuthorization(payer, ZERO_ADDRESS, DOLLAR, 0, FOREVER, SALT, signature, {"from": relayer})


def test_nobody_strands_the_deposit_by_using_it_at_the_token(savings, gift_token, sign, payer, relayer):
    # Were it possible, the tokens would lie in the vault as surplus, and the saver would have no shares.
    terms = (payer, savings, DOLLAR, 0, FOREVER, nonce_for(payer), sign(payer, DOLLAR))
    with reverts_with("ERC3009_CallerNotPayee", relayer, savings):
        gift_token.receiveWithAuthorization(*terms, {"from": relayer})
    with reverts_with("ERC3009_InvalidSignature", payer):
        gift_token.transferWithAuthorization(*terms, {"from": relayer})


def test_a_contract_wallet_saves_by_its_owners_signature(savings, gift_token, sign, payer, relayer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    gift_token.transfer(wallet, 5 * DOLLAR, {"from": payer})
    signature = sign(wallet, 5 * DOLLAR, saver=wallet)
    savings.depositWithAuthorization(wallet, wallet, 5 * DOLLAR, 0, FOREVER, SALT, signature, {"from": relayer})
    assert savings.maxWithdraw(wallet) == 5 * DOLLAR
