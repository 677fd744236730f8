"""`taesan devnet`: a chain with the contracts on it, to develop against, and a hub if it is wanted."""

import time
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from rich.console import Console
from rich.table import Table

from taesan.chain import sender
from taesan.chain.contracts import Contracts, Deployment
from taesan.chain.deployment import CANONICAL, CEILING_WEI
from taesan.chain.rpc import Node
from taesan.chain.signers import open_signer
from taesan.demo import devnet, folder, sample_shop
from taesan.demo.faucet import Faucet
from taesan.demo.folder import ChainName
from taesan.demo.processes import DemoFailed
from taesan.demo.progress import phase
from taesan.demo.run import GANACHE_PACE, PACE, choose_port, interruptible, show_apps
from taesan.demo.stage import Stage

DEFAULT = Path("var/devnet")
GIFT_DOLLARS = 1_000
COLLECTIBLE = 1_001
"""Its id; a rule names it as 20 bytes."""


@dataclass(frozen=True)
class Options:
    """:ivar port: the chain's; None: 8545 or the next that is free. :ivar fresh: forget what was there
    :ivar hub_port: None: 8000 or the next free"""

    chain: ChainName
    port: int | None
    folder: Path
    fresh: bool
    chain_id: int
    with_hub: bool
    hub_port: int | None


def run(options: Options, console: Console) -> None:
    """Stays up until Ctrl-C; chain and hub go on from where they were when they are started again."""
    place, chain = options.folder, options.chain
    with interruptible(), folder.held(place):
        try:
            saved = devnet.saved_chain(place)
            if options.fresh or saved is None:
                folder.wipe(place)
            elif saved != chain:
                raise DemoFailed(f"{place} keeps a chain of {saved}: say --chain {saved}, or --fresh to forget it")
            elif (kept := _kept_id(place)) not in (None, options.chain_id):
                wanted = options.chain_id
                raise DemoFailed(f"{place} keeps a chain with the id {kept}, not {wanted}: say --fresh to forget it")
            chain_port = choose_port(options.port, folder.CHAIN_PORT, "the chain", "--port", console)
            port = folder.PORT
            if options.with_hub:
                port = choose_port(options.hub_port, folder.PORT, "the hub", "--hub-port", console)
            pace = GANACHE_PACE if chain == "ganache" else PACE
            with Stage(place, chain, folder.settings(place, chain_port, port), pace) as stage:
                with phase(console, f"{chain} starts") as bar:
                    stage.start_chain(options.chain_id)
                    bar.say("new" if options.fresh or saved is None else "goes on from where it was")
                deployment = _deployed(stage, console)
                if options.with_hub:
                    with phase(console, "the hub starts"):
                        stage.start_hub()
                        stage.wait_for_hub()
                        sample_shop.open_at(stage.settings.public_url)
                _show(stage, deployment, console)
                _show_hub(stage, options.with_hub, console)
                while True:
                    stage.require_running()
                    time.sleep(1)
        except KeyboardInterrupt:
            console.print(f"\nEnded. The chain is kept in {place} and goes on from there next time.", highlight=False)


def _kept_id(place: Path) -> int | None:
    """Of the chain that the folder keeps, if it has contracts."""
    file = folder.settings(place, folder.CHAIN_PORT).deployment_file
    return Deployment.load(file).chain_id if file.exists() else None


def _deployed(stage: Stage, console: Console) -> Deployment:
    if stage.settings.deployment_file.exists():
        return Deployment.load(stage.settings.deployment_file)
    with phase(console, "contracts are deployed, test dollars given out") as bar:
        deployment = stage.deploy()
        node, contracts = Node(stage.settings.rpc_url), Contracts(deployment, stage.settings.artifacts_dir)
        Faucet(node, contracts).give(dict.fromkeys(node.web3.eth.accounts, GIFT_DOLLARS * 10**6))
        _offer_collectible(stage, node, contracts)
        bar.say(f"${GIFT_DOLLARS:,} to each account")
    return deployment


def _offer_collectible(stage: Stage, node: Node, contracts: Contracts) -> None:
    """For rules to buy (`offered` in `GET /v1/destinations`): as many as are wanted, for a dollar to the operator."""
    signer, deployment = open_signer(stage.settings), contracts.deployment
    created = contracts.encode("badges", "createCollectible", COLLECTIBLE, 0)
    offered = contracts.encode("standing_orders", "offer", COLLECTIBLE, signer.address, 10**6)
    for to, data in ((deployment.badges, created), (deployment.standing_orders, offered)):
        sender.send_and_wait(node, signer, to, data, CEILING_WEI)


def _show(stage: Stage, deployment: Deployment, console: Console) -> None:
    contracts = Table("contract", "address", title=f"chain {deployment.chain_id} at {stage.settings.rpc_url}")
    for role, address in deployment.addresses.items():
        contracts.add_row(role, address)
    console.print(contracts)
    if deployment.channels == CANONICAL["PaymentChannels"]:
        console.print(
            "\nUnmodified x402 clients find their contracts here. The clock moves forward with\n"
            f"  TAESAN_RPC_URL={stage.settings.rpc_url} make warp ARGS=15m",
            highlight=False,
            soft_wrap=True,
        )
    console.print("\nAccounts and their keys, known to everyone: never use them elsewhere\n", highlight=False)
    Account.enable_unaudited_hdwallet_features()
    for number in range(devnet.ACCOUNTS):
        account = Account.from_mnemonic(devnet.MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
        console.print(f"  {account.address}  {account.key.to_0x_hex()}", highlight=False, soft_wrap=True)
    console.print("\nThe first is the hub's operator.", highlight=False)


def _show_hub(stage: Stage, is_here: bool, console: Console) -> None:
    if is_here:
        site, logs = stage.settings.public_url, stage.place / "service.log"
        console.print(
            f"\nThe hub is at {site}, its API at {site}/docs, its log in {logs}.", highlight=False, soft_wrap=True
        )
        show_apps(site, console)
        console.print("\nCtrl-C ends both.", highlight=False)
        return
    console.print("A hub on this chain, in another terminal (or --with-hub):\n", highlight=False)
    for name in ("TAESAN_RPC_URL", "TAESAN_DEPLOYMENT_FILE", "TAESAN_DATABASE_URL", "TAESAN_WITHDRAW_DELAY_S"):
        value = folder.environment(stage.place, stage.chain_port, folder.PORT)[name]
        console.print(f"  export {name}={value}", highlight=False, soft_wrap=True)
    console.print("  .venv/bin/taesan serve\n\nCtrl-C ends the chain.", highlight=False)
