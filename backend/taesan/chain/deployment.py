"""Puts the contracts on a chain, and ties a database to them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from web3 import Web3

from taesan.chain import dex, local, multicall, sender
from taesan.chain.contracts import Contracts, Deployment, Token, artifact
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainBinding, ChainBlock, ChainCursor
from taesan.chain.rpc import Node
from taesan.chain.signers import Signer
from taesan.core.crypto import keccak
from taesan.core.db import Database, retried
from taesan.core.values import hex_of

GIFT_NAME, GIFT_SYMBOL = "Taesan Gift", "GIFT"
SAVINGS_NAME, SAVINGS_SYMBOL = "Taesan Savings", "sGIFT"
DRIP_DURATION_S = 30 * 86_400
NOWHERE = "0x" + "00" * 20
CEILING_WEI = 500 * 10**9
NO_LIMIT = 2**96 - 1
# Where x402's SDKs look for them, on every chain (`x402.mechanisms.evm`, `@x402/evm`).
CANONICAL = {
    "PaymentChannels": "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003",
    "ERC3009DepositCollector": "0x4020806089470a89826cB9fB1f4059150b550004",
    "Multicall3": multicall.ADDRESS,
}


Create = Callable[[str, list[str], list[Any]], str]
"""Name, constructor's types and values → the new contract's address."""


class WrongChain(Exception):
    """The node is not on the chain, or has not the contracts, that this database or deployment file belongs to."""


def deploy(
    node: Node,
    signer: Signer,
    artifacts: Path,
    asset: str | None = None,
    admin: str | None = None,
    limits: tuple[int, int] = (NO_LIMIT, NO_LIMIT),
    *,
    canonical: bool = False,
    exchange: dex.Dex | None = None,
    packages: Path | None = None,
) -> Deployment:
    """Deploys all contracts, with a test dollar unless `asset` names a token; the signer becomes the settler.

    :param artifacts: Brownie's build folder
    :param admin: who gives and takes roles, sets limits and lifts a pause; the signer if left out
    :param limits: what settlements may newly owe in a batch and in a day (UTC), in the asset's minor units
    :param canonical: put the channels and what goes with them where unmodified x402 clients find them
    :param exchange: where Uniswap is, for rules that buy something; the admin then lists the pools to buy in (`listPool`)
    :param packages: npm's; from there Uniswap is put on the chain, with a pool of dollars and ether that is listed
    :raises NotLocal: that can be done on a local chain only
    """
    first_block = int(node.head()["number"])
    places = CANONICAL if canonical else {}
    if canonical and node.chain_id() == local.CLIENTS_CHAIN_ID:
        places = places | {"TestDollar": local.CLIENTS_DOLLAR}

    def create(name: str, types: list[str], values: list[Any]) -> str:
        data = "0x" + artifact(artifacts, name)["bytecode"].removeprefix("0x") + encode(types, values).hex()
        if name in places:
            return local.place(node, signer, places[name], data, CEILING_WEI)
        receipt = sender.send_and_wait(node, signer, None, data, CEILING_WEI)
        return Web3.to_checksum_address(receipt["contractAddress"])  # type: ignore[arg-type]

    asset = Web3.to_checksum_address(asset) if asset else create("TestDollar", [], [])
    channels = create("PaymentChannels", [], [])
    collector = create("ERC3009DepositCollector", ["address"], [channels])
    if canonical:
        create("Multicall3", [], [])  # the SDKs' facilitators read through it
    settlement = create(
        "GiftSettlement",
        ["address", "address", "address", "address", "uint96", "uint96", "string", "string"],
        [asset, channels, admin or signer.address, signer.address, *limits, GIFT_NAME, GIFT_SYMBOL],
    )
    abi = artifact(artifacts, "GiftSettlement")["abi"]
    gift_token = str(
        node.web3.eth.contract(address=Web3.to_checksum_address(settlement), abi=abi).functions.token().call()
    )
    deployed = Deployment(node.chain_id(), asset, channels, collector, settlement, gift_token, first_block)
    if packages:
        exchange = dex.deploy(node, signer, packages, asset, CEILING_WEI)
    deployed = _with_orders(deployed, create, admin or signer.address, signer.address, exchange, local=bool(packages))
    if admin in (None, signer.address):
        contracts = Contracts(deployed, artifacts)
        _let_award(node, signer, contracts)
        if packages and exchange:
            listing = contracts.encode("standing_orders", "listPool", exchange.weth, dex.FEE)
            sender.send_and_wait(node, signer, deployed.standing_orders, listing, CEILING_WEI)
    return deployed


def _with_orders(
    deployed: Deployment, create: Create, admin: str, settler: str, exchange: dex.Dex | None, *, local: bool
) -> Deployment:
    """What signed rules need, besides."""
    vault = create(
        "SavingsVault",
        ["address", "uint32", "string", "string"],
        [deployed.gift_token, DRIP_DURATION_S, SAVINGS_NAME, SAVINGS_SYMBOL],
    )
    badges = create("Badges", ["string", "address", "address"], ["", admin, settler])
    exchange = exchange or dex.Dex(NOWHERE, "")
    orders = create(
        "StandingOrders",
        ["address", "address", "address", "address", "uint32"],
        [deployed.settlement, vault, badges, exchange.factory, dex.LOCAL_WINDOW_S if local else dex.WINDOW_S],
    )
    deployed = replace(deployed, vault=vault, badges=badges, standing_orders=orders)
    return replace(deployed, quoter=exchange.quoter, router=exchange.router, weth=exchange.weth)


def _let_award(node: Node, signer: Signer, contracts: Contracts) -> None:
    """Collectibles are given by the standing orders themselves. With another admin, it is hers to allow."""
    data = contracts.encode("badges", "grantRole", keccak(b"SETTLER_ROLE"), contracts.deployment.standing_orders)
    sender.send_and_wait(node, signer, contracts.deployment.badges, data, CEILING_WEI)


def read_token(node: Node, contracts: Contracts, role: str) -> Token:
    """:param role: `asset` or `gift_token`"""
    address = getattr(contracts.deployment, role)
    read = {
        name: contracts.decode_result(role, name, node.call(address, contracts.encode(role, name)))[0]
        for name in ("name", "version", "symbol", "decimals")
    }
    chain_id = contracts.deployment.chain_id
    return Token(
        id=f"eip155:{chain_id}/erc20:{address}",
        address=address,
        name=read["name"],
        version=read["version"],
        symbol=read["symbol"],
        exponent=read["decimals"],
        chain_id=chain_id,
    )


def can_gather(node: Node, contracts: Contracts, token: Token) -> bool:
    """Whether transfers of this token that their holders have signed (ERC-3009) can be carried out many at a time."""
    nobody = contracts.encode("asset", "authorizationState", "0x" + "0" * 40, bytes(32))
    try:
        return bool(node.code(multicall.ADDRESS)) and len(node.call(token.address, nobody)) == 32
    except CallReverted:
        return False


@retried
def bind(db: Database, node: Node, deployment: Deployment, now: datetime) -> None:
    """Ties the database to chain id, genesis and contracts at first start; refuses any other ever after.

    :raises WrongChain: with what differs and what to do
    """
    genesis = hex_of(node.block(0)["hash"])
    for one in node.endpoints():
        chain_id = one.chain_id()
        if chain_id != deployment.chain_id:
            raise WrongChain(
                f"the node at {one.name} is on chain {chain_id}, the deployment file names chain {deployment.chain_id}"
            )
        its_genesis = hex_of(one.block(0)["hash"])
        if its_genesis != genesis:
            raise WrongChain(
                f"the nodes in TAESAN_RPC_URL are on different chains: at {one.name} block 0 is {its_genesis}, "
                f"elsewhere {genesis}"
            )
    orders = ("standing_orders",) if deployment.standing_orders else ()
    for role in ("asset", "channels", "settlement", *orders):
        if not node.code(getattr(deployment, role)):
            raise WrongChain(
                f"there is no contract at {getattr(deployment, role)} ({role}) on the chain at {node.name}: "
                "was the chain wiped? Deploy again with `taesan deploy` and start with a new database"
            )
    found: dict[str, Any] = {
        "chain_id": deployment.chain_id,
        "genesis_hash": genesis,
        "asset": deployment.asset,
        "channels": deployment.channels,
        "settlement": deployment.settlement,
    }
    with db.read() as session:
        binding = session.get(ChainBinding, 1)
    if binding is None:
        # None of the contracts stood at this block: nothing that concerns the books happened before it.
        first = deployment.block_number
        hash_ = hex_of(node.block(first)["hash"])
        cursor = ChainCursor(id=1, block_number=first, block_hash=hash_, head_block=first, read_at=now)
        block = ChainBlock(number=first, hash=hash_)
        with db.write() as session:
            binding = session.get(ChainBinding, 1)  # another process may have been faster
            if binding is None:
                session.add_all([binding := ChainBinding(id=1, **found), cursor, block])
    _require_same(binding, found)


def require_wiring(node: Node, contracts: Contracts, signer_address: str) -> None:
    """Asks the contracts whether they know each other and our key.

    :raises WrongChain: they do not: payments would be accepted that can never be settled
    """
    deployment = contracts.deployment

    def ask(role: str, function: str, *arguments: object) -> object:
        data = node.call(getattr(deployment, role), contracts.encode(role, function, *arguments))
        value = contracts.decode_result(role, function, data)[0]
        return Web3.to_checksum_address(value) if isinstance(value, str) else value

    for role, function, expected in (
        ("settlement", "asset", deployment.asset),
        ("settlement", "channels", deployment.channels),
        ("settlement", "token", deployment.gift_token),
        ("collector", "channels", deployment.channels),
        *((("standing_orders", "settlement", deployment.settlement),) if deployment.standing_orders else ()),
    ):
        found = ask(role, function)
        if found != expected:
            raise WrongChain(f"the deployment file does not fit together: {role}.{function} is {found}, not {expected}")
    if not ask("settlement", "hasRole", ask("settlement", "SETTLER_ROLE"), signer_address):
        raise WrongChain(
            f"{signer_address}, the operator's key, is not a settler of {deployment.settlement}: "
            "have the admin call grantRole(SETTLER_ROLE, …)"
        )


def _require_same(binding: ChainBinding, found: dict[str, Any]) -> None:
    different = [
        f"{name}: {getattr(binding, name)} here, {value} there"
        for name, value in found.items()
        if getattr(binding, name) != value
    ]
    if different:
        raise WrongChain(
            "this database belongs to another chain or other contracts (" + "; ".join(different) + "). "
            "Point TAESAN_RPC_URL and TAESAN_DEPLOYMENT_FILE back to them, or start with a new TAESAN_DATABASE_URL"
        )
