"""Several steps in one transaction, and the whole way of the money in one story."""

import pytest

from support import DOLLAR
from support.batches import batch
from support.errors import reverts_with
from support.merkle import BatchTree
from support.packing import pack


@pytest.fixture(scope="module")
def channel(new_channel, settlement):
    return new_channel(100 * DOLLAR, receiver=settlement.address)


@pytest.fixture(scope="module")
def tree(payer, other_payer):
    return BatchTree([(payer, 10 * DOLLAR), (other_payer, 5 * DOLLAR)])


def test_a_batch_is_settled_and_its_tokens_minted_in_one_transaction(
    settlement, gift_token, channel, tree, settler, payer, other_payer, merchant
):
    terms = batch(1, credits=[(merchant, 25 * DOLLAR)], entitled=15 * DOLLAR, tree=tree)
    settle = settlement.settle.encode_input(terms, pack(channel.packed(40 * DOLLAR)), [])
    mint = settlement.claimMany.encode_input(1, *tree.multiproof([payer, other_payer]))

    settlement.multicall([settle, mint], {"from": settler})

    assert gift_token.balanceOf(payer) == 10 * DOLLAR
    assert gift_token.balanceOf(other_payer) == 5 * DOLLAR
    assert settlement.unclaimed() == 0
    assert settlement.liabilities() == 40 * DOLLAR


def test_two_batches_are_settled_in_one_transaction(settlement, channel, settler, merchant):
    calls = [
        settlement.settle.encode_input(
            batch(number, credits=[(merchant, DOLLAR)]), pack(channel.packed(number * DOLLAR)), []
        )
        for number in (1, 2)
    ]
    settlement.multicall(calls, {"from": settler})
    assert settlement.credits(merchant) == 2 * DOLLAR
    assert settlement.lastBatchId() == 2


def test_one_step_that_fails_undoes_the_others(settlement, channel, tree, settler, payer):
    terms = batch(1, entitled=15 * DOLLAR, tree=tree)
    settle = settlement.settle.encode_input(terms, pack(channel.packed(15 * DOLLAR)), [])
    wrong = settlement.claim.encode_input(1, payer, 11 * DOLLAR, tree.proof(payer))
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.multicall([settle, wrong], {"from": settler})


def test_a_multicall_gives_nobody_the_settlers_rights(settlement, channel, stranger):
    settle = settlement.settle.encode_input(batch(1), pack(channel.packed(DOLLAR)), [])
    with reverts_with("AccessControlUnauthorizedAccount", stranger, bytes(settlement.SETTLER_ROLE())):
        settlement.multicall([settle], {"from": stranger})


def test_a_multicall_gives_nobody_a_merchants_credit(settlement, channel, settler, merchant, stranger):
    settlement.settle(batch(1, credits=[(merchant, DOLLAR)]), pack(channel.packed(DOLLAR)), [], {"from": settler})
    withdraw = settlement.withdrawCredit.encode_input(merchant, DOLLAR)
    with reverts_with("GiftSettlement_CallerNotMerchant", stranger, merchant):
        settlement.multicall([withdraw], {"from": stranger})


def test_the_money_goes_all_the_way_and_nothing_is_left_behind(
    settlement, channels, asset, gift_token, channel, tree, settler, payer, other_payer, merchant, stranger
):
    # 100 dollars deposited, 60 spent: 45 for the merchant, 15 of change for the payers' jars.
    terms = batch(1, credits=[(merchant, 45 * DOLLAR)], entitled=15 * DOLLAR, tree=tree, payments=100)
    settlement.settle(terms, pack(channel.packed(60 * DOLLAR)), [], {"from": settler})
    settlement.claimMany(1, *tree.multiproof([payer, other_payer]), {"from": stranger})
    gift_token.transfer(stranger, 5 * DOLLAR, {"from": other_payer})
    for holder, amount in ((payer, 10 * DOLLAR), (stranger, 5 * DOLLAR)):
        settlement.redeem(amount, holder, {"from": holder})
    settlement.withdrawCredit(merchant, 45 * DOLLAR, {"from": settler})
    channels.refund(channel.config, 40 * DOLLAR, {"from": channel.receiver_authorizer})

    assert asset.balanceOf(payer) == 50 * DOLLAR
    assert asset.balanceOf(stranger) == 5 * DOLLAR
    assert asset.balanceOf(merchant) == 45 * DOLLAR
    assert (asset.balanceOf(settlement), asset.balanceOf(channels), gift_token.totalSupply()) == (0, 0, 0)
    assert settlement.liabilities() == 0
