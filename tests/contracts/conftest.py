"""Roles, a deployment that every test begins with, and the checks that follow every test."""

import gc
from pathlib import Path

import pytest
from brownie import Multicall3, StandingOrders, accounts, chain
from eth_account import Account

from scripts.deploy import PRICE_WINDOW_S, deploy, set_gas_price
from support import DOLLAR, FOREVER, briefly, coverage, networks
from support.batches import batch
from support.books import assert_both
from support.channel import Channel
from support.clock import travel
from support.dex import FEE
from support.dex import deploy as deploy_dex
from support.orders import Rule, to
from support.packing import word

networks.prepare()


# ---------------------------------------------------------- what a run looks at


def pytest_addoption(parser):
    parser.addoption("--note", type=Path, help="the file to note in what each test asks of the node")
    parser.addoption("--briefly", type=Path, help="such a file: few tests, which ask for all that is noted there")


def pytest_configure(config):
    briefly.prepare(config)
    if config.getoption("--coverage"):
        coverage.prepare()


def pytest_collection_modifyitems(config, items):
    briefly.choose(items, config.getoption("--briefly"))


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        briefly.test_has_ended(report.nodeid)


def pytest_sessionfinish(session):
    briefly.save(session.config.getoption("--note"))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    if coverage.is_on():
        lines, enough = coverage.table()
        terminalreporter.section("Statements and branches of contracts/")
        terminalreporter.write_line("\n".join(lines))
        if not enough:
            terminalreporter.write_line(f"less than {coverage.REQUIRED:.0%} of branches are covered", red=True)
            terminalreporter._session.exitstatus = 1


# ------------------------------------------------------------------ isolation


@pytest.fixture(scope="module", autouse=True)
def frozen_heap(hub):
    """Brownie collects garbage at each return to a snapshot: without what stays anyhow it is a matter of moments."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    """Every test starts from its module's deployment."""


@pytest.fixture(autouse=True)
def books(isolation, hub):
    """After every test: the hub was solvent and its escrow covered in every block of it."""
    since = chain.height
    yield
    assert_both(hub, since)


# ---------------------------------------------------------------------- roles


@pytest.fixture(scope="session")
def keys():
    """The key pairs of all roles that send transactions."""
    return networks.keys(len(accounts))


@pytest.fixture(scope="session")
def admin():
    return accounts[0]


@pytest.fixture(scope="session")
def settler():
    return accounts[1]


@pytest.fixture(scope="session")
def payer():
    return accounts[2]


@pytest.fixture(scope="session")
def other_payer():
    return accounts[3]


@pytest.fixture(scope="session")
def merchant():
    return accounts[4]


@pytest.fixture(scope="session")
def other_merchant():
    return accounts[5]


@pytest.fixture(scope="session")
def authorizer():
    """A receiver's authorizer."""
    return accounts[6]


@pytest.fixture(scope="session")
def sponsor():
    return accounts[7]


@pytest.fixture(scope="session")
def relayer():
    return accounts[8]


@pytest.fixture(scope="session")
def stranger():
    return accounts[9]


@pytest.fixture(scope="session")
def hot_key():
    """The key in the payer's browser: it signs vouchers and never sends a transaction."""
    return Account.from_key(b"payer's hot key".rjust(32))


# ------------------------------------------------------------------ contracts


@pytest.fixture(scope="session")
def hub(admin, settler):
    """Deployed once: Brownie goes back to it before each module."""
    set_gas_price()
    Multicall3.deploy({"from": admin})  # for the books
    hub = deploy(admin, admin=admin, settler=settler)
    chain._reset_id = chain._take_snapshot()
    return hub


@pytest.fixture(scope="session")
def asset(hub):
    return hub.asset


@pytest.fixture(scope="session")
def channels(hub):
    return hub.channels


@pytest.fixture(scope="session")
def collector(hub):
    return hub.collector


@pytest.fixture(scope="session")
def settlement(hub):
    return hub.settlement


@pytest.fixture(scope="session")
def gift_token(hub):
    return hub.gift_token


@pytest.fixture(scope="session")
def vault(hub):
    return hub.vault


@pytest.fixture(scope="session")
def badges(hub):
    return hub.badges


@pytest.fixture(scope="module")
def give_gifts(hub, settler):
    """Mint gift tokens in the only way there is: by a settlement, funded."""
    settlement = hub.settlement

    def give_gifts(*holders, amount: int) -> None:
        number, total = settlement.lastBatchId() + 1, len(holders) * amount
        hub.asset.mint(settlement, total, {"from": settler})
        mints = [word(holder, hub.gift_token.mintedTo(holder) + amount) for holder in holders]
        settlement.settle(batch(number, entitled=total), b"", mints, {"from": settler})

    return give_gifts


@pytest.fixture(scope="module")
def savings(vault, gift_token, give_gifts, payer, other_payer, sponsor):
    """The vault; two savers and a sponsor hold 10,000 dollars of gift tokens each, which the vault may take."""
    holders = (payer, other_payer, sponsor)
    give_gifts(*holders, amount=10_000 * DOLLAR)
    for holder in holders:
        gift_token.approve(vault, FOREVER, {"from": holder})
    return vault


@pytest.fixture(scope="module")
def dex(hub, admin):
    return deploy_dex(hub.asset, admin)


@pytest.fixture(scope="module")
def orders(hub, dex, gift_token, give_gifts, admin, payer):
    """Standing orders that buy ether; the payer holds 1,000 dollars of gift tokens, which they may take."""
    orders = StandingOrders.deploy(hub.settlement, hub.vault, hub.badges, dex.factory, PRICE_WINDOW_S, {"from": admin})
    hub.badges.grantRole(hub.badges.SETTLER_ROLE(), orders, {"from": admin})
    orders.listPool(dex.weth, FEE, {"from": admin})
    give_gifts(payer, amount=1_000 * DOLLAR)
    gift_token.approve(orders, FOREVER, {"from": payer})
    travel(PRICE_WINDOW_S + 1)  # so long has the pool to know its price
    return orders


@pytest.fixture(scope="module")
def rule(orders, keys, payer, merchant):
    """All cash, for the merchant."""
    return Rule(orders, payer.address, keys[payer.address], (to("cash", merchant),))


@pytest.fixture(scope="module")
def new_channel(hub, keys, payer, merchant, authorizer, hot_key):
    """Make a channel of the payer to the merchant, with a confirmed deposit unless that is 0."""
    template = Channel(
        channels=hub.channels,
        collector=hub.collector,
        token=hub.asset,
        payer=payer.address,
        payer_key=keys[payer.address],
        receiver=merchant.address,
        hot_key=hot_key,
        payer_authorizer=hot_key.address,
        receiver_authorizer=authorizer.address,
    )

    def new_channel(deposit: int = 100 * DOLLAR, **changes) -> Channel:
        channel = template.with_(**changes)
        if deposit:
            channel.token.mint(channel.payer, deposit, {"from": payer})
            channel.deposit(deposit, payer)
        return channel

    return new_channel
