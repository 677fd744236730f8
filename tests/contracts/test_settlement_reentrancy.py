"""A reserve asset that calls back into GiftSettlement while it moves, before its balances change or after."""

from contextlib import suppress

import pytest
from brownie import ContractWallet, TrickToken
from brownie.exceptions import VirtualMachineError

from scripts.deploy import deploy
from support import FOREVER
from support.batches import batch
from support.books import assert_settlement_is_solvent
from support.errors import mine_a_failure, reverts_with
from support.merkle import BatchTree
from support.packing import pack

GUARDED = ["gather", "fund", "claim", "claimMany", "redeem", "redeemWithAuthorization", "withdrawCredit"]
ALL = ["settle", *GUARDED]


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
def channel(trick_hub, token, new_channel):
    return new_channel(
        10,
        channels=trick_hub.channels,
        collector=trick_hub.collector,
        token=token,
        receiver=trick_hub.settlement.address,
    )


@pytest.fixture(scope="module")
def reentry(settlement, tree, payer, merchant):
    """Calldata for every function that moves money, mints or owes."""
    arguments = {
        # Owes what a payout of 10 leaves uncovered while it is counted already and has not left yet.
        "settle": (batch(2, credits=[(merchant, 10)]), b"", []),
        "gather": ([],),
        "fund": (1,),
        "claim": (1, payer, 40, tree.proof(payer)),
        "claimMany": (1, *tree.multiproof([payer])),
        "redeem": (1, payer),
        "redeemWithAuthorization": (payer, merchant, 1, 0, FOREVER, bytes(32), b""),
        "withdrawCredit": (merchant, 60),
    }
    return {name: getattr(settlement, name).encode_input(*arguments[name]) for name in ALL}


@pytest.fixture(params=["before the balances change", "after the balances have changed"])
def call_back(request, settlement, token, reentry, admin):
    """Each of these functions in turn: the asset's next transfer calls it."""
    set_hook = token.setHookBefore if request.param.startswith("before") else token.setHook

    def call_back(functions=GUARDED):
        for function in functions:
            set_hook(settlement, reentry[function], {"from": admin})
            yield

    return call_back


@pytest.fixture(autouse=True)
def trick_books(isolation, trick_hub):
    yield
    assert_settlement_is_solvent(trick_hub, since=trick_hub.settlement.tx.block_number)


def test_not_while_a_credit_is_paid_out(settlement, call_back, merchant):
    for _ in call_back():
        with reverts_with("ReentrancyGuardReentrantCall"):
            settlement.withdrawCredit(merchant, 10, {"from": merchant})


def test_not_while_tokens_are_redeemed(settlement, call_back, payer):
    for _ in call_back():
        with reverts_with("ReentrancyGuardReentrantCall"):
            settlement.redeem(10, payer, {"from": payer})


def test_not_while_a_sponsor_pays_in(settlement, token, call_back, sponsor):
    token.mint(sponsor, 10, {"from": sponsor})
    token.approve(settlement, 10, {"from": sponsor})
    for _ in call_back():
        with reverts_with("ReentrancyGuardReentrantCall"):
            settlement.fund(10, {"from": sponsor})


def test_not_while_vouchers_are_gathered(settlement, call_back, channel, settler):
    for _ in call_back():
        with reverts_with("ReentrancyGuardReentrantCall"):
            settlement.gather([channel.claim(10)], {"from": settler})


# ------------------------------------------------- settle, which has no guard


def test_a_batch_amid_a_payout_cannot_owe_what_is_on_its_way_out(settlement, call_back, payer, merchant):
    for _ in call_back(["settle"]):
        with reverts_with("GiftSettlement_Insolvent"):
            settlement.redeem(10, payer, {"from": payer})
    for _ in call_back(["settle"]):
        with reverts_with("GiftSettlement_Insolvent"):
            settlement.withdrawCredit(merchant, 10, {"from": merchant})


def test_a_multicall_is_no_way_around_it(settlement, token, reentry, payer, admin):
    token.setHookBefore(settlement, settlement.multicall.encode_input([reentry["settle"]]), {"from": admin})
    with reverts_with("GiftSettlement_Insolvent"):
        settlement.redeem(10, payer, {"from": payer})


def test_a_payout_and_a_batch_that_meet_in_one_transaction_leave_no_trace(settlement, token, reentry, payer, admin):
    """The worst order, mined: the batch would owe what the payout is about to take."""
    token.setHookBefore(settlement, reentry["settle"], {"from": admin})
    mine_a_failure(payer, settlement, settlement.redeem.encode_input(10, payer))
    assert settlement.liabilities() == token.balanceOf(settlement) == 100


def test_a_batch_amid_a_payout_may_owe_what_is_left(settlement, token, call_back, payer, merchant):
    token.mint(settlement, 20, {"from": payer})
    for _ in call_back(["settle"]):
        settlement.redeem(10, payer, {"from": payer})
    assert settlement.credits(merchant) == 70
    assert (settlement.liabilities(), token.balanceOf(settlement)) == (100, 110)


def test_whatever_happens_while_a_batch_is_settled_the_hub_stays_backed(
    settlement, token, call_back, channel, settler, payer
):
    token.mint(settlement, 50, {"from": payer})  # so that the inner call can succeed
    data = settlement.settle.encode_input(batch(2), pack(channel.packed(10)), [])
    for _ in call_back(ALL):
        with suppress(VirtualMachineError):
            settler.transfer(settlement, data=data, gas_limit=2_000_000)
        assert settlement.lastBatchId() in (1, 2)
        assert settlement.liabilities() <= token.balanceOf(settlement)


def test_an_inner_batch_comes_before_the_outer_which_is_then_too_late(settlement, token, call_back, channel, settler):
    token.mint(settlement, 10, {"from": settler})
    for _ in call_back(["settle"]):
        with reverts_with("GiftSettlement_AlreadySettled"):
            settlement.settle(batch(2), pack(channel.packed(10)), [], {"from": settler})


@pytest.mark.parametrize("hook", ["setHook", "setHookBefore"])
def test_somebody_elses_packed_claim_amid_a_batch_is_no_matter(
    settlement, trick_hub, token, channel, new_channel, settler, merchant, admin, hook
):
    """The channels have no guard there: another receiver is paid from within the hub's own claim."""
    wallet = ContractWallet.deploy(token, {"from": admin})  # obeys the token
    own = {"channels": trick_hub.channels, "collector": trick_hub.collector, "token": token}
    other = new_channel(7, receiver=wallet.address, **own)
    claim = trick_hub.channels.claimPacked.encode_input(token, pack(other.packed(7)))
    getattr(token, hook)(wallet, wallet.execute.encode_input(trick_hub.channels, claim), {"from": admin})

    settlement.settle(batch(2, credits=[(merchant, 10)]), pack(channel.packed(10)), [], {"from": settler})

    assert token.balanceOf(wallet) == 7
    assert settlement.liabilities() == token.balanceOf(settlement) == 110
