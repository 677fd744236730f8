"""A reserve asset that calls back into GiftSettlement while it moves."""

import pytest
from brownie import TrickToken

from scripts.deploy import deploy
from support import FOREVER
from support.batches import batch
from support.books import assert_settlement_is_solvent
from support.errors import reverts_with
from support.merkle import BatchTree

GUARDED = ["gather", "fund", "claim", "claimMany", "redeem", "redeemWithAuthorization", "withdrawCredit"]


@pytest.fixture(scope="module")
def token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def tree(payer):
    return BatchTree([(payer, 40)])


@pytest.fixture(scope="module")
def trick_hub(hub, token, tree, admin, settler, payer, merchant):
    """A hub on that asset: the payer holds 40 gift tokens and the merchant has 60 of credit."""
    trick_hub = deploy(admin, asset=token.address, admin=admin, settler=settler)
    settlement = trick_hub.settlement
    token.mint(settlement, 100, {"from": admin})
    terms = batch(1, credits=[(merchant, 60)], entitled=40, tree=tree)
    settlement.settle(terms, b"", [], {"from": settler})
    settlement.claim(1, payer, 40, tree.proof(payer), {"from": payer})
    # The asset itself has the settler's role: even that must not let it in at the wrong moment.
    settlement.grantRole(settlement.SETTLER_ROLE(), token, {"from": admin})
    return trick_hub


@pytest.fixture(scope="module")
def settlement(trick_hub):
    return trick_hub.settlement


@pytest.fixture(scope="module")
def reentry(settlement, tree, payer, merchant):
    """Calldata for every function that moves money or mints."""
    arguments = {
        "gather": ([],),
        "fund": (1,),
        "claim": (1, payer, 40, tree.proof(payer)),
        "claimMany": (1, *tree.multiproof([payer])),
        "redeem": (1, payer),
        "redeemWithAuthorization": (payer, merchant, 1, 0, FOREVER, bytes(32), b""),
        "withdrawCredit": (merchant, 60),
    }
    return {name: getattr(settlement, name).encode_input(*arguments[name]) for name in GUARDED}


@pytest.fixture(autouse=True)
def trick_books(isolation, trick_hub):
    yield
    assert_settlement_is_solvent(trick_hub, since=trick_hub.settlement.tx.block_number)


@pytest.mark.parametrize("function", GUARDED)
def test_not_while_a_credit_is_paid_out(settlement, token, reentry, merchant, function):
    token.setHook(settlement, reentry[function], {"from": merchant})
    with reverts_with("ReentrancyGuardReentrantCall"):
        settlement.withdrawCredit(merchant, 10, {"from": merchant})


@pytest.mark.parametrize("function", GUARDED)
def test_not_while_tokens_are_redeemed(settlement, token, reentry, payer, function):
    token.setHook(settlement, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        settlement.redeem(10, payer, {"from": payer})


@pytest.mark.parametrize("function", GUARDED)
def test_not_while_a_sponsor_pays_in(settlement, token, reentry, sponsor, function):
    token.mint(sponsor, 10, {"from": sponsor})
    token.approve(settlement, 10, {"from": sponsor})
    token.setHook(settlement, reentry[function], {"from": sponsor})
    with reverts_with("ReentrancyGuardReentrantCall"):
        settlement.fund(10, {"from": sponsor})


@pytest.mark.parametrize("function", GUARDED)
def test_not_while_vouchers_are_gathered(settlement, trick_hub, token, reentry, new_channel, settler, function):
    channel = new_channel(
        10, channels=trick_hub.channels, collector=trick_hub.collector, token=token, receiver=settlement.address
    )
    token.setHook(settlement, reentry[function], {"from": settler})
    with reverts_with("ReentrancyGuardReentrantCall"):
        settlement.gather([channel.claim(10)], {"from": settler})
