"""Brings signed transfers to the chain, many in one transaction, and finds out what became of each: direct payments, and gift
tokens that people send each other.

The transaction calls Multicall3, where one transfer that fails is no matter to the others; so that it went through tells
nothing of any of them. What was carried out stands in its receipt, at depth. What was not waits and is tried again
until its time is over: only then, by the chain's own clock at depth, has it failed.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from taesan.chain import erc3009, multicall, relay, sender
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainTransaction
from taesan.chain.rpc import MAX_TRANSACTION_GAS
from taesan.core import outbox
from taesan.core.ids import new_id
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.payments import direct
from taesan.payments.direct_models import DirectPayment
from taesan.payments.token_models import TokenTransfer

Row = DirectPayment | TokenTransfer
CONFIRMED = "payments.DirectPaymentsConfirmed"
GONE = "payments.DirectPaymentsGone"
"""A reorganisation has removed them; they are on their way again."""
AGAIN_AFTER = timedelta(seconds=60)
CANCELLED = "its payer has cancelled it"
NOT_CARRIED_OUT = "the token refused it when its turn came"
TOOK_ALL_GAS = "it used up the gas of its transaction"


@dataclass
class _Tried:
    """What a simulation has shown. :ivar good: those that would be carried out, in this order. :ivar refused: id → why"""

    good: list[Row]
    refused: dict[int | None, str]


@dataclass(frozen=True)
class Gathering:
    """:ivar table: `DirectPayment` or `TokenTransfer`: the rows that go together. :ivar kind: names their transactions
    :ivar most: of them in one"""

    hub: Hub
    table: Any
    kind: str
    most: int

    # ---------------------------------------------------------------- sending

    def gather_step(self) -> bool:
        """Worker step: sends waiting payments together, once one of them is due or there are enough."""
        now = self.hub.chain_clock.now()
        with self.hub.db.read() as session:
            rows = self._due(session, now)
            if rows:
                sender.refuse_if_paused(session)
        if not rows:
            return False
        tried = self._try(rows)
        fates = {row.id: self._fate(row, tried.refused[row.id]) for row in rows if row.id in tried.refused}
        prepared = self._prepare(tried)
        with relay.signing(self.hub.db, self.kind) as session:
            if not self._are_waiting(session, rows):
                return False  # our lease ran out while the node thought about it, and another worker was faster
            for row in (row for row in rows if row.id in fates):
                waits = {"reason": tried.refused[row.id], "due_at": _again_at(row, now)}
                values = fates[row.id] or waits
                self._change(session, [row.id], "received", **values)
                if values.get("state") == "confirmed":
                    self._tell(session, [row.id], CONFIRMED, now)
            if prepared is not None:
                self._sign(session, prepared, tried.good, now)
        return True

    def _due(self, session: Session, now: datetime) -> Sequence[Row]:
        """Those that go together now; nothing if they can wait for more."""
        most = self.most
        waiting = select(self.table).where(self.table.state == "received")
        is_new, is_due = self.table.reason.is_(None), self.table.due_at <= now
        if session.scalar(waiting.where(is_due).limit(1)) is None:
            enough = session.scalar(waiting.where(is_new).offset(most - 1).limit(1))
            if enough is None:
                return []
        order = self.table.attempts, self.table.valid_before, self.table.id
        return relay.together(session.scalars(waiting.where(or_(is_new, is_due)).order_by(*order).limit(most)).all())

    def _are_waiting(self, session: Session, rows: Sequence[Row]) -> bool:
        of_these = select(self.table.id).where(self.table.id.in_([row.id for row in rows]))
        return len(session.scalars(of_these.where(self.table.state == "received")).all()) == len(rows)

    def _try(self, rows: Sequence[Row]) -> _Tried:
        """All together, and those that fail so once more alone: of two that spend the same money the second waits."""
        tried = _Tried([], {})
        for row, (is_done, _) in zip(rows, self._simulated(rows), strict=True):
            if is_done:
                tried.good.append(row)
                continue
            ((is_done_alone, answer),) = self._simulated([row])
            if not is_done_alone:
                tried.refused[row.id] = self.hub.contracts.explain(answer)
        return tried

    def _simulated(self, rows: Sequence[Row]) -> list[tuple[bool, bytes]]:
        calls = [direct.signed(row).call(self.hub.contracts) for row in rows]
        gas = min((len(rows) + 1) * erc3009.TRANSFER_GAS, MAX_TRANSACTION_GAS)
        try:
            told = self.hub.node.call(
                multicall.ADDRESS, multicall.together(calls, may_fail=True), self.hub.signer.address, gas=gas
            )
        except CallReverted:
            return [(False, b"")] * len(rows)  # somebody's code uses up all gas: each alone tells whose
        return multicall.results(told)

    def _prepare(self, tried: _Tried) -> sender.Prepared | None:
        """The transaction for those that are good, which may become fewer. Its gas is what they need when none may fail: an
        estimate that lets them fail would be one for less."""
        while tried.good:
            calls = [direct.signed(row).call(self.hub.contracts) for row in tried.good]
            strict, lenient = (multicall.together(calls, may_fail=may_fail) for may_fail in (False, True))
            try:
                prepared = sender.prepare(
                    self.hub.node, self.hub.signer.address, multicall.ADDRESS, strict, self.hub.fee_ceiling_wei
                )
            except (CallReverted, sender.TooLarge):
                tried.good = tried.good[: len(tried.good) // 2]
                continue
            return replace(prepared, data=lenient)
        return None

    def _sign(self, session: Session, prepared: sender.Prepared, rows: Sequence[Row], now: datetime) -> None:
        ids = [row.id for row in rows]
        if self._change(session, ids, "received", state="sent", reason=None) != len(rows):
            raise relay.TakenByAnother(self.kind)
        chain_id, ref = self.hub.contracts.deployment.chain_id, str(len(rows))
        transaction_id = sender.sign_and_store(session, self.hub.signer, chain_id, prepared, self.kind, ref, now)
        self._change(session, ids, "sent", transaction_id=transaction_id)

    # ------------------------------------------------------------- following

    def follow_step(self) -> bool:
        """Worker step: what became of payments whose transaction has come to an end, and that those are on their way again whose
        transaction a reorganisation has removed."""
        with self.hub.db.read() as session:
            ended = self._ended(session)
            again = self._sent_again(session)
        if not ended and not again:
            return False
        done = {
            sent.hash: erc3009.carried_out(self.hub.node, sent.hash) for sent, _ in ended if sent.state == "confirmed"
        }
        now = self.hub.chain_clock.now()
        with self.hub.db.write() as session:
            self._change(session, again, "confirmed", state="sent", transaction_hash=None)
            self._tell(session, again, GONE, now)
            for sent, rows in ended:
                if sent.state == "reverted":
                    self._return(session, rows, was_mined=sent.block_hash is not None, now=now)
                elif (found := done[sent.hash]) is not None:  # else a node that lags behind
                    self._note(session, rows, found, sent.hash, now)
        return True

    def _ended(self, session: Session) -> list[tuple[ChainTransaction, list[Row]]]:
        """Transactions that are over, with the payments of which that is not noted yet."""
        found = session.execute(
            select(ChainTransaction, self.table)
            .join(ChainTransaction, col(ChainTransaction.id) == self.table.transaction_id)
            .where(
                self.table.state == "sent",
                col(ChainTransaction.state).in_(["confirmed", "reverted"]),
            )
        ).all()
        rows: dict[int | None, list[Row]] = defaultdict(list)
        for sent, row in found:
            rows[sent.id].append(row)
        return [(sent, rows[sent.id]) for sent in {sent.id: sent for sent, _ in found}.values()]

    def _sent_again(self, session: Session) -> Sequence[int | None]:
        is_open = col(ChainTransaction.state).in_(sender.OPEN_STATES)
        ours = session.scalars(
            select(col(ChainTransaction.id)).where(is_open, col(ChainTransaction.kind) == self.kind)
        ).all()
        in_them = select(self.table.id).where(self.table.transaction_id.in_(ours))
        return session.scalars(in_them.where(self.table.state == "confirmed")).all() if ours else []

    def _note(
        self, session: Session, rows: Sequence[Row], done: set[tuple[str, str, str]], hash_: str, now: datetime
    ) -> None:
        arrived = [row.id for row in rows if (row.token, row.payer, row.nonce) in done]
        self._change(session, arrived, "sent", state="confirmed", transaction_hash=hash_)
        self._tell(session, arrived, CONFIRMED, now)
        others = [row.id for row in rows if row.id not in arrived]
        values = {"state": "received", "transaction_id": None, "reason": NOT_CARRIED_OUT, "due_at": now}
        self._change(session, others, "sent", **values)

    def _return(self, session: Session, rows: Sequence[Row], *, was_mined: bool, now: datetime) -> None:
        """Of a transaction that failed as a whole: somebody's code used up its gas. Each is tried alone then, and only once, as that
        costs gas. One that lost its nonce to another was never mined: nobody is at fault."""
        values: dict[str, Any] = {"state": "received", "transaction_id": None, "due_at": now}
        if was_mined:
            values["attempts"] = self.table.attempts + 1
        if was_mined and len(rows) == 1:
            values |= {"reason": TOOK_ALL_GAS, "due_at": direct.moment(rows[0].valid_before)}
        self._change(session, [row.id for row in rows], "sent", **values)

    # ---------------------------------------------------------------- ending

    def _fate(self, row: Row, reason: str) -> Mapping[str, Any] | None:
        """What has become for good of a payment that the chain refuses; None while it may still be carried out.

        Somebody else, such as its merchant, may have brought it to the chain: anybody can.
        """
        transfer, depth = direct.signed(row), self.hub.settings.depth
        deep = self.hub.node.block(max(int(self.hub.node.head()["number"]) - depth, 0))
        number = int(deep["number"])
        token, question = transfer.was_used(self.hub.contracts)
        if int.from_bytes(self.hub.node.call(token, hex_of(question), block=number), "big"):
            hash_ = erc3009.transaction_of(self.hub.node, transfer, row.accepted_block, number)
            if hash_ is None:
                return {"state": "failed", "reason": CANCELLED}
            return {"state": "confirmed", "reason": None, "transaction_hash": hash_}
        if deep["timestamp"] >= row.valid_before:
            return {"state": "failed", "reason": f"not carried out in its time: {reason}"}
        return None

    def _tell(self, session: Session, ids: Sequence[int | None], type_: str, now: datetime) -> None:
        """Of direct payments that have arrived, or have not after all, for the floors above: as often as that becomes so."""
        if ids and self.table is DirectPayment:
            outbox.put(session, f"{type_}:{new_id('evt')}", type_, {"ids": list(ids)}, now)

    def _change(self, session: Session, ids: Collection[int | None], before: str, /, **values: Any) -> int:
        """Of those that are still in the state `before`; returns how many."""
        changed = session.execute(
            update(self.table).where(self.table.id.in_(ids), self.table.state == before).values(**values)
        )
        return int(changed.rowcount)  # type: ignore[attr-defined]


def _again_at(row: Row, now: datetime) -> datetime:
    """A minute later, of an old one a tenth of its age; and soon after its end, when it is known what became of it."""
    wait = max(AGAIN_AFTER, (now - row.accepted_at) // 10)
    end = direct.moment(row.valid_before) + AGAIN_AFTER
    return min(now + wait, max(end, now + AGAIN_AFTER))
