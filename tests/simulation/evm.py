"""Our compiled contracts in an EVM in this process, whose state can be taken back."""

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env
from web3 import Web3

from taesan.chain.contracts import Contracts, Deployment, artifact
from taesan.chain.deployment import GIFT_NAME, GIFT_SYMBOL, NO_LIMIT
from tests.support.chain import ARTIFACTS, CHAIN_ID

GAS = 2**24  # EIP-7825
BIRTH = 1_795_000_000
"""When the simulated chain begins, seconds since 1970."""
_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


@dataclass(frozen=True)
class Log:
    """:ivar address: EIP-55"""

    address: str
    topics: list[bytes]
    data: bytes


@dataclass(frozen=True)
class Result:
    """:ivar output: what it returned, or why it reverted. :ivar halted: it ran out of gas or the like, which has no output"""

    succeeded: bool
    output: bytes
    gas_used: int
    logs: list[Log]
    halted: str = ""


class Machine:
    """Accounts and contracts at one moment. Nonces and fees are the chain's to keep, gas is free and there is always enough:
    a call's price depends on what was read before in the same process, and nothing here may depend on it."""

    def __init__(self) -> None:
        self._evm = EVM(env=Env(cfg=CfgEnv(chain_id=CHAIN_ID)), spec_id="SHANGHAI")
        self.set_block(1, BIRTH)

    def set_block(self, number: int, timestamp: int) -> None:
        self._evm.set_block_env(BlockEnv(number=number, timestamp=timestamp, gas_limit=2 * GAS))

    def create(self, sender: str, name: str, types: tuple[str, ...] = (), values: tuple[object, ...] = ()) -> str:
        code = artifact(ARTIFACTS, name)["bytecode"].removeprefix("0x") + encode(types, values).hex()
        return Web3.to_checksum_address(self._evm.deploy(sender, bytes.fromhex(code)))

    def run(self, sender: str, to: str, data: bytes, gas: int = GAS) -> Result:
        """Runs a call and keeps what it changes."""
        try:
            output = self._evm.message_call(sender, to, calldata=data, gas=gas)
        except RuntimeError as error:
            reason, found = str(error), _OUTPUT.search(str(error))
            if found:
                return Result(False, bytes.fromhex(found[1]), self._evm.result.gas_used, [])
            return Result(False, b"", gas, [], halted=reason)
        result = self._evm.result
        logs = [Log(Web3.to_checksum_address(log.address), *map_data(log.data)) for log in result.logs]
        return Result(True, output, result.gas_used + result.gas_refunded, logs)

    def ask(self, sender: str, to: str, data: bytes, gas: int = GAS) -> Result:
        """Runs a call and takes it back."""
        mark = self._evm.snapshot()
        with self._as_person(sender):
            result = self.run(sender, to, data, gas)
        self._evm.revert(mark)
        return result

    @contextmanager
    def _as_person(self, sender: str) -> Iterator[None]:
        """Nodes let contracts ask, too; the EVM does not (EIP-3607): meanwhile it has no code. Nobody calls it back."""
        info = self._evm.basic(sender)
        is_contract = bool(self.code(sender))
        if is_contract:
            self._evm.insert_account_info(sender, AccountInfo(balance=info.balance, nonce=info.nonce))
        yield
        if is_contract:
            self._evm.insert_account_info(sender, info)

    def code(self, address: str) -> bytes:
        return bytes(self._evm.get_code(address) or b"")

    def mark(self) -> Any:
        """A state to which `back_to` leads, until one before it is gone back to."""
        mark = self._evm.snapshot()
        self._evm.commit()  # the journal keeps it; what ends is a level of nesting, of which there are 1,024
        return mark

    def back_to(self, mark: Any) -> None:
        self._evm.snapshot()  # the level that `revert` ends
        self._evm.revert(mark)


def map_data(data: tuple[list[bytes], bytes]) -> tuple[list[bytes], bytes]:
    topics, content = data
    return [bytes(topic) for topic in topics], bytes(content)


class _Quick(Contracts):
    """Encodes the same call once: encoding costs more than the call."""

    def encode(self, role: str, function: str, *args: Any) -> str:
        try:
            return _encoded(self, role, function, args)
        except TypeError:  # a list is no key
            return super().encode(role, function, *args)


@functools.lru_cache(10_000)
def _encoded(contracts: Contracts, role: str, function: str, args: tuple[Any, ...]) -> str:
    return Contracts.encode(contracts, role, function, *args)


@dataclass(frozen=True)
class Ground:
    """What all runs of a process begin with: the contracts are deployed, and the people have dollars.

    :ivar nonces: of who has sent something to get there
    """

    machine: Machine
    deployment: Deployment
    contracts: Contracts
    nonces: dict[str, int]


@functools.cache
def ground(operator: str, people: tuple[str, ...], dollars: int) -> Ground:
    """Deployed as `taesan deploy` does it."""
    machine = Machine()
    asset = machine.create(operator, "TestDollar")
    channels = machine.create(operator, "PaymentChannels")
    collector = machine.create(operator, "ERC3009DepositCollector", ("address",), (channels,))
    settlement = machine.create(
        operator,
        "GiftSettlement",
        ("address", "address", "address", "address", "uint96", "uint96", "string", "string"),
        (asset, channels, operator, operator, NO_LIMIT, NO_LIMIT, GIFT_NAME, GIFT_SYMBOL),
    )
    known = Contracts(Deployment(CHAIN_ID, asset, channels, collector, settlement, settlement, 1), ARTIFACTS)
    answer = machine.ask(operator, settlement, bytes.fromhex(known.encode("settlement", "token")[2:]))
    gift_token = str(Web3.to_checksum_address(answer.output[-20:]))
    deployment = Deployment(CHAIN_ID, asset, channels, collector, settlement, gift_token, 1)
    contracts = _Quick(deployment, ARTIFACTS)
    for person in people:
        minted = machine.run(operator, asset, bytes.fromhex(contracts.encode("asset", "mint", person, dollars)[2:]))
        assert minted.succeeded
    return Ground(machine, deployment, contracts, {operator: 4})
