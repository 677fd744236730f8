"""Others than us, measured as we are: `python -m tests.bench.peers [SECONDS [CONNECTIONS]]`.

Each peer is one server process with a database or files of its own; beside it runs the load process that sends to ours
too. Every answer must be a success, and what is kept afterwards must add up.
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eth_account import Account

from tests.bench.drive import Measured, drive, server
from tests.bench.load import Load
from tests.bench.payers import AMOUNT, DEPOSIT
from tests.bench.peer_straightforward import FACTS
from tests.bench.peer_x402 import NATIVE, PATH, Shop
from tests.bench.peer_x402_customers import Depositor
from tests.support.chain import Chain, free_port

PROBE = 2
"""Requests on each connection that warm the server up and tell its rate."""
KEYS = {False: "coincurve", True: "pure Python"}


# ----------------------------------------------------------------- who takes part


def straightforward(seconds: float, connections: int, native: bool) -> Measured:
    """:param seconds: about how long it is measured. :param native: keys recovered in pure Python"""
    with ExitStack() as stack:
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        file = folder / "payments.db"
        arguments = [str(file), str(port), str(connections)]
        process = stack.enter_context(
            server("tests.bench.peer_straightforward", arguments + [NATIVE] * native, folder, port)
        )

        def send(each: int, paid: int) -> dict[str, Any]:
            load = Load(
                facts=asdict(FACTS),
                ports=[port],
                connections=connections,
                payers=connections,
                payments=each * connections,
                bulk=0,
                paid=paid,
            )
            return drive(load, [process], success=201)

        run, each = _measure(send, seconds, connections)
        _check_books(file, connections, PROBE + each)
    return Measured.of(f"FastAPI + SQLModel + eth-account ({KEYS[native]})", run)


def x402_server(seconds: float, connections: int, native: bool, durable: bool = True, once: bool = True) -> Measured:
    """:param durable: channels in files; otherwise in memory, which is the SDK's default
    :param once: its middleware is made once; otherwise in each request, as in the SDK's example"""
    with ExitStack() as stack:
        folder, port = Path(stack.enter_context(tempfile.TemporaryDirectory())), free_port()
        chain = Chain(folder)
        stack.callback(chain.stop)
        shop = _shop(chain, _open_facilitator(stack, chain, folder), folder / "channels" if durable else None, once)
        arguments = ["server", str(port), json.dumps(asdict(shop))]
        process = stack.enter_context(server("tests.bench.peer_x402", arguments + [NATIVE] * native, folder, port))
        url = f"http://127.0.0.1:{port}{PATH}"
        customers = [Depositor(chain, shop, url) for _ in range(connections)]

        def send(each: int, _paid: int) -> dict[str, Any]:
            prepared = folder / "requests.json"
            prepared.write_text(json.dumps([customer.requests(each) for customer in customers]))
            load = Load(
                facts={},
                ports=[port],
                connections=connections,
                payers=0,
                payments=each * connections,
                bulk=0,
                prepared=str(prepared),
            )
            return drive(load, [process], success=200)

        run, _ = _measure(send, seconds, connections)
        _check_channels(shop, customers, url)
    return Measured.of(
        f"x402 SDK's server, {_store(durable)}{'' if once else ', as its example'} ({KEYS[native]})", run
    )


def x402_bare(seconds: float, native: bool = False, durable: bool = True) -> Measured:
    """The SDK's verification and its channel store, in a loop without HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.peer_x402_bare", str(seconds), folder if durable else ""]
        done = subprocess.run(command + [NATIVE] * native, check=True, capture_output=True, text=True)
    return Measured.of(f"x402 SDK, no HTTP, {_store(durable)} ({KEYS[native]})", json.loads(done.stdout))


def _store(durable: bool) -> str:
    return "files" if durable else "memory"


def _open_facilitator(stack: ExitStack, chain: Chain, folder: Path) -> str:
    """Starts one; returns its address."""
    port = free_port()
    arguments = ["facilitator", str(port), chain.url, chain.contracts.network]
    stack.enter_context(server("tests.bench.peer_x402", arguments, folder, port, "/supported"))
    return f"http://127.0.0.1:{port}"


def _shop(chain: Chain, facilitator_url: str, folder: Path | None, once: bool) -> Shop:
    return Shop(
        facilitator_url=facilitator_url,
        folder=str(folder or ""),
        network=chain.contracts.network,
        pay_to=Account.create().address,
        asset=chain.deployment.asset,
        asset_name=chain.read("asset", "name"),
        asset_version=chain.read("asset", "version"),
        price=AMOUNT,
        deposit=DEPOSIT,
        once=once,
    )


# -------------------------------------------------------------------- measurement


def _measure(
    send: Callable[[int, int], dict[str, Any]], seconds: float, connections: int
) -> tuple[dict[str, Any], int]:
    """:param send: sends requests on each connection, told how many there were before
    :return: the longer run, and its requests on each connection"""
    probe = send(PROBE, 0)
    each = max(PROBE, round(probe["rate"] * seconds / connections))
    return send(each, PROBE), each


def _check_books(file: Path, channels: int, each: int) -> None:
    """:param each: payments of each channel"""
    database = sqlite3.connect(file)
    count = channels * each
    assert database.execute("SELECT count(*), sum(amount) FROM payment").fetchone() == (count, count * AMOUNT)
    assert database.execute("SELECT charged FROM channel").fetchall() == [(each * AMOUNT,)] * channels
    assert database.execute("SELECT sum(amount) FROM balance").fetchone() == (count * AMOUNT,)
    database.close()


def _check_channels(shop: Shop, customers: Sequence[Depositor], url: str) -> None:
    """In memory only the server itself can tell: so each customer asks by one more payment."""
    if shop.folder:
        charged = {channel.channel_id: int(channel.charged_cumulative_amount) for channel in shop.store().list()}
        assert charged == {customer.channel_id: customer.charged for customer in customers}
    else:
        assert all(customer.pay(url) == customer.charged for customer in customers)


def main(seconds: float = 4, connections: int = 16) -> None:
    peers = [
        straightforward(seconds, connections, native=True),
        straightforward(seconds, connections, native=False),
        x402_server(seconds, connections, native=False, once=False),
        x402_server(seconds, connections, native=True),
        x402_server(seconds, connections, native=False),
        x402_server(seconds, connections, native=False, durable=False),
        x402_bare(seconds),
        x402_bare(seconds, durable=False),
    ]
    print(f"{f'{connections} connections':<54}payments  a second   p50 ms   p99 ms  CPU µs each   a core")
    for peer in peers:
        print(
            f"{peer.name:<54}{peer.payments:>8,}{peer.rate:>10,.0f}{peer.p50_ms:>9,.1f}{peer.p99_ms:>9,.1f}"
            f"{peer.cpu_us_per_payment:>13,.0f}{peer.rate_per_core:>9,.0f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
