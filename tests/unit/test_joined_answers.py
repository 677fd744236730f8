"""An answer goes out in one piece: half the system calls, and the client reads once."""

import asyncio

from taesan.core.server import _Joined
from tests.support.loops import run_async


class _Transport:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def test_what_is_written_in_one_turn_is_one_piece() -> None:
    async def answer() -> list[bytes]:
        transport = _Transport()
        joined = _Joined(transport, asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        assert transport.sent == []
        await asyncio.sleep(0)
        joined.write(b"next")
        await asyncio.sleep(0)
        return transport.sent

    assert run_async(answer()) == [b"head body", b"next"]


def test_what_was_written_goes_out_before_the_connection_closes() -> None:
    async def answer() -> _Transport:
        transport = _Transport()
        joined = _Joined(transport, asyncio.get_running_loop())
        joined.write(b"431")
        joined.close()
        await asyncio.sleep(0)
        return transport

    transport = run_async(answer())
    assert (transport.sent, transport.is_closed) == ([b"431"], True)


def test_nothing_is_sent_to_who_is_gone() -> None:
    async def answer() -> _Transport:
        transport = _Transport()
        joined = _Joined(transport, asyncio.get_running_loop())
        joined.write(b"late")
        transport.close()
        await asyncio.sleep(0)
        return transport

    assert run_async(answer()).sent == []
