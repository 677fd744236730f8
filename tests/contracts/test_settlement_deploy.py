"""GiftSettlement's construction, its roles and the admin's handing over in two steps."""

import pytest
from brownie import GiftSettlement

from support import ZERO_ADDRESS
from support.batches import batch
from support.clock import DAY, now, travel
from support.errors import reverts_with
from support.events import assert_emitted

DEFAULT_ADMIN_ROLE = bytes(32)


@pytest.fixture(scope="module")
def settler_role(settlement):
    return settlement.SETTLER_ROLE()


def construct(asset, channels, admin, settler):
    return GiftSettlement.deploy(asset, channels, admin, settler, 10, 20, "Gift", "G", {"from": admin})


# --------------------------------------------------------------- construction


def test_it_knows_its_contracts_and_owes_nothing(settlement, asset, channels, gift_token):
    assert settlement.asset() == asset
    assert settlement.channels() == channels
    assert settlement.token() == gift_token
    assert (settlement.liabilities(), settlement.unclaimed(), settlement.lastBatchId()) == (0, 0, 0)


def test_its_token_is_the_taesan_gift_and_obeys_it_alone(settlement, asset, gift_token):
    assert (gift_token.name(), gift_token.symbol()) == ("Taesan Gift", "GIFT")
    assert gift_token.decimals() == asset.decimals()
    assert gift_token.minter() == settlement


def test_the_settler_settles_and_pauses_and_the_admin_does_neither(settlement, admin, settler, settler_role):
    assert settlement.defaultAdmin() == admin
    assert settlement.defaultAdminDelay() == DAY
    for role in (settler_role, settlement.PAUSER_ROLE()):
        assert settlement.hasRole(role, settler)
        assert not settlement.hasRole(role, admin)


@pytest.mark.parametrize("missing", ["asset", "channels", "settler"])
def test_it_is_not_made_without_its_contracts_or_settler(asset, channels, admin, settler, missing):
    arguments = {"asset": asset, "channels": channels, "settler": settler} | {missing: ZERO_ADDRESS}
    with reverts_with("GiftSettlement_ZeroAddress"):
        construct(arguments["asset"], arguments["channels"], admin, arguments["settler"])


def test_it_is_not_made_without_an_admin(asset, channels, admin, settler):
    with reverts_with("AccessControlInvalidDefaultAdmin", ZERO_ADDRESS):
        GiftSettlement.deploy(asset, channels, ZERO_ADDRESS, settler, 10, 20, "Gift", "G", {"from": admin})


# ----------------------------------------------------------------------- roles


def test_the_admin_replaces_the_settler(settlement, admin, settler, stranger, settler_role):
    tx = settlement.grantRole(settler_role, stranger, {"from": admin})
    assert_emitted(tx, "RoleGranted", role=bytes(settler_role), account=stranger, sender=admin)
    tx = settlement.revokeRole(settler_role, settler, {"from": admin})
    assert_emitted(tx, "RoleRevoked", role=bytes(settler_role), account=settler, sender=admin)

    settlement.settle(batch(1), b"", [], {"from": stranger})

    with reverts_with("AccessControlUnauthorizedAccount", settler, bytes(settler_role)):
        settlement.settle(batch(2), b"", [], {"from": settler})


@pytest.mark.parametrize("role", ["settler", "stranger"])
def test_nobody_else_gives_or_takes_roles(settlement, settler_role, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, DEFAULT_ADMIN_ROLE):
        settlement.grantRole(settler_role, caller, {"from": caller})
    with reverts_with("AccessControlUnauthorizedAccount", caller, DEFAULT_ADMIN_ROLE):
        settlement.revokeRole(settler_role, caller, {"from": caller})


# ------------------------------------------------------- handing over the admin


def test_the_admin_hands_over_in_two_steps(settlement, admin, stranger):
    tx = settlement.beginDefaultAdminTransfer(stranger, {"from": admin})
    due = tx.timestamp + DAY
    assert_emitted(tx, "DefaultAdminTransferScheduled", newAdmin=stranger, acceptSchedule=due)
    assert settlement.defaultAdmin() == admin
    travel(DAY + 1)

    settlement.acceptDefaultAdminTransfer({"from": stranger})

    assert settlement.defaultAdmin() == stranger
    assert not settlement.hasRole(DEFAULT_ADMIN_ROLE, admin)


def test_the_new_admin_cannot_accept_before_the_delay_is_over(settlement, admin, stranger):
    settlement.beginDefaultAdminTransfer(stranger, {"from": admin})
    due = now() + DAY
    travel(DAY)
    with reverts_with("AccessControlEnforcedDefaultAdminDelay", due):
        settlement.acceptDefaultAdminTransfer({"from": stranger})


def test_nobody_but_the_named_one_accepts(settlement, admin, stranger, settler):
    settlement.beginDefaultAdminTransfer(stranger, {"from": admin})
    travel(DAY + 1)
    with reverts_with("AccessControlInvalidDefaultAdmin", settler):
        settlement.acceptDefaultAdminTransfer({"from": settler})


def test_the_admin_may_change_its_mind(settlement, admin, stranger):
    settlement.beginDefaultAdminTransfer(stranger, {"from": admin})
    settlement.cancelDefaultAdminTransfer({"from": admin})
    travel(DAY + 1)
    with reverts_with("AccessControlInvalidDefaultAdmin", stranger):
        settlement.acceptDefaultAdminTransfer({"from": stranger})


def test_nobody_else_begins_to_hand_over(settlement, stranger):
    with reverts_with("AccessControlUnauthorizedAccount", stranger, DEFAULT_ADMIN_ROLE):
        settlement.beginDefaultAdminTransfer(stranger, {"from": stranger})


def test_there_is_no_way_around_the_two_steps(settlement, admin, stranger):
    with reverts_with("AccessControlEnforcedDefaultAdminRules"):
        settlement.grantRole(DEFAULT_ADMIN_ROLE, stranger, {"from": admin})
    with reverts_with("AccessControlEnforcedDefaultAdminRules"):
        settlement.revokeRole(DEFAULT_ADMIN_ROLE, admin, {"from": admin})
