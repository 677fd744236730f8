"""Entitlement roots that promise more than settlements have set aside: they mint nothing that is not backed."""

import pytest

from support.batches import batch
from support.errors import reverts_with
from support.merkle import BatchTree


@pytest.fixture(scope="module")
def settle(settlement, asset, settler):
    """Settle the next batch, whose entitlements are paid straight into the reserve."""

    def settle(tree, entitled):
        asset.mint(settlement, entitled, {"from": settler})
        number = settlement.lastBatchId() + 1
        settlement.settle(batch(number, entitled=entitled, tree=tree), b"", [], {"from": settler})
        return number

    return settle


@pytest.fixture
def overdrawn(settle, payer, other_payer):
    """A root over 60 + 60 where 100 were set aside."""
    tree = BatchTree([(payer, 60), (other_payer, 60)])
    settle(tree, 100)
    return tree


def test_it_mints_no_more_than_was_set_aside(settlement, overdrawn, payer, other_payer):
    settlement.claim(1, payer, 60, overdrawn.proof(payer), {"from": payer})
    with reverts_with("GiftSettlement_ExceedsEntitled", 60, 40):
        settlement.claim(1, other_payer, 60, overdrawn.proof(other_payer), {"from": other_payer})


def test_nor_with_a_multiproof(settlement, overdrawn, payer, other_payer):
    with reverts_with("GiftSettlement_ExceedsEntitled", 120, 100):
        settlement.claimMany(1, *overdrawn.multiproof([payer, other_payer]), {"from": payer})


def test_what_it_held_up_is_paid_when_more_is_set_aside(settlement, gift_token, overdrawn, settle, payer, other_payer):
    settlement.claim(1, payer, 60, overdrawn.proof(payer), {"from": payer})
    settle(overdrawn, 20)
    settlement.claim(1, other_payer, 60, overdrawn.proof(other_payer), {"from": other_payer})
    assert gift_token.balanceOf(other_payer) == 60


def test_it_can_take_what_others_are_entitled_to_but_every_token_stays_backed(
    settlement, gift_token, asset, settle, payer, stranger
):
    """The limit of what the chain alone can promise: a settler's key that signs false roots is not caught by it."""
    honest = BatchTree([(payer, 60)])
    settle(honest, 60)
    settle(BatchTree([(payer, 60), (stranger, 60)]), 0)
    false = BatchTree([(payer, 60), (stranger, 60)])

    settlement.claim(2, stranger, 60, false.proof(stranger), {"from": stranger})

    with reverts_with("GiftSettlement_ExceedsEntitled", 60, 0):
        settlement.claim(1, payer, 60, honest.proof(payer), {"from": payer})
    assert gift_token.totalSupply() == settlement.liabilities() == asset.balanceOf(settlement) == 60
