"""Deploy Taesan's contracts: `brownie run deploy --network development|ganache-cli`.

Attaches to a node that already listens on the network's port, or else starts one for the length of the script.

Environment:
    TAESAN_ASSET            an existing stablecoin with EIP-3009; else a TestDollar is deployed
    TAESAN_ADMIN            gives and takes roles in the settlement contract and the badges; else accounts[0]
    TAESAN_SETTLER          the hub's operator; else accounts[0]
    TAESAN_BATCH_LIMIT      what a settlement may newly owe, in the asset's minor units; else no limit
    TAESAN_DAY_LIMIT        the same for all settlements of a day (UTC)
    TAESAN_BADGES_URI       the badges' metadata, with {id} in it; else empty, until the admin sets it
    TAESAN_DEX_FACTORY      Uniswap v3's factory on that chain; else nothing can be bought
    TAESAN_DEX_QUOTER       its QuoterV2, which the service asks for prices
    TAESAN_DEPLOYMENT_FILE  where to write the addresses as JSON; else nothing is written
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from brownie import (
    Badges,
    Contract,
    ERC3009DepositCollector,
    GiftSettlement,
    GiftToken,
    PaymentChannels,
    SavingsVault,
    StandingOrders,
    TestDollar,
    accounts,
    chain,
    network,
    rpc,
    web3,
)
from brownie._config import CONFIG

ZERO_ADDRESS = "0x" + "00" * 20
GIFT_NAME = "Taesan Gift"
GIFT_SYMBOL = "GIFT"
NO_LIMIT = 2**96 - 1
SAVINGS_NAME = "Taesan Savings"
SAVINGS_SYMBOL = "sGIFT"
DRIP_DURATION_S = 30 * 24 * 60 * 60
PRICE_WINDOW_S = 30 * 60
GANACHE_HARDFORK = "shanghai"


class Deployment(NamedTuple):
    """One hub's contracts, as Brownie contract objects."""

    asset: Any
    channels: Any
    collector: Any
    settlement: Any
    gift_token: Any
    block_number: int  # where the first of them was deployed; an indexer need not look before it
    vault: Any
    badges: Any
    standing_orders: Any

    def as_json(self) -> dict[str, Any]:
        """As the service reads it, but for the DEX's quoter."""
        names = ("asset", "channels", "collector", "settlement", "gift_token", "vault", "badges", "standing_orders")
        contracts = {name: getattr(self, name).address for name in names}
        return {"chain_id": chain.id, **contracts, "block_number": self.block_number}


def main() -> Deployment:
    restart_old_ganache()
    set_gas_price()
    deployer = accounts[0]
    admin = os.environ.get("TAESAN_ADMIN") or deployer.address
    settler = os.environ.get("TAESAN_SETTLER") or deployer.address
    limits = [int(os.environ.get(f"TAESAN_{span}_LIMIT") or NO_LIMIT) for span in ("BATCH", "DAY")]
    badges_uri = os.environ.get("TAESAN_BADGES_URI", "")
    factory = os.environ.get("TAESAN_DEX_FACTORY") or ZERO_ADDRESS
    deployment = deploy(deployer, os.environ.get("TAESAN_ASSET"), admin, settler, limits, badges_uri, factory)
    print_table({**deployment.as_json(), "admin": admin, "settler": settler})
    if admin != deployer.address:
        print("  the admin has to grant the badges' SETTLER_ROLE to the standing orders before collectibles can be had")
    if path := os.environ.get("TAESAN_DEPLOYMENT_FILE"):
        write_file(deployment, Path(path), os.environ.get("TAESAN_DEX_QUOTER"))
    return deployment


def deploy(
    deployer: Any,
    asset: str | None = None,
    admin: str | None = None,
    settler: str | None = None,
    limits: Sequence[int] = (NO_LIMIT, NO_LIMIT),
    badges_uri: str = "",
    factory: str = ZERO_ADDRESS,
    window_s: int = PRICE_WINDOW_S,
) -> Deployment:
    """Deploy all contracts from `deployer`, who is also admin and settler unless others are named.

    :param factory: Uniswap v3's; without one nothing is bought
    :param window_s: over which a price's mean is taken
    """
    sender = {"from": deployer}
    first_block = chain.height + 1
    token = Contract.from_abi("asset", asset, TestDollar.abi) if asset else TestDollar.deploy(sender)
    channels = PaymentChannels.deploy(sender)
    collector = ERC3009DepositCollector.deploy(channels, sender)
    settlement = GiftSettlement.deploy(
        token, channels, admin or deployer, settler or deployer, *limits, GIFT_NAME, GIFT_SYMBOL, sender
    )
    gift_token = GiftToken.at(settlement.token())
    vault = SavingsVault.deploy(gift_token, DRIP_DURATION_S, SAVINGS_NAME, SAVINGS_SYMBOL, sender)
    badges = Badges.deploy(badges_uri, admin or deployer, settler or deployer, sender)
    orders = StandingOrders.deploy(settlement, vault, badges, factory, window_s, sender)
    if admin in (None, deployer, getattr(deployer, "address", None)):
        badges.grantRole(badges.SETTLER_ROLE(), orders, sender)  # else it is the admin's to do
    return Deployment(token, channels, collector, settlement, gift_token, first_block, vault, badges, orders)


def run_ganache_at_shanghai() -> None:
    """Brownie's own entry starts Ganache at istanbul, where the compiler's PUSH0 is an invalid opcode."""
    CONFIG.networks["ganache-cli"]["cmd_settings"]["evm_version"] = GANACHE_HARDFORK


def restart_old_ganache() -> None:
    """Brownie has started the node before it reads this file; a node that somebody else started is left alone."""
    if network.show_active() != "ganache-cli" or not rpc.is_child():
        return
    if CONFIG.active_network["cmd_settings"]["evm_version"] != GANACHE_HARDFORK:
        network.disconnect()
        run_ganache_at_shanghai()
        network.connect("ganache-cli")


def set_gas_price() -> None:
    """Brownie's default on development networks is 0, with which a transaction waits for ever on Ganache."""
    if CONFIG.network_type == "development":
        network.gas_price(max(web3.eth.gas_price, 2 * chain.base_fee))


def print_table(rows: dict[str, Any]) -> None:
    width = max(map(len, rows))
    print("\nTaesan's contracts")
    for name, value in rows.items():
        print(f"  {name.replace('_', ' '):<{width}}  {value}")


def write_file(deployment: Deployment, path: Path, quoter: str | None = None) -> None:
    values = deployment.as_json() | ({"quoter": quoter} if quoter else {})
    # In one move, so that a service waiting for the file never reads half of it.
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(values, indent=2) + "\n")
    partial.replace(path)
