"""Tokens and collectors that call back into PaymentChannels while it moves money."""

import pytest
from brownie import ContractWallet, TrickCollector, TrickToken

from support import DOLLAR
from support.books import assert_escrow_is_covered
from support.clock import travel
from support.errors import OVERFLOW, reverts_with
from support.events import assert_emitted, emitted
from support.packing import pack

GUARDED = ["deposit", "claim", "claimWithSignature", "settle", "refund", "refundWithSignature", "finalizeWithdraw"]


@pytest.fixture(scope="module")
def token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def trick_collector(module_isolation, admin):
    return TrickCollector.deploy({"from": admin})


@pytest.fixture(scope="module")
def channel(new_channel, token):
    return new_channel(100 * DOLLAR, token=token)


@pytest.fixture(scope="module")
def reentry(channels, channel, collector, merchant, token):
    """Calldata for every function that moves money or claims."""
    arguments = {
        "deposit": (channel.config, DOLLAR, collector, b""),
        "claim": ([channel.claim(DOLLAR)],),
        "claimWithSignature": ([channel.claim(DOLLAR)], b""),
        "settle": (merchant, token),
        "refund": (channel.config, DOLLAR),
        "refundWithSignature": (channel.config, DOLLAR, 0, b""),
        "finalizeWithdraw": (channel.config,),
    }
    return {name: getattr(channels, name).encode_input(*arguments[name]) for name in GUARDED}


@pytest.mark.parametrize("function", GUARDED)
def test_a_collector_cannot_call_back(channels, channel, trick_collector, reentry, payer, function):
    trick_collector.setCall(channels, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.deposit(channel.config, DOLLAR, trick_collector, b"", {"from": payer})


@pytest.mark.parametrize("function", GUARDED)
def test_a_token_cannot_call_back_while_a_claim_is_settled(
    channels, channel, token, reentry, merchant, payer, function
):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    token.setHook(channels, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.settle(merchant, token, {"from": merchant})


def test_a_token_cannot_call_back_during_a_refund(channels, channel, token, reentry, merchant, payer):
    token.setHook(channels, reentry["refund"], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.refund(channel.config, DOLLAR, {"from": merchant})


def test_a_token_cannot_call_back_during_a_withdrawal(channels, channel, token, reentry, payer):
    channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})
    travel(channel.delay)
    token.setHook(channels, reentry["finalizeWithdraw"], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.finalizeWithdraw(channel.config, {"from": payer})


def test_a_multicall_is_no_way_around_the_guard(channels, channel, trick_collector, reentry, payer):
    wrapped = channels.multicall.encode_input([reentry["settle"]])
    trick_collector.setCall(channels, wrapped, {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.deposit(channel.config, DOLLAR, trick_collector, b"", {"from": payer})


def test_announcing_in_the_middle_of_a_withdrawal_gains_nothing(channels, new_channel, token, keys, payer):
    # The one function without the guard; the payer is a wallet that the token calls while it is being paid.
    wallet = ContractWallet.deploy(token, {"from": payer})  # obeys the token
    trick_collector = TrickCollector.deploy({"from": payer})
    channel = new_channel(0, payer=wallet.address, token=token)
    token.mint(trick_collector, 100 * DOLLAR, {"from": payer})
    bring = token.transfer.encode_input(channels, 100 * DOLLAR)
    trick_collector.setCall(token, bring, {"from": payer})
    channels.deposit(channel.config, 100 * DOLLAR, trick_collector, b"", {"from": payer})
    announce = channels.initiateWithdraw.encode_input(channel.config, 60 * DOLLAR)
    token.mint(payer, 1, {"from": payer})
    token.setHook(wallet, wallet.execute.encode_input(channels, announce), {"from": payer})
    token.transfer(payer, 1, {"from": payer})  # sets off the hook: the wallet announces
    travel(channel.delay)

    too_much = channels.initiateWithdraw.encode_input(channel.config, 41 * DOLLAR)
    token.setHook(wallet, wallet.execute.encode_input(channels, too_much), {"from": payer})
    with reverts_with("PaymentChannels_ExceedsAvailable", channel.id, 41 * DOLLAR, 40 * DOLLAR):
        channels.finalizeWithdraw(channel.config, {"from": payer})


# ------------------------------------------------------------------ claimPacked, which has no guard


@pytest.fixture(scope="module")
def wallet(token, payer):
    """A receiver that the token calls when it is to claim; it obeys nobody else."""
    return ContractWallet.deploy(token, {"from": payer})


@pytest.fixture(scope="module")
def wallets_channel(new_channel, token, wallet):
    return new_channel(50 * DOLLAR, token=token, receiver=wallet.address, salt=2)


@pytest.fixture(params=["before the balances change", "after the balances have changed"])
def claim_amid(request, channels, token, wallet, wallets_channel, payer):
    """The token's next transfer makes the wallet claim 40 dollars."""
    set_hook = token.setHookBefore if request.param.startswith("before") else token.setHook
    claim = channels.claimPacked.encode_input(token, pack(wallets_channel.packed(40 * DOLLAR)))

    def claim_amid():
        set_hook(wallet, wallet.execute.encode_input(channels, claim), {"from": payer})

    return claim_amid


@pytest.fixture
def wallet_is_paid(channels, token, wallet, wallets_channel):
    def wallet_is_paid():
        assert token.balanceOf(wallet) == 40 * DOLLAR
        assert wallets_channel.state == (50 * DOLLAR, 40 * DOLLAR)
        assert_escrow_is_covered(channels, token, since=token.tx.block_number)

    return wallet_is_paid


def test_a_packed_claim_amid_a_deposit_makes_the_deposit_smaller_and_never_larger(
    channels, channel, token, trick_collector, claim_amid, wallet_is_paid, payer
):
    token.mint(trick_collector, 60 * DOLLAR, {"from": payer})
    bring = token.transfer.encode_input(channels, 60 * DOLLAR)
    trick_collector.setCall(token, bring, {"from": payer})
    claim_amid()
    tx = channels.deposit(channel.config, 60 * DOLLAR, trick_collector, b"", {"from": payer})
    assert emitted(tx, "Deposited")[0]["amount"] == 20 * DOLLAR
    assert channel.state == (120 * DOLLAR, 0)
    wallet_is_paid()


def test_a_deposit_that_a_packed_claim_outweighs_is_refused(
    channels, channel, token, trick_collector, claim_amid, payer
):
    token.mint(trick_collector, 39 * DOLLAR, {"from": payer})
    trick_collector.setCall(token, token.transfer.encode_input(channels, 39 * DOLLAR), {"from": payer})
    claim_amid()
    with reverts_with("Panic", OVERFLOW):
        channels.deposit(channel.config, 39 * DOLLAR, trick_collector, b"", {"from": payer})


def test_a_packed_claim_amid_a_settlement_takes_its_own(channels, channel, token, claim_amid, wallet_is_paid, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    claim_amid()
    channels.settle(merchant, token, {"from": merchant})
    assert token.balanceOf(merchant) == 30 * DOLLAR
    wallet_is_paid()


def test_a_packed_claim_amid_a_refund_takes_its_own(channels, channel, token, claim_amid, wallet_is_paid, merchant):
    claim_amid()
    channels.refund(channel.config, 70 * DOLLAR, {"from": merchant})
    assert channel.state == (30 * DOLLAR, 0)
    wallet_is_paid()


def test_a_packed_claim_amid_a_withdrawal_takes_its_own(channels, channel, token, claim_amid, wallet_is_paid, payer):
    channels.initiateWithdraw(channel.config, 100 * DOLLAR, {"from": payer})
    travel(channel.delay)
    claim_amid()
    channels.finalizeWithdraw(channel.config, {"from": payer})
    assert channel.state == (0, 0)
    wallet_is_paid()


def test_a_channel_that_is_refunded_pays_nothing_more_in_the_middle_of_it(
    channels, token, wallet, wallets_channel, authorizer, claim_amid
):
    # The claim finds the refund counted already, so it is skipped although the money is still there.
    claim_amid()
    channels.refund(wallets_channel.config, 50 * DOLLAR, {"from": authorizer})
    assert token.balanceOf(wallet) == 0
    assert wallets_channel.state == (0, 0)


def test_a_packed_claim_amid_another_takes_its_own(channels, channel, token, claim_amid, wallet_is_paid, merchant):
    claim_amid()
    channels.claimPacked(token, pack(channel.packed(30 * DOLLAR)), {"from": merchant})
    assert token.balanceOf(merchant) == 30 * DOLLAR
    wallet_is_paid()


@pytest.mark.parametrize("hook", ["setHook", "setHookBefore"])
def test_the_same_claim_amid_itself_is_paid_once(channels, new_channel, token, trick_collector, payer, hook):
    # The collector serves as a receiver that does the same call whoever asks it.
    channel = new_channel(50 * DOLLAR, token=token, receiver=trick_collector.address, salt=3)
    claim = channels.claimPacked.encode_input(token, pack(channel.packed(40 * DOLLAR)))
    trick_collector.setCall(channels, claim, {"from": payer})
    again = trick_collector.collect.encode_input(payer, token, 0, bytes(32), b"")
    getattr(token, hook)(trick_collector, again, {"from": payer})

    tx = trick_collector.collect(payer, token, 0, bytes(32), b"", {"from": payer})

    assert sorted(event["amount"] for event in emitted(tx, "PackedClaimed")) == [0, 40 * DOLLAR]
    assert token.balanceOf(trick_collector) == 40 * DOLLAR
    assert_escrow_is_covered(channels, token, since=token.tx.block_number)


@pytest.mark.parametrize("hook", ["setHook", "setHookBefore"])
def test_a_deposit_amid_a_packed_claim_is_credited_in_full_and_once(
    channels, channel, token, collector, merchant, payer, hook
):
    token.mint(payer, 7 * DOLLAR, {"from": payer})
    data = channel.deposit_data(7 * DOLLAR, salt=9)
    deposit = channels.deposit.encode_input(channel.config, 7 * DOLLAR, collector, data)
    getattr(token, hook)(channels, deposit, {"from": payer})

    tx = channels.claimPacked(token, pack(channel.packed(30 * DOLLAR)), {"from": merchant})

    assert_emitted(
        tx,
        "Deposited",
        channelId=channel.id,
        receiver=merchant,
        amount=7 * DOLLAR,
        balance=107 * DOLLAR,
    )
    assert channel.state == (107 * DOLLAR, 30 * DOLLAR)
    assert token.balanceOf(merchant) == 30 * DOLLAR
    assert_escrow_is_covered(channels, token, since=token.tx.block_number)


@pytest.mark.parametrize("function", ["claim", "settle", "refund", "finalizeWithdraw"])
@pytest.mark.parametrize("hook", ["setHook", "setHookBefore"])
def test_the_guarded_calls_amid_a_packed_claim_take_their_own(
    channels, channel, new_channel, token, merchant, other_merchant, payer, hook, function
):
    """All other ways out of the escrow, in the middle of a packed claim's payout."""
    authorized = {"receiver": other_merchant.address, "receiver_authorizer": token.address}
    other = new_channel(50 * DOLLAR, token=token, salt=4, **authorized)
    channels.claim([other.claim(10 * DOLLAR)], {"from": other_merchant})
    channels.initiateWithdraw(other.config, 20 * DOLLAR, {"from": payer})
    travel(other.delay)
    arguments = {
        "claim": ([other.claim(15 * DOLLAR)],),
        "settle": (other_merchant, token),
        "refund": (other.config, 25 * DOLLAR),
        "finalizeWithdraw": (other.config,),
    }
    call = getattr(channels, function).encode_input(*arguments[function])
    getattr(token, hook)(channels, call, {"from": payer})

    channels.claimPacked(token, pack(channel.packed(30 * DOLLAR)), {"from": merchant})

    assert token.balanceOf(merchant) == 30 * DOLLAR
    assert token.balanceOf(other_merchant) == (10 * DOLLAR if function == "settle" else 0)
    assert token.balanceOf(payer) == {"refund": 25 * DOLLAR, "finalizeWithdraw": 20 * DOLLAR}.get(function, 0)
    assert other.state[1] == (15 * DOLLAR if function == "claim" else 10 * DOLLAR)
    assert_escrow_is_covered(channels, token, since=token.tx.block_number)
