"""GiftToken: minting up to an entitlement, and an ERC-20 whose balances share a slot with what was ever minted."""

import pytest
from brownie import GiftToken
from brownie.test import given
from eth_abi import encode
from eth_utils import keccak
from hypothesis import settings
from hypothesis import strategies as st

from support import ZERO_ADDRESS, storage
from support.briefly import examples
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain
from support.packing import word

UINT96_MAX = 2**96 - 1
UINT128_MAX = 2**128 - 1


@pytest.fixture(scope="module")
def token(hub, admin):
    """A gift token that the admin has deployed, and may therefore mint."""
    return GiftToken.deploy("Gift", "GIFT", 6, {"from": admin})


@pytest.fixture(scope="module")
def mint(token, admin):
    def mint(*entitlements):
        return token.mintUpTo([word(*entitlement) for entitlement in entitlements], {"from": admin})

    return mint


@pytest.fixture
def holding(token, mint, payer):
    """The payer holds 100."""
    mint((payer, 100))


def transfers(tx):
    return [tuple(event.values()) for event in emitted(tx, "Transfer")]


# ---------------------------------------------------------------------- minting


def test_it_mints_up_to_the_entitlement(token, mint, payer):
    tx = mint((payer, 100))
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (100, 100, 100)
    assert_emitted(tx, "Transfer", **{"from": ZERO_ADDRESS, "to": payer, "value": 100})


def test_it_mints_to_many_and_tells_how_much(token, mint, admin, payer, other_payer, merchant):
    words = [word(payer, 1), word(other_payer, 20), word(merchant, 300)]
    assert token.mintUpTo.call(words, {"from": admin}) == 321
    tx = mint((payer, 1), (other_payer, 20), (merchant, 300))
    assert transfers(tx) == [
        (ZERO_ADDRESS, plain(account), amount) for account, amount in ((payer, 1), (other_payer, 20), (merchant, 300))
    ]
    assert [token.balanceOf(account) for account in (payer, other_payer, merchant)] == [1, 20, 300]
    assert token.totalSupply() == 321


def test_nothing_is_minted_for_an_entitlement_that_is_reached(token, holding, mint, payer, admin):
    for amount in (100, 99, 0):
        assert token.mintUpTo.call([word(payer, amount)], {"from": admin}) == 0
        assert transfers(mint((payer, amount))) == []
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (100, 100, 100)


def test_a_higher_entitlement_mints_the_difference(token, holding, mint, payer):
    assert transfers(mint((payer, 101))) == [(ZERO_ADDRESS, plain(payer), 1)]
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (101, 101, 101)


@pytest.mark.parametrize(("amounts", "minted"), [((10, 15), [10, 5]), ((15, 10), [15]), ((7, 7), [7]), ((0, 7), [7])])
def test_an_account_that_is_named_twice_gets_the_higher_entitlement(token, mint, payer, merchant, amounts, minted):
    tx = mint((payer, amounts[0]), (merchant, 3), (payer, amounts[1]))
    assert [amount for _, to, amount in transfers(tx) if to == plain(payer)] == minted
    assert token.balanceOf(payer) == token.mintedTo(payer) == max(amounts)
    assert token.totalSupply() == max(amounts) + 3


def test_nobody_is_minted_to_in_an_empty_call(token, mint):
    assert transfers(mint()) == []
    assert token.totalSupply() == 0


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("amount", [0, 1])
def test_nothing_is_minted_to_nobody(mint, payer, merchant, place, amount):
    entitlements = [(payer, 1), (merchant, 1)]
    entitlements.insert(place, (ZERO_ADDRESS, amount))
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        mint(*entitlements)


def test_an_entitlement_has_96_bits_and_runs_into_nothing_else(token, mint, payer):
    last = "0x" + "ff" * 20
    mint((payer, UINT96_MAX), (last, UINT96_MAX))
    for account in (payer, last):
        assert token.balanceOf(account) == token.mintedTo(account) == UINT96_MAX
    assert token.totalSupply() == 2 * UINT96_MAX


@pytest.mark.parametrize("role", ["payer", "stranger"])
def test_nobody_but_the_minter_mints_or_burns(token, holding, payer, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("GiftToken_CallerNotMinter", caller):
        token.mintUpTo([word(payer, 101)], {"from": caller})
    with reverts_with("GiftToken_CallerNotMinter", caller):
        token.burn(payer, 1, {"from": caller})


# ------------------------------------------------- what was minted, and what is held


def test_what_is_given_away_is_not_minted_again(token, holding, mint, payer, stranger):
    token.transfer(stranger, 60, {"from": payer})
    mint((payer, 100))
    assert (token.balanceOf(payer), token.mintedTo(payer)) == (40, 100)
    assert (token.balanceOf(stranger), token.mintedTo(stranger)) == (60, 0)


def test_what_is_received_does_not_count_as_minted(token, holding, mint, payer, stranger):
    token.transfer(stranger, 60, {"from": payer})
    mint((stranger, 10))
    assert (token.balanceOf(stranger), token.mintedTo(stranger)) == (70, 10)


def test_what_is_burnt_is_not_minted_again(token, holding, mint, admin, payer):
    tx = token.burn(payer, 60, {"from": admin})
    assert transfers(tx) == [(plain(payer), ZERO_ADDRESS, 60)]
    mint((payer, 100))
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (40, 100, 40)


def test_no_more_is_burnt_than_is_held(token, holding, admin, payer, stranger):
    for account, held in ((payer, 100), (stranger, 0)):
        for amount in (held + 1, 2**128 + held, 2**256 - 1):
            with reverts_with("ERC20InsufficientBalance", account, held, amount):
                token.burn(account, amount, {"from": admin})


def test_nothing_is_burnt_of_nobody(token, admin):
    with reverts_with("ERC20InvalidSender", ZERO_ADDRESS):
        token.burn(ZERO_ADDRESS, 0, {"from": admin})


# ------------------------------------------------------------------------ ERC-20


def test_a_transfer_moves_a_balance(token, holding, payer, stranger):
    tx = token.transfer(stranger, 30, {"from": payer})
    assert transfers(tx) == [(plain(payer), plain(stranger), 30)]
    assert (token.balanceOf(payer), token.balanceOf(stranger), token.totalSupply()) == (70, 30, 100)


@pytest.mark.parametrize("amount", [0, 1, 100])
def test_a_transfer_to_oneself_changes_nothing(token, holding, payer, amount):
    tx = token.transfer(payer, amount, {"from": payer})
    assert transfers(tx) == [(plain(payer), plain(payer), amount)]
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (100, 100, 100)


@pytest.mark.parametrize("amount", [101, 2**96, 2**128, 2**128 + 1, 2**128 + 100, 2**256 - 1])
@pytest.mark.parametrize("to", ["stranger", "payer"])
def test_nobody_transfers_more_than_it_holds(token, holding, payer, amount, request, to):
    with reverts_with("ERC20InsufficientBalance", payer, 100, amount):
        token.transfer(request.getfixturevalue(to), amount, {"from": payer})


def test_who_holds_nothing_transfers_nothing(token, holding, payer, stranger):
    assert transfers(token.transfer(payer, 0, {"from": stranger})) == [(plain(stranger), plain(payer), 0)]
    with reverts_with("ERC20InsufficientBalance", stranger, 0, 1):
        token.transfer(payer, 1, {"from": stranger})


def test_nothing_is_transferred_to_nobody(token, holding, payer):
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        token.transfer(ZERO_ADDRESS, 1, {"from": payer})


def test_an_allowance_is_used_up(token, holding, payer, merchant, stranger):
    token.approve(merchant, 30, {"from": payer})
    token.transferFrom(payer, stranger, 20, {"from": merchant})
    assert (token.allowance(payer, merchant), token.balanceOf(stranger)) == (10, 20)
    with reverts_with("ERC20InsufficientAllowance", merchant, 10, 11):
        token.transferFrom(payer, stranger, 11, {"from": merchant})


def test_an_allowance_above_the_balance_does_not_help(token, holding, payer, merchant):
    token.approve(merchant, 2**256 - 1, {"from": payer})
    with reverts_with("ERC20InsufficientBalance", payer, 100, 101):
        token.transferFrom(payer, merchant, 101, {"from": merchant})
    token.transferFrom(payer, merchant, 100, {"from": merchant})
    assert token.allowance(payer, merchant) == 2**256 - 1


# ---------------------------------------------------------------------- 128 bits


@pytest.fixture
def almost_full(token, mint, payer):
    """The payer holds all of a supply that lacks one of the most that there can be."""
    mint((payer, 12345))
    supply = storage.slot_holding(token, 12345)
    storage.write(token, supply, UINT128_MAX - 1)
    holder = int.from_bytes(keccak(encode(["address", "uint256"], [payer.address, supply - 1])))
    storage.write(token, holder, 12345 << 128 | (UINT128_MAX - 1))
    assert (token.balanceOf(payer), token.mintedTo(payer)) == (UINT128_MAX - 1, 12345)
    assert token.totalSupply() == UINT128_MAX - 1


@pytest.mark.parametrize("to", ["payer", "stranger"])
def test_the_supply_grows_to_128_bits_and_no_further(token, almost_full, mint, payer, request, to):
    account = request.getfixturevalue(to)
    minted = token.mintedTo(account)
    with reverts_with("SafeCastOverflowedUintDowncast", 128, 2**128):
        mint((account, minted + 2))
    with reverts_with("SafeCastOverflowedUintDowncast", 128, 2**128 + UINT96_MAX - 1 - minted - 1):
        mint((account, UINT96_MAX))
    mint((account, minted + 1))
    assert token.totalSupply() == UINT128_MAX
    assert token.mintedTo(account) == minted + 1


def test_all_of_128_bits_are_moved_and_burnt(token, almost_full, mint, admin, payer, stranger):
    mint((payer, 12346))
    for sender, to in ((payer, payer), (payer, stranger), (stranger, payer)):
        token.transfer(to, UINT128_MAX, {"from": sender})
        assert token.balanceOf(to) == UINT128_MAX
    assert token.balanceOf(stranger) == 0
    assert (token.mintedTo(payer), token.mintedTo(stranger)) == (12346, 0)
    token.burn(payer, UINT128_MAX, {"from": admin})
    assert (token.balanceOf(payer), token.mintedTo(payer), token.totalSupply()) == (0, 12346, 0)


# ------------------------------------------------------------- against a simple model

steps = st.tuples(
    st.sampled_from(["mint", "mint", "transfer", "transfer", "burn"]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 60),
)


@pytest.mark.skip_coverage  # hundreds of traces that tell nothing new
@given(steps=st.lists(steps, min_size=8, max_size=16))
@settings(max_examples=examples(12), deadline=None)
def test_it_does_what_a_table_of_balances_does(token, admin, payer, merchant, stranger, steps):
    accounts = [payer, merchant, stranger]
    balances, minted = [0, 0, 0], [0, 0, 0]
    for kind, i, j, amount in steps:
        if kind == "mint":
            token.mintUpTo([word(accounts[i], amount), word(accounts[j], amount // 2)], {"from": admin})
            for k, entitlement in ((i, amount), (j, amount // 2)):
                more = max(entitlement - minted[k], 0)
                balances[k] += more
                minted[k] += more
            continue
        send = {
            "transfer": lambda: token.transfer(accounts[j], amount, {"from": accounts[i]}),  # noqa: B023
            "burn": lambda: token.burn(accounts[i], amount, {"from": admin}),  # noqa: B023
        }[kind]
        if amount > balances[i]:
            with reverts_with("ERC20InsufficientBalance", accounts[i], balances[i], amount):
                send()
            continue
        send()
        balances[i] -= amount
        if kind == "transfer":
            balances[j] += amount
    assert [token.balanceOf(account) for account in accounts] == balances
    assert [token.mintedTo(account) for account in accounts] == minted
    assert token.totalSupply() == sum(balances)
