"""Badges: receivers that are contracts, and what they may try while they are asked."""

from collections import Counter

import pytest
from brownie import ContractWallet, TrickReceiver, web3
from eth_abi import encode
from eth_utils import keccak

from support import ZERO_ADDRESS
from support.errors import reverts_with
from support.events import assert_emitted, emitted, emitted_ever, plain

BRONZE, SILVER, GOLD = 1, 2, 3
COLLECTIBLE = 1_000
MILESTONE = keccak(text="first payment")

ACCEPT, REFUSE, REVERT, BURN_GAS, BOMB = range(5)
HOSTILE = {"refuses": REFUSE, "reverts": REVERT, "burns all gas": BURN_GAS, "answers too long": BOMB}


@pytest.fixture(scope="module")
def receiver(module_isolation, stranger):
    return TrickReceiver.deploy({"from": stranger})


@pytest.fixture(scope="module")
def collectible(badges, admin):
    badges.createCollectible(COLLECTIBLE, 10, {"from": admin})


@pytest.fixture
def turn_hostile(receiver, stranger):
    def turn_hostile(how):
        receiver.setAnswer(HOSTILE[how], {"from": stranger})

    return turn_hostile


def word_of(operator, sender, token_id, value):
    """What the receiver notes down of a call."""
    types = ["address", "address", "uint256", "uint256", "bytes"]
    return "0x" + keccak(encode(types, [str(operator), str(sender), token_id, value, b""])).hex()


# ------------------------------------------------------------------- willing ones


def test_a_willing_contract_is_asked_and_becomes_a_member(badges, receiver, settler):
    tx = badges.setTier(receiver, GOLD, {"from": settler})
    assert badges.tierOf(receiver) == GOLD
    assert badges_held(badges, receiver) == [GOLD]
    assert str(receiver.lastReceived()) == word_of(settler, ZERO_ADDRESS, GOLD, 1)
    assert_emitted(tx, "TransferSingle", operator=settler, **{"from": ZERO_ADDRESS, "to": receiver}, id=GOLD, value=1)


def test_it_is_moved_like_everyone(badges, receiver, settler):
    for tier in (GOLD, BRONZE):
        badges.setTier(receiver, tier, {"from": settler})
    assert badges.tierOf(receiver) == BRONZE
    badges.setTier(receiver, 0, {"from": settler})
    assert badges.tierOf(receiver) == 0


# ------------------------------------------------------------------- hostile ones


@pytest.mark.parametrize("how", HOSTILE)
def test_it_may_refuse_and_holds_up_nobody(badges, receiver, turn_hostile, settler, payer, merchant, how):
    turn_hostile(how)
    tx = badges.setTiers([payer, receiver, merchant], [SILVER, GOLD, BRONZE], {"from": settler})
    assert [badges.tierOf(account) for account in (payer, receiver, merchant)] == [SILVER, 0, BRONZE]
    assert badges.balanceOf(receiver, GOLD) == 0
    assert_emitted(tx, "TierRefused", account=receiver, tier=GOLD)
    # The refused mint left no trace but that.
    assert [event["to"] for event in emitted(tx, "TransferSingle")] == [plain(payer), plain(merchant)]
    assert [event["tokenId"] for event in emitted(tx, "Locked")] == [SILVER, BRONZE]


@pytest.mark.parametrize("how", HOSTILE)
def test_by_refusing_it_does_not_keep_what_it_had(badges, receiver, turn_hostile, settler, how):
    badges.setTier(receiver, GOLD, {"from": settler})
    turn_hostile(how)
    tx = badges.setTier(receiver, BRONZE, {"from": settler})
    assert badges.tierOf(receiver) == 0
    assert_emitted(tx, "TierRefused", account=receiver, tier=BRONZE)
    assert_emitted(tx, "TransferSingle", operator=settler, **{"from": receiver, "to": ZERO_ADDRESS}, id=GOLD, value=1)


@pytest.mark.parametrize("how", HOSTILE)
def test_nor_does_it_hold_up_its_own_going(badges, receiver, turn_hostile, settler, how):
    badges.setTier(receiver, GOLD, {"from": settler})
    turn_hostile(how)
    badges.setTier(receiver, 0, {"from": settler})
    assert badges.tierOf(receiver) == 0


@pytest.mark.parametrize("how", HOSTILE)
def test_it_uses_up_little_of_the_batch(badges, receiver, turn_hostile, settler, how):
    turn_hostile(how)
    tx = badges.setTiers([receiver] * 5, [GOLD] * 5, {"from": settler})
    assert len(emitted(tx, "TierRefused")) == 5
    assert tx.gas_used < 21_000 + 5 * 160_000


def test_a_wallet_that_knows_no_badges_gets_none(badges, settler, payer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    tx = badges.setTier(wallet, GOLD, {"from": settler})
    assert badges.tierOf(wallet) == 0
    assert_emitted(tx, "TierRefused", account=wallet, tier=GOLD)


def test_who_refused_is_asked_again_the_next_time(badges, receiver, turn_hostile, settler, stranger):
    turn_hostile("reverts")
    badges.setTier(receiver, GOLD, {"from": settler})
    receiver.setAnswer(ACCEPT, {"from": stranger})
    badges.setTier(receiver, GOLD, {"from": settler})
    assert badges.tierOf(receiver) == GOLD


# ------------------------------------------------------------------------- gas


def test_too_little_gas_is_refused_and_not_taken_for_a_refusal(badges, receiver, settler):
    for gas_limit in (60_000, 120_000, 180_000):
        with reverts_with("Badges_NeedsMoreGas"):
            badges.setTier(receiver, GOLD, {"from": settler, "gas_limit": gas_limit})
    # With the least that goes through, the receiver got all that it could be given, and its badge.
    least = least_gas(badges, settler, badges.setTier.encode_input(receiver, GOLD))
    assert least > 180_000
    badges.setTier(receiver, GOLD, {"from": settler, "gas_limit": least})
    assert badges.tierOf(receiver) == GOLD


def test_nor_at_the_end_of_a_batch(badges, receiver, settler, payer, merchant):
    arguments = [payer, merchant, receiver], [GOLD, GOLD, GOLD]
    least = least_gas(badges, settler, badges.setTiers.encode_input(*arguments))
    badges.setTiers(*arguments, {"from": settler, "gas_limit": least})
    assert badges.tierOf(receiver) == GOLD


def least_gas(badges, sender, data):
    """The lowest gas limit with which the call goes through."""
    fails, passes = 21_000, 1_000_000
    while passes - fails > 1:
        middle = (fails + passes) // 2
        call = {"from": sender.address, "to": badges.address, "data": data, "gas": hex(middle)}
        if "error" in web3.provider.make_request("eth_call", [call, "latest"]):
            fails = middle
        else:
            passes = middle
    return passes


# ------------------------------------------------------------------ calling back


@pytest.fixture
def accomplice(badges, receiver, admin):
    """The receiver, to whom somebody has given the settler's own role."""
    badges.grantRole(badges.SETTLER_ROLE(), receiver, {"from": admin})
    return receiver


def badges_held(badges, account):
    return [tier for tier in (BRONZE, SILVER, GOLD) if badges.balanceOf(account, tier)]


@pytest.mark.parametrize(("nested", "held"), [(0, []), (BRONZE, []), (SILVER, []), (GOLD, [GOLD])])
def test_who_moves_itself_while_it_is_asked_ends_with_one_badge_at_most(
    badges, accomplice, settler, stranger, nested, held
):
    # Asking it anew takes more gas than it was given, and so the whole answer fails.
    badges.setTier(accomplice, BRONZE, {"from": settler})
    accomplice.setCall(badges, badges.setTier.encode_input(accomplice, nested), {"from": stranger})
    badges.setTier(accomplice, GOLD, {"from": settler})
    assert badges_held(badges, accomplice) == held
    assert_events_tell_the_balances(badges, accomplice)


def test_who_moves_itself_while_it_is_awarded_ends_with_one_badge(badges, accomplice, collectible, settler, stranger):
    badges.setTier(accomplice, BRONZE, {"from": settler})
    accomplice.setCall(badges, badges.setTier.encode_input(accomplice, GOLD), {"from": stranger})
    badges.award(accomplice, COLLECTIBLE, MILESTONE, {"from": settler})
    assert badges_held(badges, accomplice) == [GOLD]
    assert badges.balanceOf(accomplice, COLLECTIBLE) == 1
    assert_events_tell_the_balances(badges, accomplice)


@pytest.mark.parametrize("how", HOSTILE)
def test_and_with_none_if_it_refuses_after_that(badges, accomplice, turn_hostile, settler, stranger, how):
    badges.setTier(accomplice, BRONZE, {"from": settler})
    accomplice.setCall(badges, badges.setTier.encode_input(accomplice, SILVER), {"from": stranger})
    turn_hostile(how)
    badges.setTier(accomplice, GOLD, {"from": settler})
    assert badges_held(badges, accomplice) == []
    assert_events_tell_the_balances(badges, accomplice)


def test_who_leaves_while_it_is_asked_has_left(badges, receiver, settler, stranger):
    receiver.setCall(badges, badges.renounceTier.encode_input(), {"from": stranger})
    badges.setTier(receiver, GOLD, {"from": settler})
    assert badges_held(badges, receiver) == []
    assert_events_tell_the_balances(badges, receiver)


def test_a_tier_does_not_change_hands_while_it_is_received(badges, receiver, settler, stranger):
    transfer = badges.safeTransferFrom.encode_input(receiver, stranger, GOLD, 1, b"")
    receiver.setCall(badges, transfer, {"from": stranger})
    tx = badges.setTier(receiver, GOLD, {"from": settler})
    assert badges_held(badges, stranger) == badges_held(badges, receiver) == []
    assert_emitted(tx, "TierRefused", account=receiver, tier=GOLD)


def test_a_milestone_is_rewarded_once_even_from_within(badges, accomplice, collectible, settler, stranger):
    again = badges.award.encode_input(accomplice, COLLECTIBLE, MILESTONE)
    accomplice.setCall(badges, again, {"from": stranger})
    badges.award(accomplice, COLLECTIBLE, MILESTONE, {"from": settler})
    assert badges.balanceOf(accomplice, COLLECTIBLE) == 1
    assert badges.collectibles(COLLECTIBLE)["awarded"] == 1


def test_the_last_one_is_not_awarded_twice_from_within(badges, accomplice, admin, settler, stranger):
    badges.createCollectible(COLLECTIBLE + 1, 1, {"from": admin})
    other = badges.award.encode_input(accomplice, COLLECTIBLE + 1, keccak(text="another milestone"))
    accomplice.setCall(badges, other, {"from": stranger})
    with reverts_with("Badges_AllAwarded", COLLECTIBLE + 1, 1):
        badges.award(accomplice, COLLECTIBLE + 1, MILESTONE, {"from": settler})


def assert_events_tell_the_balances(badges, account):
    """Who adds up the transfers knows the balances."""
    added = Counter()
    for event in emitted_ever(badges, "TransferSingle"):
        if event["to"] == plain(account):
            added[event["id"]] += 1
        if event["from"] == plain(account):
            added[event["id"]] -= 1
    assert {token_id for token_id, count in added.items() if count and token_id < COLLECTIBLE} == set(
        badges_held(badges, account)
    )


# ------------------------------------------------------------------ collectibles


def test_a_willing_contract_gets_its_award(badges, receiver, collectible, settler):
    badges.award(receiver, COLLECTIBLE, MILESTONE, {"from": settler})
    assert badges.balanceOf(receiver, COLLECTIBLE) == 1
    assert str(receiver.lastReceived()) == word_of(settler, ZERO_ADDRESS, COLLECTIBLE, 1)


def test_an_award_that_is_refused_is_none_and_may_be_tried_again(badges, receiver, collectible, settler, stranger):
    receiver.setAnswer(REFUSE, {"from": stranger})
    with reverts_with("ERC1155InvalidReceiver", receiver):
        badges.award(receiver, COLLECTIBLE, MILESTONE, {"from": settler})
    receiver.setAnswer(REVERT, {"from": stranger})
    with reverts_with("TrickReceiver_Refused"):
        badges.award(receiver, COLLECTIBLE, MILESTONE, {"from": settler})
    receiver.setAnswer(ACCEPT, {"from": stranger})
    badges.award(receiver, COLLECTIBLE, MILESTONE, {"from": settler})
    assert badges.rewarded(receiver, MILESTONE)
