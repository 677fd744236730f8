"""Several signed requests of users, brought to the chain in one multicall; one bad request fails alone."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlmodel import Session, SQLModel, col

from taesan.chain import sender
from taesan.chain.contracts import Contracts
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainTransaction
from taesan.chain.rpc import MAX_TRANSACTION_GAS, Node
from taesan.chain.signers import Signer
from taesan.core.clock import Clock
from taesan.core.crashpoints import reach
from taesan.core.db import Database
from taesan.core.worker import TransientError

BYTES = 100_000
RELAYED_CALL_GAS = 1_500_000
"""A contract wallet that is asked for its signature can burn gas at the operator's cost: so much, and no more."""


class TakenByAnother(TransientError):
    """Another worker was faster with some of the rows; nothing of this step is kept."""


T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """:ivar prepared: the transaction for `included`, or None. :ivar refused: request → why the contract refuses it."""

    prepared: sender.Prepared | None
    included: list[int]
    refused: dict[int, str]


def plan(
    node: Node, contracts: Contracts, from_address: str, role: str, calls: Mapping[int, str], ceiling_wei: int
) -> Plan:
    """Simulates the calls together; if that fails, finds those that fail alone and leaves them out.

    :param role: the contract, which must have OpenZeppelin's Multicall
    :param calls: request's row id → call data; what does not go into one transaction is left for the next
    """
    to = getattr(contracts.deployment, role)
    included, refused = _that_fit(calls), {}

    def prepare(ids: list[int]) -> sender.Prepared:
        data = contracts.encode(role, "multicall", [calls[id_] for id_ in ids])
        gas = min(len(ids) * RELAYED_CALL_GAS, MAX_TRANSACTION_GAS)
        node.call(to, data, from_address, gas=gas)
        prepared = sender.prepare(node, from_address, to, data, ceiling_wei)
        return replace(prepared, gas=min(prepared.gas, gas))

    try:
        return Plan(prepare(included), included, {})
    except CallReverted:
        for id_ in included:
            try:
                node.call(to, calls[id_], from_address, gas=RELAYED_CALL_GAS)
            except CallReverted as alone:
                refused[id_] = contracts.explain(alone.data)
    included = [id_ for id_ in included if id_ not in refused]
    while len(included) > 1:
        try:
            return Plan(prepare(included), included, refused)
        except CallReverted:
            # Each is fine alone but not together, such as two that spend the same balance: the first go first.
            included = included[: len(included) // 2]
    return Plan(prepare(included) if included else None, included, refused)


def _that_fit(calls: Mapping[int, str]) -> list[int]:
    """The first of them that one transaction holds."""
    sizes = accumulate(len(data) // 2 + 128 for data in calls.values())  # each with its length and offset
    return [id_ for id_, size in zip(calls, sizes, strict=True) if size <= BYTES]


@contextmanager
def signing(db: Database, kind: str) -> Iterator[Session]:
    """The transaction that takes rows and signs for them. :param kind: of what is signed"""
    with db.write() as session:
        yield session
        reach("relay.before_commit", kind)
    reach("relay.after_commit", kind)


@dataclass(frozen=True)
class Relayer:
    """Sends rows that have `state` (received → sent, or failed), `transaction_id`, `attempts` and `reason` columns."""

    db: Database
    node: Node
    contracts: Contracts
    signer: Signer
    clock: Clock
    ceiling_wei: int

    def send(
        self,
        table: type[SQLModel],
        kind: str,
        role: str,
        calls: Mapping[int, str],
        on_refused: Callable[[Session, int], None] = lambda session, id_: None,
    ) -> None:
        """Brings received rows to the chain in one transaction; marks those that the contract refuses as failed.

        :param kind: names the transactions; :param role: the contract; :param calls: row id → call data
        :param on_refused: what else to undo for a refused row
        :raises SigningPaused: an alarm is on
        """
        with self.db.read() as session:
            sender.refuse_if_paused(session)
        planned = plan(self.node, self.contracts, self.signer.address, role, calls, self.ceiling_wei)
        model: Any = table
        with signing(self.db, kind) as session:
            waiting = select(model.id).where(model.id.in_(list(calls)), model.state == "received")
            if set(session.scalars(waiting)) != calls.keys():
                return  # our lease ran out while the node thought about it, and another worker was faster
            for id_, reason in planned.refused.items():
                session.execute(update(table).where(model.id == id_).values(state="failed", reason=reason))
                on_refused(session, id_)
            if planned.prepared:
                self._sign(session, table, kind, planned.prepared, planned.included)

    def _sign(
        self, session: Session, table: type[SQLModel], kind: str, prepared: sender.Prepared, included: list[int]
    ) -> None:
        model: Any = table
        # First take the rows, then sign: of two workers (a lease can run out) only one gets past this line.
        taken = session.execute(
            update(table).where(model.id.in_(included), model.state == "received").values(state="sent")
        )
        if taken.rowcount != len(included):  # type: ignore[attr-defined]
            raise TakenByAnother(kind)
        transaction_id = sender.sign_and_store(
            session,
            self.signer,
            self.contracts.deployment.chain_id,
            prepared,
            kind,
            str(len(included)),
            self.clock.now(),
        )
        session.execute(update(table).where(model.id.in_(included)).values(transaction_id=transaction_id))

    def return_reverted(
        self, table: type[SQLModel], kind: str, on_refused: Callable[[Session, int], None] = lambda session, id_: None
    ) -> bool:
        """Puts rows of a failed transaction back in the queue, to be tried one by one: the simulation can be deceived, the
        chain cannot. A row that was alone in it has failed. Returns whether there were any."""
        model: Any = table
        reverted = select(col(ChainTransaction.id)).where(
            col(ChainTransaction.kind) == kind, col(ChainTransaction.state) == "reverted"
        )
        with self.db.read() as session:
            rows = session.execute(
                select(model.id, model.transaction_id, col(ChainTransaction.block_hash).is_not(None))
                .join(ChainTransaction, col(ChainTransaction.id) == model.transaction_id)
                .where(model.state == "sent", model.transaction_id.in_(reverted))
            ).all()
        if not rows:
            return False
        in_transaction = Counter(transaction_id for _, transaction_id, _ in rows)
        # A transaction that lost its nonce to another was never mined: nobody is at fault.
        alone = [id_ for id_, transaction_id, was_mined in rows if was_mined and in_transaction[transaction_id] == 1]
        with self.db.write() as session:
            session.execute(
                update(table)
                .where(model.id.in_([id_ for id_, _, _ in rows if id_ not in alone]), model.state == "sent")
                .values(state="received", transaction_id=None, attempts=model.attempts + 1)
            )
            for id_ in alone:
                failed = session.execute(
                    update(table)
                    .where(model.id == id_, model.state == "sent")
                    .values(state="failed", reason="reverted on chain, though its simulation passed")
                )
                if failed.rowcount:  # type: ignore[attr-defined]
                    on_refused(session, id_)
        return True


def together(rows: Sequence[T]) -> Sequence[T]:
    """Of rows in the order of their attempts those that may share a transaction: all new ones, or one that was in a
    failed transaction before."""
    fresh = [row for row in rows if row.attempts == 0]  # type: ignore[attr-defined]
    return fresh or rows[:1]
