"""A real chain for tests: anvil on a free port, which mines each transaction at once, and more blocks when told to."""

import contextlib
import secrets
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import HTTPProvider, Web3

from taesan.chain.connections import Connections
from taesan.chain.contracts import artifact, contracts_of
from taesan.chain.deployment import deploy
from taesan.chain.rpc import Node
from taesan.chain.signers import KeySigner
from taesan.core.values import hex_of
from taesan.demo.devnet import SHORT_HISTORY
from taesan.demo.processes import Process, find_program, wait_for_rpc
from taesan.settings import Settings

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "build" / "contracts"
CHAIN_ID = 31337
# Rich accounts of anvil's well-known mnemonic: the first is the operator's.
RICH_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"

# Enough whatever the base fee, and the tip that anvil would tell: it need not be asked.
FEES = {"maxFeePerGas": 10**13, "maxPriorityFeePerGas": 10**9}


def free_port() -> int:
    """Below those that the kernel gives to whoever connects: one of them may be gone before its server has started."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class BareChain:
    """An anvil process with nothing on it."""

    def __init__(self, folder: Path, *options: str, chain_id: int = CHAIN_ID) -> None:
        self.folder, self.options, self.chain_id = folder, options, chain_id
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.web3 = Web3(HTTPProvider(self.url, session=Connections(), exception_retry_configuration=None))
        self.web3.middleware_onion.remove("validation")  # it asks for the chain's id before each call
        self.web3.middleware_onion.remove("ens_name_to_address")  # no address of ours is a name
        self.start()

    def start(self, *options: str) -> None:
        command = [find_program("anvil"), f"--port={self.port}", f"--chain-id={self.chain_id}", "--silent"]
        command += [SHORT_HISTORY, "--preserve-historical-states", *self.options, *options]
        self._process = Process("anvil", command, self.folder / "anvil.log")
        wait_for_rpc(self._process, self.url)

    def stop(self) -> None:
        """State is lost unless an option says otherwise."""
        self._process.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, method: str, *parameters: Any) -> Any:
        answer = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]


class Chain(BareChain):
    """With our contracts on it, where x402 clients find them. :param dex: Uniswap too, with a pool of ether"""

    def __init__(self, folder: Path, *options: str, chain_id: int = CHAIN_ID, dex: bool = False) -> None:
        super().__init__(folder, *options, chain_id=chain_id)
        signer, npm = KeySigner(Settings().operator_key), ROOT / "node_modules" if dex else None
        self.deployment = deploy(Node(self.url), signer, ARTIFACTS, canonical=True, packages=npm)
        self.contracts = contracts_of(self.deployment, ARTIFACTS)

    # ------------------------------------------------------------------- time

    def mine(self, blocks: int = 1) -> None:
        self.ask("anvil_mine", hex(blocks))

    def wait(self, seconds: int) -> None:
        """Lets chain time pass."""
        self.ask("evm_increaseTime", seconds)
        self.mine()

    def wait_until(self, timestamp: int) -> None:
        """By the chain's clock, which need not be ours."""
        self.wait(max(0, timestamp - self.web3.eth.get_block("latest")["timestamp"]) + 1)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens on the chain meanwhile has not happened afterwards."""
        snapshot = self.ask("evm_snapshot")
        base_fee = self.base_fee()
        try:
            yield
        finally:
            assert self.ask("evm_revert", snapshot)
            self.ask("anvil_setNextBlockBaseFeePerGas", hex(base_fee))  # the snapshot leaves it as it was

    def reorganise(self, depth: int) -> None:
        """Replaces the last `depth` blocks with empty ones; their transactions are gone from the pool too."""
        self.ask("anvil_reorg", depth, [])

    @contextlib.contextmanager
    def mining_paused(self) -> Iterator[None]:
        """Transactions stay in the pool until `mine`."""
        self.ask("evm_setAutomine", False)
        try:
            yield
        finally:
            self.ask("evm_setAutomine", True)

    def base_fee(self) -> int:
        """Of the newest block, wei a gas."""
        return int(self.web3.eth.get_block("latest")["baseFeePerGas"])

    def set_base_fee(self, wei: int) -> None:
        """Of a next block, which is mined at once: of what waits in the pool it takes in only what offers as much."""
        self.ask("anvil_setNextBlockBaseFeePerGas", hex(wei))
        self.mine()

    def head(self) -> int:
        return self.web3.eth.block_number

    # ------------------------------------------------------- calls by anybody

    def read(self, role: str, function: str, *arguments: Any, block: Any = "latest") -> Any:
        return self._function(role, function, *arguments).call(block_identifier=block)

    def send(self, key: Any, role: str, function: str, *arguments: Any) -> Any:
        """Signs with any key, gives it gas money, waits until mined. :raises Exception: it reverts"""
        hash_ = self._send(key, self._function(role, function, *arguments), {})
        receipt = self.web3.eth.wait_for_transaction_receipt(hash_, timeout=20, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt

    def send_later(self, key: Any, role: str, function: str, *arguments: Any) -> None:
        """Into the pool, without waiting."""
        self._send(key, self._function(role, function, *arguments), {"gas": 1_000_000})

    def jump_queue(self, key: Any, role: str, function: str, *arguments: Any) -> None:
        """Sends a transaction that will stand before all others in the next block."""
        fees = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12, "gas": 1_000_000}
        self._send(key, self._function(role, function, *arguments), fees)

    def raw_of(self, receipt: Any) -> bytes:
        """The signed bytes of a mined transaction, to be sent once more."""
        return bytes.fromhex(self.ask("eth_getRawTransactionByHash", hex_of(receipt["transactionHash"]))[2:])

    def _send(self, key: Any, bound: Any, options: dict[str, int]) -> Any:
        account = Account.from_key(key) if isinstance(key, str) else key
        self.ask("anvil_setBalance", account.address, hex(10**20))
        nonce = self.web3.eth.get_transaction_count(account.address)
        known = {"from": account.address, "nonce": nonce, "chainId": self.chain_id} | FEES
        transaction = bound.build_transaction(known | options)
        return self.web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)

    def deploy(self, name: str, *arguments: Any) -> Any:
        """One more contract of ours, such as a mock."""
        compiled = artifact(ARTIFACTS, name)
        factory = self.web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        hash_ = self._send(RICH_KEY, factory.constructor(*arguments), {})
        receipt = self.web3.eth.wait_for_transaction_receipt(hash_, timeout=20, poll_latency=0.02)
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=compiled["abi"])

    def send_to(self, key: Any, contract: Any, function: str, *arguments: Any) -> Any:
        """Calls a contract that `deploy` has made, or any other; returns the receipt."""
        hash_ = self._send(key, getattr(contract.functions, function)(*arguments), {})
        receipt = self.web3.eth.wait_for_transaction_receipt(hash_, timeout=20, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt

    def give_dollars(self, address: str, amount: int) -> None:
        self._mint(self.contracts.encode("asset", "mint", address, amount))

    def give_everybody_dollars(self, addresses: Sequence[str], amount: int) -> None:
        calls = [self.contracts.encode("asset", "mint", address, amount) for address in addresses]
        self._mint(self.contracts.encode("asset", "multicall", calls))

    def _mint(self, data: str) -> None:
        """By one of anvil's own accounts, which it signs for."""
        sent = {"from": Account.from_key(RICH_KEY).address, "to": self.deployment.asset, "data": data}
        receipt = self.web3.eth.wait_for_transaction_receipt(self.ask("eth_sendTransaction", sent), 20, 0.02)
        assert receipt["status"] == 1

    def take_dollars(self, address: str, amount: int) -> None:
        """As a thief would who had an address's key."""
        self.ask("anvil_setBalance", address, hex(10**20))
        self.ask("anvil_impersonateAccount", address)
        self._function("asset", "transfer", Account.from_key(RICH_KEY).address, amount).transact({"from": address})
        self.ask("anvil_stopImpersonatingAccount", address)

    def _function(self, role: str, function: str, *arguments: Any) -> Any:
        contract = getattr(self.contracts, role)
        bound = self.web3.eth.contract(address=contract.address, abi=contract.abi)
        return getattr(bound.functions, function)(*arguments)

    def save_deployment(self, folder: Path) -> Path:
        path = folder / "deployment.json"
        self.deployment.save(path)
        return path
