"""The intake's process: groups of payments come over a pipe, are verified and committed, and answered in their order.

Apart from `lanes`, which starts it and is the other end of the pipe: it is started anew whenever it dies, so it imports neither
the API nor what asks a node.
"""

import contextlib
import signal
import socket
import threading
from queue import Queue

import msgspec
import structlog

from taesan.core import tracing
from taesan.core.clock import SystemClock
from taesan.core.db import Database
from taesan.core.garbage import calm_collector
from taesan.core.logs import Logs, set_up_logs
from taesan.payments.engine import Engine, Started
from taesan.payments.messages import Submission
from taesan.payments.terms import Terms
from taesan.payments.verifiers import VerifierLost, Verifiers

log = structlog.get_logger()

WINDOW = 3  # groups on their way: one is committed, one has its signatures verified, one is there to be next
LENGTH = 4  # bytes that tell a message's length
READY = bytes(LENGTH)  # the process's first message

# A group is the span that it belongs to, if there is one (`tracing.carried`), and its submissions.
_decode_group = msgspec.msgpack.Decoder(tuple[str | None, list[Submission]]).decode
_encode_results = msgspec.msgpack.Encoder().encode


def work(pipe: socket.socket, database_url: str, terms: Terms, verifier_count: int, cache_mib: int, logs: Logs) -> None:
    """Until nobody is at the other end of the pipe."""
    set_up_logs(logs)
    tracing.set_up_tracing("taesan-intake")
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # these go to all of us; the service ends first, and what it has begun
        signal.signal(number, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        # They close the pipe, or the service would not notice that the intake is gone.
        verifiers = Verifiers(terms.voucher_domain, verifier_count, pipe.close)
        stack.callback(verifiers.close)
        db = Database(database_url, cache_mib)
        stack.callback(db.close)
        stack.callback(tracing.shut_down)
        engine = Engine(db, terms, SystemClock(), verifiers)
        started: Queue[Started | Exception] = Queue(WINDOW)
        calm_collector()
        # Beside the commits, or a group's signatures would wait until the one before is committed.
        starting = threading.Thread(target=_start_groups, args=(pipe, engine, started), daemon=True)
        try:
            pipe.sendall(READY)
            starting.start()
            while isinstance(group := started.get(), Started):
                message = _encode_results(engine.finish(group))
                pipe.sendall(len(message).to_bytes(LENGTH, "big") + message)
            raise group
        except (EOFError, ConnectionError):
            return  # the service has ended
        except VerifierLost:
            log.exception("intake.verifier_lost")  # the service starts all of us again


def _start_groups(pipe: socket.socket, engine: Engine, started: "Queue[Started | Exception]") -> None:
    """Has the signatures of groups verified as they come, until there is no going on; that is told last."""
    try:
        while True:
            trace, submissions = _decode_group(_receive(pipe))
            started.put(engine.start(submissions, trace))
    except Exception as error:
        started.put(error)


def _receive(pipe: socket.socket) -> bytes:
    return _exactly(pipe, int.from_bytes(_exactly(pipe, LENGTH), "big"))


def _exactly(pipe: socket.socket, length: int) -> bytes:
    """:raises EOFError: nobody is at the other end"""
    received = bytearray()
    while len(received) < length:
        part = pipe.recv(min(length - len(received), 1 << 20))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
