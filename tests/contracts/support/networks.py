"""A node of our own for the tests, whatever else runs on this machine."""

import contextlib
import functools
import secrets
import socket
import sys
import time
from types import SimpleNamespace

import requests
import urllib3
from brownie._config import CONFIG
from brownie.network import web3
from brownie.network.contract import ContractContainer
from brownie.network.state import Chain
from brownie.test.managers.base import PytestBrownieBase
from eth_account import Account
from eth_account.signers.local import LocalAccount

from web3 import HTTPProvider
from web3.exceptions import TransactionNotFound

from scripts.deploy import run_ganache_at_shanghai

# The same on every node, so that the tests know the keys of the accounts that the node unlocks.
MNEMONIC = "test test test test test test test test test test test junk"

BLOCKS_REMEMBERED = 500  # more than a test has, whose books are looked at in each


def prepare() -> None:
    """Set up the networks before Brownie starts one; must run before the tests are collected."""
    run_ganache_at_shanghai()
    # Nobody reads Ganache's log from the pipe that Brownie gives it: once the pipe is full, Ganache stands still.
    CONFIG.networks["ganache-cli"]["cmd"] = "ganache-cli --logging.quiet"
    # It writes the states of all older ones to the disk otherwise.
    CONFIG.networks["development"]["cmd"] += f" --prune-history={BLOCKS_REMEMBERED}"
    _be_patient()
    _be_quick()
    for name in ("development", "ganache-cli"):
        settings = CONFIG.networks[name]["cmd_settings"]
        # On the usual port Brownie would attach to a node that somebody works with, and reset it.
        settings["port"] = _free_port()
        settings["mnemonic"] = MNEMONIC


def _be_patient() -> None:
    """Anvil counts a nonce as used a moment before it finds the mined transaction; Brownie would take it for dropped."""
    for name in ("get_transaction", "get_transaction_receipt"):
        setattr(web3.eth, name, _patiently(getattr(web3.eth, name)))


def _patiently(ask):
    def until_found(transaction_hash):
        for _ in range(500):  # ten seconds: other tests may have the cores
            try:
                return ask(transaction_hash)
            except TransactionNotFound:
                time.sleep(0.02)
        return ask(transaction_hash)

    return until_found


def _be_quick() -> None:
    """Leaves out what takes much of the tests' time, and no test needs."""
    web3.middleware_onion.remove("validation")  # asks for the chain's id before each call
    web3.middleware_onion.remove("gas_price_strategy")  # asks for a block before each transaction, whose price we set
    HTTPProvider._make_request = _post

    # A snapshot for each transaction and a look at its block, so that whoever sits at a console can undo it.
    Chain._add_to_undo_buffer = lambda *_: None

    def stack():
        """As much of `inspect.stack` as Brownie wants at each snapshot: it collects the source of every frame."""
        return [SimpleNamespace(frame=sys._getframe(depth)) for depth in (1, 2)]

    sys.modules["brownie.network.rpc"].inspect = SimpleNamespace(stack=stack)

    # Of every test's source, parsed, for Brownie's --update: with these it takes all tests for changed.
    PytestBrownieBase._get_hash = lambda *_: secrets.token_hex()

    whole = ContractContainer._revert

    def revert(self, height):
        """What a transaction of a block that stays has deployed, stays: Brownie would ask for its code."""
        if any(contract.tx is None or contract.tx.block_number > height for contract in self):
            whole(self, height)

    ContractContainer._revert = revert


def _post(provider, method, body):
    """A question by urllib3: requests, which stands above it, takes a third of a question's time."""
    try:
        answer = _connections(provider.endpoint_uri).urlopen(
            "POST",
            "/",
            body=body,
            headers={"Content-Type": "application/json"},
            timeout=provider.get_request_kwargs()["timeout"],
            retries=False,
        )
    except urllib3.exceptions.HTTPError as error:  # Brownie looks for what requests raises, as while a node starts
        raise requests.exceptions.ConnectionError(str(error)) from error
    if answer.status != 200:
        raise requests.exceptions.HTTPError(f"the node answers with HTTP {answer.status}: {answer.data[:500]!r}")
    return answer.data


_connections = functools.cache(urllib3.connection_from_url)


def keys(count: int) -> dict[str, LocalAccount]:
    """The key pairs of the node's first accounts, by address."""
    Account.enable_unaudited_hdwallet_features()
    pairs = [Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{i}") for i in range(count)]
    return {pair.address: pair for pair in pairs}


def _free_port() -> int:
    """Below those that the kernel gives to whoever connects: one of them may be gone before the node has started."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
