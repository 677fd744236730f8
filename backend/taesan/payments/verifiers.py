"""Who verifies signatures: processes of their own, as Python runs one thread at a time.

Each has a pipe; a group is shared out among them, and their answers come in the order of the groups. No pool, no threads:
a pool's cost some tenth of the intake's time.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import msgspec

from taesan.channels import vouchers
from taesan.core.crypto import Domain

NICENESS = 10  # whoever commits goes first: all wait for it, and signatures are verified ahead
ALONE = 16  # so few are verified sooner than they are sent

Voucher = tuple[bytes, str, int, str]
"""Signer (20 bytes, empty if unknown), channel id, cumulative amount, signature."""
Pieces = Sequence[Callable[[], bytes]]
"""Each gives, when it is there, a part of what `verify` would give."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Voucher]).decode


def verify(domain: Domain, group: Sequence[Voucher]) -> bytes:
    """One byte for each, 1 if its signer signed it."""
    return bytes(
        vouchers.is_signed_by(signer, domain, channel_id, cumulative, bytes.fromhex(signature[2:]))
        for signer, channel_id, cumulative, signature in group
    )


class VerifierLost(Exception):
    """A verifier's process has ended; what it had is not verified."""


class Verifiers:
    """:param count: of processes; 0: whoever asks does it. :param close: what they must not keep open"""

    def __init__(self, domain: Domain, count: int = 0, close: Callable[[], None] = lambda: None) -> None:
        self._domain = domain
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        # Forked, as this process has no other thread yet: they are there at once.
        context = multiprocessing.get_context("fork")
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, domain, close), name="taesan-verifier", daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def close(self) -> None:
        for process in self._processes:
            process.kill()  # they keep nothing, and may have been told to ignore all else

    def start(self, group: Sequence[Voucher]) -> Pieces:
        """The pieces must be asked for in their order, and all of a group before those of the next.

        :raises VerifierLost: so do the pieces
        """
        if not self._pipes or len(group) <= ALONE:
            return [lambda: verify(self._domain, group)]
        size = -(-len(group) // len(self._pipes))
        pieces = []
        for n, pipe in enumerate(self._pipes):
            if share := group[n * size : (n + 1) * size]:
                with _telling():
                    pipe.send_bytes(_encode(share))
                pieces.append(partial(_receive, pipe))
        return pieces


def _receive(pipe: Connection) -> bytes:
    with _telling():
        return pipe.recv_bytes()


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise VerifierLost from error


def _work(pipe: Connection, domain: Domain, close: Callable[[], None]) -> None:
    close()
    os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(verify(domain, _decode(pipe.recv_bytes())))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
