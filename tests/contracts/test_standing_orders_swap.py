"""Swaps in Uniswap's own pool: bounded by the payer's slippage against the pool's mean price, whatever the operator says."""

import math

import pytest
from brownie import StandingOrders, TestDollar, TrickPool, accounts

from scripts.deploy import PRICE_WINDOW_S
from support import DOLLAR, FOREVER, ZERO_ADDRESS
from support.clock import travel
from support.dex import ETHER, FEE, PRICE
from support.errors import reverts_with
from support.events import assert_emitted, emitted
from support.orders import Rule, refusals, to


@pytest.fixture(scope="module")
def swap(rule, dex, payer):
    """All becomes ether in the payer's wallet, at most 1 % below the mean price; the pool's fee takes 0.3 %."""
    return rule.with_(destinations=(to("swap", payer, token=dex.weth, slippage=100),))


@pytest.fixture
def convert(orders, settler):
    def convert(*conversions):
        return orders.convert(conversions, {"from": settler})

    return convert


@pytest.fixture
def alone(orders):
    """As the contract itself calls it, so that the error is seen itself."""

    def alone(conversion):
        orders.convertOne(conversion, {"from": accounts.at(orders.address, force=True)})

    return alone


# ------------------------------------------------------------------------ swaps


def test_gift_tokens_become_ether(swap, convert, dex, gift_token, settlement, payer):
    tokens, owed = gift_token.balanceOf(payer), settlement.liabilities()

    tx = convert(swap.conversion(6 * DOLLAR))

    got = int(dex.weth.balanceOf(payer))
    assert emitted(tx, "Converted")[0]["received"] == got
    assert got == pytest.approx(6 * DOLLAR * ETHER / PRICE * 0.997, rel=2e-4)
    assert gift_token.balanceOf(payer) == tokens - 6 * DOLLAR
    assert settlement.liabilities() == owed - 6 * DOLLAR


def test_the_operators_minimum_holds_when_the_price_moves_after_its_quote(swap, convert, dex, gift_token, payer, stranger):
    tokens = gift_token.balanceOf(payer)
    quoted = 6 * DOLLAR * ETHER // PRICE * 997 // 1000
    dex.push(200 * DOLLAR, stranger)  # ether is 0.7 % dearer now

    tx = convert(swap.conversion(6 * DOLLAR, minimum=quoted * 995 // 1000))

    ((name, (received, minimum)),) = refusals(tx)
    assert name == "StandingOrders_TooLittleReceived"
    assert received < minimum == quoted * 995 // 1000
    assert gift_token.balanceOf(payer) == tokens
    assert dex.weth.balanceOf(payer) == 0


def test_an_operator_that_asks_for_nothing_cannot_sell_below_the_payers_limit(swap, orders, alone, dex, stranger):
    """As one does that trades before a swap, to trade back after it."""
    least = orders.leastFor(dex.weth, 6 * DOLLAR, 100)
    dex.push(5_000 * DOLLAR, stranger)
    with reverts_with("StandingOrders_TooLittleReceived"):
        alone(swap.conversion(6 * DOLLAR, minimum=0))
    # The mean has hardly moved.
    assert int(orders.leastFor(dex.weth, 6 * DOLLAR, 100)) == pytest.approx(int(least), rel=1e-3)


def test_when_the_price_stays_the_mean_comes_after(swap, orders, convert, dex, stranger):
    dex.push(5_000 * DOLLAR, stranger)
    travel(PRICE_WINDOW_S + 1)
    assert refusals(convert(swap.conversion(6 * DOLLAR))) == []


def test_what_is_no_slippage_at_all_is_less_than_the_fee(swap, alone, dex, payer):
    strict = swap.with_(destinations=(to("swap", payer, token=dex.weth, slippage=29),))
    with reverts_with("StandingOrders_TooLittleReceived"):
        alone(strict.conversion(6 * DOLLAR))


def test_a_slippage_beyond_everything_is_no_limit(orders, dex):
    assert orders.leastFor(dex.weth, DOLLAR, 10_000) == orders.leastFor(dex.weth, DOLLAR, 65_535) == 0


# --------------------------------------------------------------------- listings


def test_a_pool_is_listed_once_by_the_admin(orders, dex, admin, settler):
    with reverts_with("StandingOrders_CallerNotAdmin", settler):
        orders.listPool(dex.weth, FEE, {"from": settler})
    with reverts_with("StandingOrders_PoolListed", dex.weth):
        orders.listPool(dex.weth, FEE, {"from": admin})
    assert orders.pools(dex.weth) == dex.pool


def test_only_uniswaps_own_pools_are(hub, orders, dex, alone, swap, payer, admin):
    other = TestDollar.deploy({"from": admin})
    with reverts_with("StandingOrders_NoPool", other):
        orders.listPool(other, FEE, {"from": admin})
    unknown = swap.with_(destinations=(to("swap", payer, token=other),))
    with reverts_with("StandingOrders_NoPool", other):
        alone(unknown.conversion(DOLLAR))
    with reverts_with("StandingOrders_NoPool", dex.weth):  # this hub knows no factory
        hub.standing_orders.listPool(dex.weth, FEE, {"from": admin})


def test_a_pool_too_young_for_a_mean_price_sells_nothing(hub, dex, admin, payer):
    other = TestDollar.deploy({"from": admin})
    first, second = sorted((hub.asset.address, other.address), key=lambda address: int(address, 16))
    dex.positions.createAndInitializePoolIfNecessary(first, second, FEE, 2**96, {"from": admin})
    young = StandingOrders.deploy(hub.settlement, hub.vault, hub.badges, dex.factory, PRICE_WINDOW_S, {"from": admin})
    tx = young.listPool(other, FEE, {"from": admin})
    assert_emitted(tx, "PoolListed", token=other, pool=young.pools(other))
    with reverts_with("Error", "OLD"):
        young.leastFor.transact(other, DOLLAR, 100, {"from": payer})


# ---------------------------------------------------------- pools that are none


@pytest.fixture(scope="module", params=[True, False], ids=["asset is token0", "asset is token1"])
def trick(request, hub, orders, gift_token, admin, payer, keys):
    """Standing orders that were deployed with a false factory: the worst that a deployer can do."""
    while True:
        bought = TestDollar.deploy({"from": admin})
        if (int(hub.asset.address, 16) < int(bought.address, 16)) == request.param:
            break
    first = hub.asset if request.param else bought
    pool = TrickPool.deploy(first, bought, {"from": admin})
    bought.mint(pool, 1_000 * DOLLAR, {"from": admin})
    its = StandingOrders.deploy(hub.settlement, hub.vault, hub.badges, pool, PRICE_WINDOW_S, {"from": admin})
    its.listPool(bought, FEE, {"from": admin})
    gift_token.approve(its, FOREVER, {"from": payer})
    rule = Rule(its, payer.address, keys[payer.address], (to("swap", payer, token=bought, slippage=100),))
    return its, pool, rule


def test_a_pool_gets_no_more_than_is_sold_and_gives_no_less_than_signed(trick, gift_token, asset, settler, payer):
    its, pool, rule = trick
    tokens = gift_token.balanceOf(payer)
    good = 99 * DOLLAR // 100

    def refused(gives: int, asks: int, tells: int, failure: bytes = b"") -> tuple:
        pool.set(gives, asks, tells, failure, {"from": payer})
        tx = its.convert([rule.conversion(DOLLAR)], {"from": settler})
        return refusals(tx)[0] if emitted(tx, "NotConverted") else None

    assert refused(good - 1, DOLLAR, DOLLAR) == ("StandingOrders_TooLittleReceived", (good - 1, good))
    assert refused(good, DOLLAR + 1, DOLLAR)[0] == "ERC20InsufficientBalance"
    pool.set(good, DOLLAR - 1, DOLLAR - 1, b"", {"from": payer})
    with reverts_with("StandingOrders_TooThin", DOLLAR - 1, DOLLAR):
        its.convertOne(rule.conversion(DOLLAR), {"from": accounts.at(its.address, force=True)})
    assert gift_token.balanceOf(payer) == tokens
    assert refused(good, DOLLAR, DOLLAR) is None
    assert gift_token.balanceOf(payer) == tokens - DOLLAR
    assert asset.balanceOf(pool) == DOLLAR


def test_of_a_long_reason_the_beginning_is_told(trick, settler, payer):
    its, pool, rule = trick
    pool.set(0, 0, 0, b"\x11" * 10_000, {"from": payer})
    tx = its.convert([rule.conversion(DOLLAR)], {"from": settler})
    assert emitted(tx, "NotConverted")[0]["reason"] == "0x" + "11" * 256


def test_nobody_but_a_listed_pool_is_paid(orders, dex, asset, stranger):
    asset.mint(orders, DOLLAR, {"from": stranger})  # a gift by mistake
    data = bytes(12) + bytes.fromhex(dex.weth.address[2:])
    with reverts_with("StandingOrders_CallerNotPool", stranger):
        orders.uniswapV3SwapCallback(DOLLAR, 0, data, {"from": stranger})


# ----------------------------------------------------------------- mean prices


@pytest.mark.parametrize("tick", [0, 1, -1, 60, -887, 23_027, -196_256, 196_256, 400_000, -400_000])
def test_a_tick_is_the_logarithm_of_the_price(trick, tick):
    _, pool, _ = trick
    amount = 2**80
    for of_token0, price in ((True, 1.0001**tick), (False, 1.0001**-tick)):
        assert int(pool.worth(amount, tick, of_token0)) == pytest.approx(amount * price, rel=1e-9, abs=1)


def test_no_amount_and_no_price_of_uniswaps_is_too_much(trick):
    _, pool, _ = trick
    for tick in (443_636, -443_636):  # 2^64 and its inverse
        for of_token0 in (True, False):
            assert int(pool.worth(2**96 - 1, tick, of_token0)) == pytest.approx(
                (2**96 - 1) * math.exp((tick if of_token0 else -tick) * math.log(1.0001)), rel=1e-6, abs=1
            )
