"""Our contracts as the service sees them: addresses, calls to encode, events and errors to decode. No I/O but the ABI files."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector
from web3 import Web3
from web3.contract import Contract
from web3.types import LogReceipt

from taesan.core.crypto import Domain
from taesan.core.values import hex_of

NAMES = {
    "asset": "TestDollar",
    "channels": "PaymentChannels",
    "collector": "ERC3009DepositCollector",
    "settlement": "GiftSettlement",
    "gift_token": "GiftToken",
}
OPTIONAL_NAMES = {"vault": "SavingsVault", "badges": "Badges", "standing_orders": "StandingOrders"}
MAX_TOLD = 500  # characters of an error's arguments
_MEANINGS = {"ERC3009_Expired": ": by the chain's clock its time is over"}
"""Of errors that people see as they are."""
WATCHED = ("channels", "settlement", "gift_token", "standing_orders")


class ArtifactsMissing(Exception):
    """The contracts are not compiled."""


@dataclass(frozen=True)
class Deployment:
    """Where the contracts are (EIP-55 addresses). Those that a hub can do without are empty if it has to: signed rules need all
    three, and the prices of what is bought are asked of `quoter`, Uniswap's QuoterV2. `router` and `weth` are told for who wants to trade there by hand."""

    chain_id: int
    asset: str
    channels: str
    collector: str
    settlement: str
    gift_token: str
    block_number: int
    vault: str = ""
    badges: str = ""
    standing_orders: str = ""
    quoter: str = ""
    router: str = ""
    weth: str = ""

    @property
    def addresses(self) -> dict[str, str]:
        """Of those that are there, by their roles."""
        return {role: place for role, place in asdict(self).items() if isinstance(place, str) and place}

    @cached_property
    def dead_ends(self) -> frozenset[str]:
        """Addresses where tokens would be lost: nobody can take out what is sent there."""
        return frozenset({"0x" + "0" * 40, *self.addresses.values()})

    @classmethod
    def load(cls, path: Path) -> "Deployment":
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            return cls(**{k: _checksummed(v) for k, v in values.items()})
        except FileNotFoundError:
            raise ArtifactsMissing(
                f"{path} is missing: run `taesan deploy` first, or name another file in TAESAN_DEPLOYMENT_FILE "
                "(a devnet or demo keeps it as deployment.json in its folder)"
            ) from None

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {"chain_id": self.chain_id, **self.addresses, "block_number": self.block_number}
        path.write_text(json.dumps(values, indent=2) + "\n")


@cache
def artifact(directory: Path, name: str) -> dict[str, Any]:
    """Brownie's build output of one contract, read once."""
    path = directory / f"{name}.json"
    if not path.exists():
        raise ArtifactsMissing(f"{path} is missing: run `make compile` first")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Event:
    """One decoded log. Byte values are 0x-hex, tuples are dicts: the payload is JSON as it stands.

    :ivar place: among the transaction's logs of our contracts; unlike its place in the block the same on every fork
    :ivar block_time: seconds since 1970, if it matters
    """

    name: str
    args: dict[str, Any]
    block_number: int
    block_hash: str
    transaction_hash: str
    place: int | str
    block_time: int | None = None

    @property
    def key(self) -> str:
        return f"{self.transaction_hash}:{self.place}"

    @property
    def payload(self) -> dict[str, Any]:
        """As handlers get it."""
        told = {
            "args": self.args,
            "block_number": self.block_number,
            "transaction": self.transaction_hash,
            "key": self.key,
        }
        return told if self.block_time is None else told | {"block_time": self.block_time}


@dataclass(frozen=True)
class Token:
    """An ERC-20's facts that clients need to sign for it; `id` is its CAIP-19 id."""

    id: str
    address: str
    name: str
    version: str
    symbol: str
    exponent: int
    chain_id: int

    @cached_property
    def domain(self) -> Domain:
        return Domain(self.name, self.version, self.chain_id, self.address)


class Contracts:
    """:param artifacts: Brownie's build folder"""

    def __init__(self, deployment: Deployment, artifacts: Path) -> None:
        self.deployment = deployment
        self._web3 = web3 = Web3()
        self._functions: dict[tuple[str, str, int], tuple[bytes, list[str]]] = {}
        self._contracts: dict[str, Contract] = {}
        there = {role: name for role, name in OPTIONAL_NAMES.items() if getattr(deployment, role)}
        for role, name in (NAMES | there).items():
            address = Web3.to_checksum_address(getattr(deployment, role))
            self._contracts[role] = web3.eth.contract(address=address, abi=artifact(artifacts, name)["abi"])

    def __getattr__(self, role: str) -> Contract:
        try:
            return self.__dict__["_contracts"][role]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(role) from None

    @property
    def asset_id(self) -> str:
        """CAIP-19."""
        return f"eip155:{self.deployment.chain_id}/erc20:{self.deployment.asset}"

    @property
    def network(self) -> str:
        """CAIP-2."""
        return f"eip155:{self.deployment.chain_id}"

    @cached_property
    def voucher_domain(self) -> Domain:
        return Domain("x402 Batch Settlement", "1", self.deployment.chain_id, self.deployment.channels)

    @cached_property
    def standing_orders_domain(self) -> Domain | None:
        """Of the rules that payers sign; None where the contract is not."""
        contract = self.deployment.standing_orders
        return Domain("Taesan StandingOrders", "1", self.deployment.chain_id, contract) if contract else None

    def encode(self, role: str, function: str, *args: Any) -> str:
        """Call data, 0x-hex."""
        selector, types = self._function(role, function, len(args))
        return hex_of(selector + self._web3.codec.encode(types, args))

    def decode_result(self, role: str, function: str, data: bytes) -> tuple[Any, ...]:
        outputs = self._contracts[role].get_function_by_name(function).abi["outputs"]
        return decode([_type_of(o) for o in outputs], data)

    def decode_logs(self, logs: Iterable[LogReceipt]) -> list[Event]:
        """Those of whole blocks, in the chain's order."""
        places: Counter[bytes] = Counter()
        events = []
        for log in sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"])):
            event = self.decode_log(log, places[log["transactionHash"]])
            places[log["transactionHash"]] += 1
            if event is not None:
                events.append(event)
        return events

    def decode_log(self, log: LogReceipt, place: int = 0) -> Event | None:
        """None for events that are not ours to know. Of the gift token's transfers those from nobody are: `Minted`."""
        for role in self._watched_roles:
            contract = self._contracts[role]
            if log["address"] != contract.address or not log["topics"]:
                continue
            event = self._events.get((role, bytes(log["topics"][0])))
            if event is None:
                return None
            decoded = event.process_log(log)
            name = decoded["event"]
            if role == "gift_token":
                if name != "Transfer" or int(decoded["args"]["from"], 16):
                    return None
                name = "Minted"
            return Event(
                name=f"{role}.{name}",
                args={name: _plain(value) for name, value in decoded["args"].items()},
                block_number=log["blockNumber"],
                block_hash=hex_of(log["blockHash"]),
                transaction_hash=hex_of(log["transactionHash"]),
                place=place,
            )
        return None

    @cached_property
    def transfer_topic(self) -> str:
        """Of the reserve asset's `Transfer`, as of every ERC-20's."""
        return str(self._contracts["asset"].events.Transfer().topic)

    def decode_transfer(self, log: LogReceipt) -> dict[str, Any]:
        """The arguments of the reserve asset's `Transfer`: from, to, value."""
        decoded = self._contracts["asset"].events.Transfer().process_log(log)
        return {name: _plain(value) for name, value in decoded["args"].items()}

    @property
    def watched(self) -> list[str]:
        """The addresses whose logs `decode_log` knows."""
        return [getattr(self.deployment, role) for role in self._watched_roles]

    @cached_property
    def _watched_roles(self) -> list[str]:
        return [role for role in WATCHED if role in self._contracts]

    def explain(self, data: bytes) -> str:
        """Revert data as `Name(argument, …)`. Anybody's code can have written it: nonsense is told by its name alone."""
        error = self._errors.get(data[:4])
        if error is None:
            return hex_of(data[:4]) if data else "reverted without a reason"
        try:
            values = decode([_type_of(i) for i in error["inputs"]], data[4:])
        except (DecodingError, ValueError, OverflowError):  # cut off, or no UTF-8
            return f"{error['name']}(?)"
        told = ", ".join(str(_plain(v)) for v in values).replace("\0", "")  # which PostgreSQL's texts cannot hold
        return f"{error['name']}({told[:MAX_TOLD]})" + _MEANINGS.get(error["name"], "")

    def _function(self, role: str, name: str, arguments: int) -> tuple[bytes, list[str]]:
        """Its selector and its arguments' types. What web3 looks up at each call is looked up once; of two functions with one name
        ours differ in how many arguments they take."""
        if (role, name, arguments) not in self._functions:
            (abi,) = (
                entry
                for entry in self._contracts[role].abi
                if entry["type"] == "function" and entry["name"] == name and len(entry.get("inputs", ())) == arguments
            )
            self._functions[role, name, arguments] = (
                function_abi_to_4byte_selector(abi),
                [_type_of(i) for i in abi["inputs"]],
            )
        return self._functions[role, name, arguments]

    @cached_property
    def _events(self) -> dict[tuple[str, bytes], Any]:
        return {
            (role, bytes.fromhex(event.topic.removeprefix("0x"))): event
            for role in self._watched_roles
            for event in (e() for e in self._contracts[role].events)  # type: ignore[attr-defined]
        }

    @cached_property
    def _errors(self) -> dict[bytes, dict[str, Any]]:
        standard = {"type": "error", "name": "Error", "inputs": [{"type": "string"}]}
        panic = {"type": "error", "name": "Panic", "inputs": [{"type": "uint256"}]}
        found: dict[bytes, dict[str, Any]] = {}
        for entries in [[standard, panic], *(c.abi for c in self._contracts.values())]:
            for entry in entries:
                if entry["type"] == "error":
                    found[function_abi_to_4byte_selector(entry)] = dict(entry)  # type: ignore[arg-type]
        return found


@cache
def contracts_of(deployment: Deployment, artifacts: Path) -> Contracts:
    """Made once in a process: what web3 makes of an ABI takes its time."""
    return Contracts(deployment, artifacts)


def _checksummed(value: Any) -> Any:
    """Events name addresses in EIP-55: a file with lower-case ones would never match."""
    return Web3.to_checksum_address(value) if isinstance(value, str) and value else value


def _type_of(abi: Any) -> str:
    if abi["type"].startswith("tuple"):
        inner = ",".join(_type_of(c) for c in abi["components"])
        return f"({inner}){abi['type'].removeprefix('tuple')}"
    return str(abi["type"])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, dict) or hasattr(value, "items"):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return value
