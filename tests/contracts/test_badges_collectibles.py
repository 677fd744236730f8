"""Badges: collectibles, awarded once a milestone and as many as were promised; metadata, roles, interfaces."""

import pytest
from brownie import Badges
from eth_utils import keccak

from support import ZERO_ADDRESS
from support.clock import DAY, travel
from support.errors import reverts_with
from support.events import assert_emitted, emitted

TOP_TIER, FIRST, SECOND, RARE = 999, 1_000, 1_001, 1_002
MILESTONE, OTHER_MILESTONE = keccak(text="100 payments"), keccak(text="1,000 payments")
DEFAULT_ADMIN_ROLE = bytes(32)
TEMPLATE = "https://example.org/badges/{id}.json"


@pytest.fixture(scope="module")
def settler_role(badges):
    return bytes(badges.SETTLER_ROLE())


@pytest.fixture(scope="module", autouse=True)
def collectibles(badges, admin):
    """Two without a limit, and one of which there are two."""
    for collectible, limit in ((FIRST, 0), (SECOND, 0), (RARE, 2)):
        badges.createCollectible(collectible, limit, {"from": admin})


# -------------------------------------------------------------------- creation


def test_the_admin_creates_a_collectible(badges, admin):
    tx = badges.createCollectible(2**256 - 1, 7, {"from": admin})
    assert_emitted(tx, "CollectibleCreated", id=2**256 - 1, maxSupply=7)
    assert list(badges.collectibles(2**256 - 1)) == [True, 7, 0]
    assert list(badges.collectibles(2**256 - 2)) == [False, 0, 0]


def test_a_tiers_number_is_no_collectibles(badges, admin):
    for tier in (0, 1, TOP_TIER):
        with reverts_with("Badges_NotACollectible", tier):
            badges.createCollectible(tier, 0, {"from": admin})


def test_a_limit_is_set_once_and_for_all(badges, admin, settler, payer):
    badges.award(payer, RARE, MILESTONE, {"from": settler})
    for limit in (0, 2, 3):
        with reverts_with("Badges_CollectibleExists", RARE):
            badges.createCollectible(RARE, limit, {"from": admin})


def test_nobody_else_creates(badges, settler, stranger):
    for caller in (settler, stranger):
        with reverts_with("AccessControlUnauthorizedAccount", caller, DEFAULT_ADMIN_ROLE):
            badges.createCollectible(5_000, 0, {"from": caller})


# ---------------------------------------------------------------------- awards


def test_an_award_mints_one(badges, settler, payer):
    tx = badges.award(payer, FIRST, MILESTONE, {"from": settler})
    assert tx.return_value is True
    assert badges.balanceOf(payer, FIRST) == 1
    assert badges.rewarded(payer, MILESTONE)
    assert badges.collectibles(FIRST)["awarded"] == 1
    assert_emitted(tx, "Awarded", account=payer, id=FIRST, milestone=MILESTONE)
    assert_emitted(tx, "Unlocked", tokenId=FIRST)
    assert_emitted(tx, "TransferSingle", operator=settler, **{"from": ZERO_ADDRESS, "to": payer}, id=FIRST, value=1)


@pytest.mark.parametrize("again", [FIRST, SECOND])
def test_an_award_repeated_does_nothing(badges, settler, payer, again):
    badges.award(payer, FIRST, MILESTONE, {"from": settler})
    tx = badges.award(payer, again, MILESTONE, {"from": settler})
    assert tx.return_value is False
    assert not tx.logs
    assert (badges.balanceOf(payer, FIRST), badges.balanceOf(payer, SECOND)) == (1, 0)


def test_giving_it_away_earns_no_second(badges, settler, payer, merchant):
    badges.award(payer, FIRST, MILESTONE, {"from": settler})
    badges.safeTransferFrom(payer, merchant, FIRST, 1, b"", {"from": payer})
    badges.award(payer, FIRST, MILESTONE, {"from": settler})
    assert badges.balanceOf(payer, FIRST) == 0


def test_other_milestones_and_other_accounts_have_their_own(badges, settler, payer, other_payer):
    for account, milestone in ((payer, MILESTONE), (payer, OTHER_MILESTONE), (other_payer, MILESTONE)):
        badges.award(account, FIRST, milestone, {"from": settler})
    assert (badges.balanceOf(payer, FIRST), badges.balanceOf(other_payer, FIRST)) == (2, 1)


def test_no_more_are_awarded_than_were_promised(badges, settler, payer, other_payer, merchant):
    for account in (payer, other_payer):
        badges.award(account, RARE, MILESTONE, {"from": settler})
    with reverts_with("Badges_AllAwarded", RARE, 2):
        badges.award(merchant, RARE, MILESTONE, {"from": settler})
    # A retry of one that was made is harmless still.
    assert badges.award(payer, RARE, MILESTONE, {"from": settler}).return_value is False
    assert not badges.rewarded(merchant, MILESTONE)


def test_only_what_was_created_is_awarded(badges, settler, payer):
    for unknown in (0, 1, TOP_TIER, RARE + 1):
        with reverts_with("Badges_UnknownId", unknown):
            badges.award(payer, unknown, MILESTONE, {"from": settler})


def test_nothing_is_awarded_to_nobody(badges, settler):
    with reverts_with("ERC1155InvalidReceiver", ZERO_ADDRESS):
        badges.award(ZERO_ADDRESS, FIRST, MILESTONE, {"from": settler})


def test_nobody_but_the_settler_awards(badges, admin, payer, stranger, settler_role):
    for caller in (admin, payer, stranger):
        with reverts_with("AccessControlUnauthorizedAccount", caller, settler_role):
            badges.award(payer, FIRST, MILESTONE, {"from": caller})


def test_tiers_and_awards_go_in_one_transaction(badges, settler, stranger, payer, other_payer, settler_role):
    calls = [
        badges.setTiers.encode_input([payer, other_payer], [1, 2]),
        badges.award.encode_input(payer, FIRST, MILESTONE),
        badges.award.encode_input(other_payer, SECOND, MILESTONE),
    ]
    badges.multicall(calls, {"from": settler})
    assert (badges.tierOf(payer), badges.tierOf(other_payer)) == (1, 2)
    assert (badges.balanceOf(payer, FIRST), badges.balanceOf(other_payer, SECOND)) == (1, 1)
    with reverts_with("AccessControlUnauthorizedAccount", stranger, settler_role):
        badges.multicall(calls, {"from": stranger})


# ------------------------------------------------------------------- transfers


def test_collectibles_change_hands(badges, settler, payer, merchant, stranger):
    badges.award(payer, FIRST, MILESTONE, {"from": settler})
    badges.award(payer, SECOND, OTHER_MILESTONE, {"from": settler})
    badges.safeBatchTransferFrom(payer, merchant, [FIRST, SECOND], [1, 1], b"", {"from": payer})
    badges.setApprovalForAll(stranger, True, {"from": merchant})
    badges.safeTransferFrom(merchant, stranger, FIRST, 1, b"", {"from": stranger})
    assert list(badges.balanceOfBatch([payer, merchant, stranger], [FIRST, SECOND, FIRST])) == [0, 1, 1]


def test_but_not_by_whom_the_holder_did_not_ask(badges, admin, settler, payer):
    badges.award(payer, FIRST, MILESTONE, {"from": settler})
    for caller in (admin, settler):
        with reverts_with("ERC1155MissingApprovalForAll", caller, payer):
            badges.safeTransferFrom(payer, caller, FIRST, 1, b"", {"from": caller})


# -------------------------------------------------------------------- metadata


def test_it_is_made_with_its_metadatas_address(admin, settler):
    badges = Badges.deploy(TEMPLATE, admin, settler, {"from": admin})
    assert badges.uri(1) == badges.uri(FIRST) == TEMPLATE
    assert_emitted(badges.tx, "URI", value=TEMPLATE, id=0)


def test_the_admin_changes_the_metadatas_address(badges, admin):
    tx = badges.setURI(TEMPLATE, {"from": admin})
    assert badges.uri(1) == badges.uri(FIRST) == TEMPLATE
    assert_emitted(tx, "URI", value=TEMPLATE, id=0)


def test_nobody_else_changes_it(badges, settler, stranger):
    for caller in (settler, stranger):
        with reverts_with("AccessControlUnauthorizedAccount", caller, DEFAULT_ADMIN_ROLE):
            badges.setURI(TEMPLATE, {"from": caller})


# ------------------------------------------------------------ roles, interfaces


def test_it_is_not_made_without_a_settler_or_an_admin(admin, settler):
    with reverts_with("Badges_ZeroAddress"):
        Badges.deploy("", admin, ZERO_ADDRESS, {"from": admin})
    with reverts_with("AccessControlInvalidDefaultAdmin", ZERO_ADDRESS):
        Badges.deploy("", ZERO_ADDRESS, settler, {"from": admin})


def test_the_admin_replaces_the_settler(badges, admin, settler, stranger, payer, settler_role):
    badges.grantRole(settler_role, stranger, {"from": admin})
    badges.revokeRole(settler_role, settler, {"from": admin})
    badges.setTier(payer, 1, {"from": stranger})
    with reverts_with("AccessControlUnauthorizedAccount", settler, settler_role):
        badges.setTier(payer, 2, {"from": settler})


def test_the_admin_hands_over_in_two_steps(badges, admin, stranger):
    badges.beginDefaultAdminTransfer(stranger, {"from": admin})
    assert badges.defaultAdmin() == admin
    travel(DAY + 1)
    badges.acceptDefaultAdminTransfer({"from": stranger})
    assert badges.defaultAdmin() == stranger
    with reverts_with("AccessControlUnauthorizedAccount", admin, DEFAULT_ADMIN_ROLE):
        badges.createCollectible(5_000, 0, {"from": admin})


INTERFACES = {
    "ERC-165": "0x01ffc9a7",
    "ERC-1155": "0xd9b67a26",
    "ERC-1155 metadata": "0x0e89341c",
    "ERC-5192": "0xb45a3c0e",
    "AccessControl": "0x7965db0b",
    "AccessControlDefaultAdminRules": "0x31498786",
}


@pytest.mark.parametrize("name", INTERFACES)
def test_it_says_which_interfaces_it_has(badges, name):
    assert badges.supportsInterface(INTERFACES[name])


def test_it_says_which_it_has_not(badges):
    for missing in ("0xffffffff", "0x80ac58cd", "0x4e2312e0"):  # none at all, ERC-721, a receiver of ERC-1155
        assert not badges.supportsInterface(missing)


def test_a_mint_tells_whether_it_is_locked(badges, settler, payer):
    tier = badges.setTier(payer, 1, {"from": settler})
    award = badges.award(payer, FIRST, MILESTONE, {"from": settler})
    assert [bool(emitted(tx, name)) for tx in (tier, award) for name in ("Locked", "Unlocked")] == [
        True,
        False,
        False,
        True,
    ]
