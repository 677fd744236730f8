"""Bugs to be planted into the service, to see that the simulation finds them: `make simulate ARGS="--bug …"`, or the environment variable
TAESAN_PLANTED_BUG, which is read here and in no other place."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import text, update
from sqlmodel import col

from taesan.chain import watcher
from taesan.chain.models import ChainTransaction
from taesan.chain.rpc import NodeUnavailable
from taesan.core import outbox
from taesan.payments import intake, store
from tests.simulation.service import Service

VARIABLE = "TAESAN_PLANTED_BUG"


@contextmanager
def _give_up_unanswered(service: Service) -> Iterator[None]:
    """A broadcast that nobody answers counts as failed: what it was for is signed anew, with another nonce."""

    def hasty(step: Callable[[], bool]) -> Callable[[], bool]:
        def run() -> bool:
            try:
                return step()
            except NodeUnavailable:
                with service.hub.db.write() as session:
                    signed = update(ChainTransaction).where(col(ChainTransaction.state) == "signed")
                    session.execute(signed.values(state="reverted", last_error="no answer"))
                return True

        return run

    service.replace("advance transactions", hasty)
    yield


@contextmanager
def _send_once(service: Service) -> Iterator[None]:
    """The same bytes are never sent again, as if a pool kept what a reorg removes."""
    sent: set[bytes] = set()
    send_raw = service.node.send_raw

    def once(raw: bytes) -> None:
        if raw not in sent:
            send_raw(raw)
            sent.add(raw)

    with patch.object(service.node, "send_raw", once):
        yield


@contextmanager
def _post_early(_: Service) -> Iterator[None]:
    """Events are booked as soon as they are mined, without waiting for depth."""
    index = watcher.index

    def eager(db: Any, node: Any, contracts: Any, clock: Any, depth: int, **rest: Any) -> bool:
        return index(db, node, contracts, clock, 0, **rest)

    with patch.object(watcher, "index", eager):
        yield


@contextmanager
def _handle_again(_: Service) -> Iterator[None]:
    """Now and then an event is handled and not marked as handled."""
    deliver = outbox.deliver

    def forgetful(db: Any, *rest: Any, **more: Any) -> int:
        count = deliver(db, *rest, **more)
        if count > 2:
            with db.write() as session:
                session.execute(
                    text("UPDATE outbox_event SET handled_at = NULL WHERE id % 7 = 0 AND last_error IS NULL")
                )
        return count

    with patch.object(outbox, "deliver", forgetful):
        yield


@contextmanager
def _forget_answers(_: Service) -> Iterator[None]:
    """A repeated payment is not recognised by its key."""

    def nothing(*_: Any) -> Mapping[Any, Any]:
        return {}

    with patch.object(store, "by_key", nothing):
        yield


@contextmanager
def _answer_first(service: Service) -> Iterator[None]:
    """Payments are booked without their entry in the books being committed: the answer comes before the commit."""
    accept = intake.accept

    def early(session: Any, *rest: Any, **more: Any) -> Any:
        results = accept(session, *rest, **more)
        if service.clock.at.second % 10 == 0:
            session.rollback()
        return results

    with patch.object(intake, "accept", early):
        yield


BUGS: dict[str, Callable[[Service], Any]] = {
    "give up unanswered broadcasts": _give_up_unanswered,
    "never send the same bytes again": _send_once,
    "post before depth": _post_early,
    "leave events unmarked": _handle_again,
    "forget answers": _forget_answers,
    "answer without a commit": _answer_first,
}


@contextmanager
def planted(name: str, service: Service) -> Iterator[None]:
    """:param name: of a bug; empty: none"""
    with ExitStack() as stack:
        if name:
            stack.enter_context(BUGS[name](service))
        yield
