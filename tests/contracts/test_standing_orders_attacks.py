"""What an operator, a thief of its key, and strangers try with what a payer has signed."""

import pytest
from brownie import StandingOrders, TrickToken, accounts

from scripts.deploy import PRICE_WINDOW_S, deploy
from support import DOLLAR, FOREVER, ZERO_ADDRESS
from support.batches import batch
from support.clock import DAY, now, travel, travel_to
from support.errors import mine_a_failure, reverts_with
from support.events import assert_emitted, emitted
from support.orders import Rule, refusals, to
from support.packing import word
from support.signing import domain_of, malleated


@pytest.fixture(scope="module")
def alone(orders):
    """As the contract itself calls it, so that the error is seen itself."""

    def alone(conversion):
        orders.convertOne(conversion, {"from": accounts.at(orders.address, force=True)})

    return alone


@pytest.fixture
def convert(orders, settler):
    def convert(*conversions):
        return orders.convert(conversions, {"from": settler})

    return convert


# ---------------------------------------------------------- what she has not signed


@pytest.mark.parametrize(
    "change",
    ["recipient", "share", "token", "slippage", "kind", "another payer", "id", "words", "per_day", "valid_until", "one more"],
)
def test_not_a_word_of_a_rule_can_be_changed(rule, alone, payer, stranger, other_payer, change):
    (signed,) = rule.destinations
    kind, share, recipient, token, slippage = signed
    changed = {
        "recipient": {"destinations": ((kind, share, stranger.address, token, slippage),)},
        "share": {"destinations": ((kind, share - 1, recipient, token, slippage),)},
        "token": {"destinations": ((kind, share, recipient, stranger.address, slippage),)},
        "slippage": {"destinations": ((kind, share, recipient, token, slippage + 1),)},
        "kind": {"destinations": (("person", share, recipient, token, slippage),)},
        "one more": {"destinations": (signed, to("cash", stranger))},
        "another payer": {"payer": other_payer.address},
        "id": {"id": 2},
        "words": {"only": "merchant mer_1"},
        "per_day": {"per_day": rule.per_day - 1},
        "valid_until": {"valid_until": rule.valid_until - 1},
    }[change]
    false = rule.with_(**changed)
    with reverts_with("StandingOrders_InvalidSignature", false.payer):
        alone(false.conversion(DOLLAR, signature=rule.sign()))


def test_a_signature_is_good_for_this_contract_and_chain_alone(rule, orders, alone, payer):
    here = domain_of(orders)
    for other in ({"chainId": here["chainId"] + 1}, {"verifyingContract": payer.address}, {"version": "2"}):
        with reverts_with("StandingOrders_InvalidSignature"):
            alone(rule.conversion(DOLLAR, signature=rule.sign(here | other)))
    for broken in (malleated(rule.sign()), rule.sign()[:-1], b""):
        with reverts_with("StandingOrders_InvalidSignature"):
            alone(rule.conversion(DOLLAR, signature=broken))


def test_what_wallets_sign_is_what_the_contract_hashes(rule, orders, alone, payer, merchant):
    parts = to("savings", payer, 3_333), to("swap", merchant, 6_667, token=merchant, slippage=7)
    many = rule.with_(destinations=parts, gather="3.5% of the price, 합계", only="category 커피", id=2**64 - 1)
    with reverts_with("StandingOrders_ZeroAmount"):  # past the signature
        alone(many.conversion(0))


# ------------------------------------------------------------- again, and too much


def test_a_number_is_carried_out_once(rule, convert, alone, payer):
    convert(rule.conversion(DOLLAR, number=300))
    with reverts_with("StandingOrders_AlreadyConverted", payer, 1, 300):
        alone(rule.conversion(DOLLAR, number=300))
    assert refusals(convert(rule.conversion(DOLLAR, number=301), rule.with_(id=2).conversion(DOLLAR, number=300))) == []


def test_no_more_than_is_signed_moves_on_a_day(rule, orders, convert, alone, payer):
    limited = rule.with_(per_day=10 * DOLLAR)
    travel_to((now() // DAY + 1) * DAY)
    convert(limited.conversion(6 * DOLLAR, 1), limited.conversion(4 * DOLLAR, 2))
    assert orders.movedToday(payer, 1) == 10 * DOLLAR
    with reverts_with("StandingOrders_ExceedsDay", 10 * DOLLAR + 1, 10 * DOLLAR):
        alone(limited.conversion(1, 3))
    travel(DAY)
    assert orders.movedToday(payer, 1) == 0
    assert refusals(convert(limited.conversion(10 * DOLLAR, 3))) == []


def test_another_rule_of_the_same_number_shares_its_day(rule, convert, alone, merchant):
    """Who signs a second rule with a number that she has used does not double what may be moved."""
    limited = rule.with_(per_day=10 * DOLLAR)
    travel_to((now() // DAY + 1) * DAY)
    convert(limited.conversion(6 * DOLLAR, 1))
    with reverts_with("StandingOrders_ExceedsDay"):
        alone(limited.with_(only="category coffee").conversion(5 * DOLLAR, 2))


def test_no_destination_gets_more_than_its_share_of_a_day(rule, convert, alone, payer, merchant, stranger):
    """The operator cannot pour everything into the destination that it likes best."""
    parts = rule.with_(
        per_day=10 * DOLLAR + 1,
        destinations=(to("cash", payer, 9_000), to("person", stranger, 1_000)),
    )
    travel_to((now() // DAY + 1) * DAY)
    convert(parts.conversion(DOLLAR, 1, destination=1))
    with reverts_with("StandingOrders_ExceedsDay", DOLLAR + 3, DOLLAR + 2):  # two units may come by rounding
        alone(parts.conversion(3, 2, destination=1))
    assert refusals(convert(parts.conversion(9 * DOLLAR, 3))) == []


# ----------------------------------------------------------------------- the end


def test_a_rule_ends_when_it_says_so(rule, alone, convert):
    ends = rule.with_(valid_until=now() + 100)
    assert refusals(convert(ends.conversion(DOLLAR))) == []
    travel(101)
    with reverts_with("StandingOrders_Expired", ends.valid_until):
        alone(ends.conversion(DOLLAR, 2))


def test_its_payer_ends_a_rule_for_ever_and_nobody_else_does(rule, orders, alone, convert, payer, stranger):
    orders.cancel(1, {"from": stranger})
    assert refusals(convert(rule.conversion(DOLLAR))) == []
    tx = orders.cancel(1, {"from": payer})
    assert_emitted(tx, "RuleCancelled", payer=payer, id=1)
    assert orders.cancelled(payer, 1)
    with reverts_with("StandingOrders_Cancelled", payer, 1):
        alone(rule.conversion(DOLLAR, 2))
    with reverts_with("StandingOrders_Cancelled", payer, 1):
        alone(rule.with_(only="category coffee").conversion(DOLLAR, 2))
    assert refusals(convert(rule.with_(id=2).conversion(DOLLAR, 2))) == []


def test_nothing_is_left_in_the_contract(rule, orders, convert, vault, dex, gift_token, asset, payer, merchant):
    parts = rule.with_(
        destinations=(
            to("savings", payer, 2_500),
            to("cash", payer, 2_500),
            to("swap", payer, 2_500, token=dex.weth, slippage=500),
            to("person", merchant, 2_500),
        )
    )
    tx = convert(*(parts.conversion(DOLLAR, n, destination=n) for n in range(4)))
    assert refusals(tx) == []
    for token in (gift_token, asset, vault, dex.weth):
        assert token.balanceOf(orders) == 0


# ------------------------------------------------------------------ reentrancy


@pytest.fixture(scope="module")
def token(orders, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def trick(token, admin, settler, payer):
    """A hub whose asset calls out while it moves, and has even the settler's role."""
    trick = deploy(admin, asset=token.address, admin=admin, settler=settler)
    token.mint(trick.settlement, 100 * DOLLAR, {"from": admin})
    mints = [word(payer, 100 * DOLLAR)]
    trick.settlement.settle(batch(1, entitled=100 * DOLLAR), b"", mints, {"from": settler})
    trick.settlement.grantRole(trick.settlement.SETTLER_ROLE(), token, {"from": admin})
    trick.gift_token.approve(trick.standing_orders, FOREVER, {"from": payer})
    return trick


@pytest.mark.parametrize("first", [True, False], ids=["before balances move", "after"])
@pytest.mark.parametrize("function", ["convert", "convertOne", "uniswapV3SwapCallback"])
def test_an_asset_that_calls_back_gets_nothing_out(trick, token, keys, settler, payer, merchant, stranger, function, first):
    orders = trick.standing_orders
    rule = Rule(orders, payer.address, keys[payer.address], (to("cash", merchant),))
    again = rule.conversion(DOLLAR, number=2)
    data, error = {
        "convert": (orders.convert.encode_input([again]), "ReentrancyGuardReentrantCall"),
        "convertOne": (orders.convertOne.encode_input(again), "StandingOrders_CallerNotSelf"),
        "uniswapV3SwapCallback": (
            orders.uniswapV3SwapCallback.encode_input(1, 1, bytes(12) + bytes.fromhex(token.address[2:])),
            "StandingOrders_CallerNotPool",
        ),
    }[function]
    (token.setHookBefore if first else token.setHook)(orders, data, {"from": stranger})

    tx = orders.convert([rule.conversion(DOLLAR)], {"from": settler})

    assert [name for name, _ in refusals(tx)] == [error]
    assert trick.gift_token.balanceOf(payer) == 100 * DOLLAR


def test_an_asset_that_is_called_during_a_cash_out_may_cancel_for_itself_only(trick, token, keys, settler, payer, merchant, stranger):
    orders = trick.standing_orders
    token.setHook(orders, orders.cancel.encode_input(1), {"from": stranger})
    rule = Rule(orders, payer.address, keys[payer.address], (to("cash", merchant),))
    tx = orders.convert([rule.conversion(DOLLAR)], {"from": settler})
    assert len(emitted(tx, "Converted")) == 1
    assert orders.cancelled(token, 1) and not orders.cancelled(payer, 1)
