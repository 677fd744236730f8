"""GiftSettlement.claim and claimMany: converted money becomes gift tokens by Merkle proof, once, whoever relays."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, ZERO_ADDRESS
from support.batches import batch
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain
from support.merkle import PAYMENTS, BatchTree, leaf
from support.packing import pack, word


@pytest.fixture(scope="module")
def members(payer, other_payer, merchant, sponsor, relayer):
    """Five entitled accounts: a tree with an odd number of leaves."""
    return [payer, other_payer, merchant, sponsor, relayer]


@pytest.fixture(scope="module")
def settle(settlement, new_channel, settler):
    """Settle the next batch, with vouchers for just what it adds to the entitlements."""
    channel = new_channel(1000 * DOLLAR, receiver=settlement.address)

    def settle(tree, entitled):
        claimed = channel.state[1]
        number = settlement.lastBatchId() + 1
        claims = pack(channel.packed(claimed + entitled)) if entitled else b""
        settlement.settle(batch(number, entitled=entitled, tree=tree), claims, [], {"from": settler})
        return number

    return settle


@pytest.fixture(scope="module")
def first(settle, members):
    """The first batch's tree: members are entitled to 10, 20, 30, 40 and 50 dollars."""
    tree = BatchTree((member, 10 * DOLLAR * (i + 1)) for i, member in enumerate(members))
    settle(tree, 150 * DOLLAR)
    return tree


@pytest.fixture
def second(settle, members, first):
    """The second batch's: everyone has 5 dollars more, the first member 15."""
    entries = [(member, 10 * DOLLAR * (i + 1) + 5 * DOLLAR) for i, member in enumerate(members)]
    entries[0] = (members[0], 25 * DOLLAR)
    tree = BatchTree(entries)
    settle(tree, 35 * DOLLAR)
    return tree


# ------------------------------------------------------------------------ claim


def test_a_proof_mints_what_the_account_is_entitled_to(settlement, gift_token, first, payer, stranger):
    tx = settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": stranger})

    assert gift_token.balanceOf(payer) == 10 * DOLLAR
    assert gift_token.mintedTo(payer) == 10 * DOLLAR
    assert settlement.unclaimed() == 140 * DOLLAR
    assert settlement.liabilities() == 150 * DOLLAR
    assert_emitted(tx, "Transfer", **{"from": ZERO_ADDRESS, "to": payer, "value": 10 * DOLLAR})


def test_an_entitlement_is_claimed_once(settlement, first, payer, stranger):
    settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": stranger})
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": stranger})


def test_giving_the_tokens_away_gives_no_second_claim(settlement, gift_token, first, payer, stranger):
    settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": payer})
    gift_token.transfer(stranger, 10 * DOLLAR, {"from": payer})
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": payer})


def test_a_single_leaf_is_its_own_root(settlement, gift_token, settle, payer):
    number = settle(BatchTree([(payer, DOLLAR)], payments=None), DOLLAR)
    settlement.claim(number, payer, DOLLAR, [], {"from": payer})
    assert gift_token.balanceOf(payer) == DOLLAR


@pytest.mark.parametrize("wrong", ["amount", "account", "proof", "batch", "empty"])
def test_a_proof_proves_its_own_leaf_alone(settlement, first, payer, other_payer, stranger, wrong):
    number, account, amount, proof = 1, payer, 10 * DOLLAR, first.proof(payer)
    if wrong == "amount":
        amount += 1
    elif wrong == "account":
        account = stranger
    elif wrong == "proof":
        proof = first.proof(other_payer)
    elif wrong == "batch":
        number = 2
    else:
        proof = []
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.claim(number, account, amount, proof, {"from": stranger})


def test_a_leaf_hashed_once_is_no_leaf(settlement, settle, payer):
    # Inner nodes are hashed once; were leaves too, an inner node could be passed off as an account's entitlement.
    number = settle(BatchTree([(payer, DOLLAR)], payments=None), DOLLAR)
    once = keccak(encode(["address", "uint256"], [payer.address, DOLLAR]))
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.claim(number, payer, DOLLAR, [once], {"from": payer})


def test_the_payments_branch_proves_no_entitlement(settlement, settle, payer):
    # A payment's leaf is hashed twice too, but over five words: it cannot be told to be an account and an amount.
    payment = ["bytes32", "bytes32", "uint256", "uint256", "address"]
    paid = keccak(keccak(encode(payment, [keccak(text="pay_1"), bytes(32), DOLLAR, DOLLAR, payer.address])))
    tree = BatchTree([(payer, 1)], payments=paid)
    number = settle(tree, 1)
    for proof in ([leaf(payer, 1)], [paid], []):
        with reverts_with("GiftSettlement_InvalidProof"):
            settlement.claim(number, payer, DOLLAR, proof, {"from": payer})


def test_a_branch_cannot_be_passed_off_as_its_own_tree(settlement, first, payer):
    assert first.proof(payer)[-1] == PAYMENTS
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer)[:-1], {"from": payer})


def test_a_batch_without_entitlements_has_nothing_to_claim(settlement, settle, payer):
    number = settle(None, 0)
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.claim(number, payer, 0, [], {"from": payer})


# --------------------------------------------------------------------- cumulative


def test_a_missed_claim_loses_nothing(settlement, gift_token, second, payer):
    tx = settlement.claim(2, payer, 25 * DOLLAR, second.proof(payer), {"from": payer})
    assert gift_token.balanceOf(payer) == 25 * DOLLAR
    assert_emitted(tx, "Transfer", **{"from": ZERO_ADDRESS, "to": payer, "value": 25 * DOLLAR})


def test_an_old_proof_stays_good_after_a_newer_root(settlement, gift_token, first, second, payer):
    settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": payer})
    tx = settlement.claim(2, payer, 25 * DOLLAR, second.proof(payer), {"from": payer})
    assert gift_token.balanceOf(payer) == 25 * DOLLAR
    assert_emitted(tx, "Transfer", **{"from": ZERO_ADDRESS, "to": payer, "value": 15 * DOLLAR})


def test_an_old_proof_mints_nothing_on_top_of_a_newer_one(settlement, first, second, payer):
    settlement.claim(2, payer, 25 * DOLLAR, second.proof(payer), {"from": payer})
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10 * DOLLAR, first.proof(payer), {"from": payer})


# ---------------------------------------------------------------------- claimMany


@pytest.mark.parametrize("picked", [[0], [1, 3], [0, 2, 4], [0, 1, 2, 3, 4]])
def test_one_multiproof_mints_to_many(settlement, gift_token, first, members, stranger, picked):
    some = [members[i] for i in picked]

    tx = settlement.claimMany(1, *first.multiproof(some), {"from": stranger})

    for i, member in enumerate(members):
        assert gift_token.balanceOf(member) == (10 * DOLLAR * (i + 1) if i in picked else 0)
    total = sum(10 * DOLLAR * (i + 1) for i in picked)
    assert gift_token.totalSupply() == total
    assert settlement.unclaimed() == 150 * DOLLAR - total
    assert {event["to"] for event in emitted(tx, "Transfer")} == set(plain(some))


def test_claim_many_tells_how_much_it_minted(settlement, first, members, stranger):
    minted = settlement.claimMany.call(1, *first.multiproof(members), {"from": stranger})
    assert minted == 150 * DOLLAR


def test_accounts_with_nothing_to_claim_are_passed_over(settlement, gift_token, first, members, stranger):
    settlement.claim(1, members[0], 10 * DOLLAR, first.proof(members[0]), {"from": stranger})

    tx = settlement.claimMany(1, *first.multiproof(members), {"from": stranger})

    assert gift_token.balanceOf(members[0]) == 10 * DOLLAR
    assert len(emitted(tx, "Transfer")) == 4


def test_claiming_all_twice_mints_once(settlement, gift_token, first, members, stranger):
    for _ in range(2):
        settlement.claimMany(1, *first.multiproof(members), {"from": stranger})
    assert gift_token.totalSupply() == 150 * DOLLAR
    assert settlement.unclaimed() == 0


def test_claiming_for_nobody_mints_nothing(settlement, gift_token, first, stranger):
    settlement.claimMany(1, *first.multiproof([]), {"from": stranger})
    assert gift_token.totalSupply() == 0


def test_an_account_that_a_root_names_twice_has_the_higher_entitlement(settlement, gift_token, settle, payer):
    number = settle(BatchTree([(payer, 10), (payer, 15)], payments=None), 25)
    # Both leaves are the tree's root's children: no further proof is needed.
    settlement.claimMany(number, [word(payer, 10), word(payer, 15)], [], [True], {"from": payer})
    assert gift_token.balanceOf(payer) == 15


def test_accounts_and_proof_must_pair(settlement, first, members, stranger):
    entitlements, proof, flags = first.multiproof(members)
    with reverts_with("MerkleProofInvalidMultiproof"):
        settlement.claimMany(1, entitlements[:-1], proof, flags, {"from": stranger})


@pytest.mark.parametrize("wrong", ["amount", "account", "batch"])
def test_a_multiproof_proves_its_own_leaves_alone(settlement, first, members, stranger, wrong):
    entitlements, proof, flags = first.multiproof(members[:2])
    if wrong == "amount":
        entitlements[0] += 1
    elif wrong == "account":
        entitlements[0] = word(stranger, entitlements[0] % 2**96)
    with reverts_with("GiftSettlement_InvalidProof"):
        settlement.claimMany(2 if wrong == "batch" else 1, entitlements, proof, flags, {"from": stranger})


def test_a_malformed_multiproof_is_refused(settlement, first, members, stranger):
    entitlements, proof, flags = first.multiproof(members[:2])
    with reverts_with("MerkleProofInvalidMultiproof"):
        settlement.claimMany(1, entitlements, proof, [*flags, True], {"from": stranger})
