"""Badges: membership tiers, which the settler moves and which stay with their holder."""

import pytest
from brownie import ContractWallet

from support import ZERO_ADDRESS
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain

BRONZE, SILVER, GOLD = 1, 2, 3
TOP, FIRST_COLLECTIBLE = 999, 1_000


def moves(tx):
    """(from, to, id) of all badges minted and burned."""
    return [(event["from"], event["to"], event["id"]) for event in emitted(tx, "TransferSingle")]


def minted(account, tier):
    return ZERO_ADDRESS, plain(account), tier


def burned(account, tier):
    return plain(account), ZERO_ADDRESS, tier


def tiers_held(badges, account):
    return [tier for tier in (0, BRONZE, SILVER, GOLD, TOP) if badges.balanceOf(account, tier)]


# ----------------------------------------------------------------- up and down


def test_nobody_has_a_tier_at_first(badges, payer):
    assert badges.tierOf(payer) == 0
    assert tiers_held(badges, payer) == []


def test_the_settler_gives_a_tier(badges, settler, payer):
    tx = badges.setTier(payer, BRONZE, {"from": settler})
    assert badges.tierOf(payer) == BRONZE
    assert tiers_held(badges, payer) == [BRONZE]
    assert_emitted(tx, "TransferSingle", operator=settler, **{"from": ZERO_ADDRESS, "to": payer}, id=BRONZE, value=1)
    assert_emitted(tx, "Locked", tokenId=BRONZE)


@pytest.mark.parametrize(("before", "after"), [(BRONZE, GOLD), (GOLD, SILVER), (BRONZE, TOP)])
def test_moving_up_or_down_burns_the_old_badge_and_mints_the_new(badges, settler, payer, before, after):
    badges.setTier(payer, before, {"from": settler})
    tx = badges.setTier(payer, after, {"from": settler})
    assert moves(tx) == [burned(payer, before), minted(payer, after)]
    assert_emitted(tx, "Locked", tokenId=after)
    assert badges.tierOf(payer) == after
    assert tiers_held(badges, payer) == [after]


def test_the_same_tier_again_is_passed_over(badges, settler, payer, other_payer):
    badges.setTier(payer, SILVER, {"from": settler})
    assert not badges.setTier(payer, SILVER, {"from": settler}).logs
    assert not badges.setTier(other_payer, 0, {"from": settler}).logs


def test_tier_zero_takes_the_badge_away(badges, settler, payer):
    badges.setTier(payer, SILVER, {"from": settler})
    tx = badges.setTier(payer, 0, {"from": settler})
    assert moves(tx) == [burned(payer, SILVER)]
    assert not emitted(tx, "Locked")
    assert tiers_held(badges, payer) == []


def test_many_are_moved_at_once(badges, settler, payer, other_payer, merchant, other_merchant):
    badges.setTiers([payer, other_payer, merchant], [BRONZE, BRONZE, GOLD], {"from": settler})
    accounts = [payer, other_payer, merchant, other_merchant]
    tx = badges.setTiers(accounts, [SILVER, BRONZE, 0, TOP], {"from": settler})
    assert moves(tx) == [
        burned(payer, BRONZE),
        minted(payer, SILVER),
        burned(merchant, GOLD),
        minted(other_merchant, TOP),
    ]
    assert [badges.tierOf(account) for account in accounts] == [SILVER, BRONZE, 0, TOP]
    assert list(badges.balanceOfBatch(accounts, [SILVER, SILVER, GOLD, TOP])) == [1, 0, 0, 1]


def test_an_account_named_twice_ends_where_it_was_named_last(badges, settler, payer):
    tx = badges.setTiers([payer, payer], [BRONZE, GOLD], {"from": settler})
    assert moves(tx) == [minted(payer, BRONZE), burned(payer, BRONZE), minted(payer, GOLD)]
    assert tiers_held(badges, payer) == [GOLD]


def test_nobody_but_the_settler_moves_anyone(badges, admin, payer, stranger):
    role = bytes(badges.SETTLER_ROLE())
    for caller in (admin, payer, stranger):
        with reverts_with("AccessControlUnauthorizedAccount", caller, role):
            badges.setTier(payer, GOLD, {"from": caller})
        with reverts_with("AccessControlUnauthorizedAccount", caller, role):
            badges.setTiers([payer], [GOLD], {"from": caller})


def test_only_tiers_are_set(badges, settler, payer):
    for wrong in (FIRST_COLLECTIBLE, 2**256 - 1):
        with reverts_with("Badges_NotATier", wrong):
            badges.setTier(payer, wrong, {"from": settler})
        with reverts_with("Badges_NotATier", wrong):
            badges.setTiers([payer, payer], [GOLD, wrong], {"from": settler})


def test_nobody_is_no_member(badges, settler):
    with reverts_with("Badges_ZeroAddress"):
        badges.setTier(ZERO_ADDRESS, GOLD, {"from": settler})


def test_each_account_needs_its_tier(badges, settler, payer):
    with reverts_with("Badges_LengthMismatch"):
        badges.setTiers([payer], [GOLD, GOLD], {"from": settler})
    with reverts_with("Badges_LengthMismatch"):
        badges.setTiers([payer], [], {"from": settler})


def test_the_mint_in_its_own_frame_is_for_the_contract_alone(badges, admin, settler, stranger):
    for caller in (admin, settler, stranger):
        with reverts_with("Badges_CallerNotSelf", caller):
            badges.mintTier(caller, caller, GOLD, {"from": caller})
    with reverts_with("Badges_CallerNotSelf", stranger):
        badges.multicall([badges.mintTier.encode_input(stranger, stranger, GOLD)], {"from": stranger})


# --------------------------------------------------------------------- leaving


def test_a_member_leaves_at_will(badges, settler, payer):
    badges.setTier(payer, GOLD, {"from": settler})
    tx = badges.renounceTier({"from": payer})
    assert_emitted(tx, "TransferSingle", operator=payer, **{"from": payer, "to": ZERO_ADDRESS}, id=GOLD, value=1)
    assert badges.tierOf(payer) == 0
    assert tiers_held(badges, payer) == []


def test_who_left_may_come_back(badges, settler, payer):
    badges.setTier(payer, GOLD, {"from": settler})
    badges.renounceTier({"from": payer})
    badges.setTier(payer, BRONZE, {"from": settler})
    assert tiers_held(badges, payer) == [BRONZE]


def test_who_is_no_member_has_nothing_to_leave(badges, stranger):
    with reverts_with("Badges_NoTier", stranger):
        badges.renounceTier({"from": stranger})


# ------------------------------------------------------------------ soul-bound


@pytest.fixture
def member(badges, admin, settler, payer, stranger):
    """The payer is a silver member with a collectible, and lets the stranger act for it."""
    badges.setTier(payer, SILVER, {"from": settler})
    badges.createCollectible(FIRST_COLLECTIBLE, 0, {"from": admin})
    badges.award(payer, FIRST_COLLECTIBLE, b"first payment", {"from": settler})
    badges.setApprovalForAll(stranger, True, {"from": payer})
    return payer


@pytest.mark.parametrize("role", ["payer", "stranger"])
@pytest.mark.parametrize("value", [0, 1])
def test_a_tier_does_not_change_hands(badges, member, merchant, request, role, value):
    caller = {"from": request.getfixturevalue(role)}
    for receiver in (merchant, member):
        with reverts_with("Badges_Locked", SILVER):
            badges.safeTransferFrom(member, receiver, SILVER, value, b"", caller)
        with reverts_with("Badges_Locked", SILVER):
            badges.safeBatchTransferFrom(member, receiver, [SILVER], [value], b"", caller)


@pytest.mark.parametrize("role", ["payer", "stranger"])
@pytest.mark.parametrize("ids", [[FIRST_COLLECTIBLE, SILVER], [SILVER, FIRST_COLLECTIBLE]])
def test_nor_hidden_among_collectibles(badges, member, merchant, request, role, ids):
    with reverts_with("Badges_Locked", SILVER):
        badges.safeBatchTransferFrom(member, merchant, ids, [1, 1], b"", {"from": request.getfixturevalue(role)})


def test_nor_by_whom_the_holder_did_not_ask(badges, member, admin, settler, merchant):
    for caller in (admin, settler, merchant):
        with reverts_with("ERC1155MissingApprovalForAll", caller, member):
            badges.safeTransferFrom(member, merchant, SILVER, 1, b"", {"from": caller})


def test_nor_by_a_contract_wallet(badges, settler, payer, merchant):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    transfer = badges.safeTransferFrom.encode_input(wallet, merchant, SILVER, 1, b"")
    with reverts_with("Badges_Locked", SILVER):
        wallet.execute(badges, transfer, {"from": payer})


def test_tiers_are_locked_and_collectibles_are_not(badges, member):
    assert [badges.locked(tier) for tier in (BRONZE, GOLD, TOP)] == [True, True, True]
    assert not badges.locked(FIRST_COLLECTIBLE)


@pytest.mark.parametrize("unknown", [0, FIRST_COLLECTIBLE + 1])
def test_what_does_not_exist_is_neither_locked_nor_not(badges, member, unknown):
    with reverts_with("Badges_UnknownId", unknown):
        badges.locked.transact(unknown, {"from": member})
