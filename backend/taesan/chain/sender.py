"""The only module that has transactions signed and sends them.

`sign_and_store` reserves the nonce, signs and stores in one database transaction; `Following.step` does all that comes after:
broadcast, look for the receipt, wait for depth, broadcast again after a reorg, offer more for what nobody takes. A second,
different transaction for the same purpose is made only when the first has failed at depth, or another one has its nonce at
depth: so whatever became of an unanswered broadcast, the stored bytes can be sent again. An attempt at a higher fee is the
same call with the same nonce: of all attempts one is mined, whichever it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from sqlalchemy import select, update
from sqlmodel import Session, col
from web3.types import TxReceipt

from taesan.chain import alarms, errors, nonces
from taesan.chain.bidding import Bidding
from taesan.chain.errors import SendRefused
from taesan.chain.models import ChainAttempt, ChainTransaction, SignerAccount
from taesan.chain.rpc import MAX_TRANSACTION_GAS, Fees, Node
from taesan.chain.signers import Signer, SignerUnavailable
from taesan.core import counters
from taesan.core.clock import Clock, has_passed
from taesan.core.crashpoints import reach
from taesan.core.db import Database
from taesan.core.values import hex_of
from taesan.core.worker import TransientError

log = structlog.get_logger()

REBROADCAST_AFTER = timedelta(seconds=15)
MAX_CALL_DATA_BYTES = 130_000  # geth's and reth's pools take transactions of 128 KiB
OPEN_STATES = ("signed", "broadcast", "mined")
NOTHING_GAS = 21_000


class TooLarge(Exception):
    """No node would take such a transaction: it has to be made smaller before a nonce is spent on it."""


class SigningPaused(TransientError):
    """Nothing new is signed while an alarm is on; it goes on by itself."""


@dataclass(frozen=True)
class Prepared:
    """A call that was simulated, with the gas and fees to send it with."""

    to: str
    data: str
    gas: int
    fees: Fees


def prepare(node: Node, sender: str, to: str, data: str, ceiling_wei: int) -> Prepared:
    """Simulates a call and prices it. Talks to the node: call it outside a database transaction.

    :raises CallReverted: the call would fail
    :raises TooLarge: it would, but no pool would take it
    """
    if len(data) // 2 > MAX_CALL_DATA_BYTES:
        raise TooLarge(f"{len(data) // 2:,} bytes of call data; nodes take about {MAX_CALL_DATA_BYTES:,}")
    gas = node.gas_limit(sender, to, data)
    if gas > MAX_TRANSACTION_GAS:
        raise TooLarge(f"{gas:,} gas; chains take {MAX_TRANSACTION_GAS:,}")
    return Prepared(to, data, gas, node.fees(ceiling_wei))


def refuse_if_paused(session: Session) -> None:
    """:raises SigningPaused: an alarm is on with which nothing new is signed"""
    alarm = alarms.pausing(session)
    if alarm is not None:
        raise SigningPaused(f"nothing is signed: {alarm.name}: {alarm.detail}")


def sign_and_store(
    session: Session, signer: Signer, chain_id: int, prepared: Prepared, kind: str, ref: str, now: datetime
) -> int:
    """Reserves the next nonce, signs, stores; returns the transaction's row id. Sends nothing.

    :param ref: which of the kind's rows it is for, such as a batch id
    :raises SigningPaused: an alarm is on
    """
    refuse_if_paused(session)
    nonce = session.scalar(
        select(col(SignerAccount.next_nonce)).where(col(SignerAccount.address) == signer.address).with_for_update()
    )
    if nonce is None:
        raise LookupError(f"no nonce known for {signer.address}: `nonces.adopt` was not called")
    session.execute(
        update(SignerAccount).where(col(SignerAccount.address) == signer.address).values(next_nonce=nonce + 1)
    )
    return _store(session, signer, chain_id, prepared, nonce, kind, ref, now)


def fill_gap(session: Session, signer: Signer, chain_id: int, fees: Fees, nonce: int, now: datetime) -> int:
    """Signs and stores a transaction that does nothing, for a nonce below others that no transaction here has: whatever had
    it is gone, and those that follow can never be mined without it."""
    nothing = Prepared(signer.address, "0x", NOTHING_GAS, fees)
    return _store(session, signer, chain_id, nothing, nonce, "gap", str(nonce), now)


def _store(
    session: Session,
    signer: Signer,
    chain_id: int,
    prepared: Prepared,
    nonce: int,
    kind: str,
    ref: str,
    now: datetime,
) -> int:
    raw, hash_ = signer.sign(
        {
            "type": 2,
            "chainId": chain_id,
            "nonce": nonce,
            "to": prepared.to,
            "value": 0,
            "data": prepared.data,
            "gas": prepared.gas,
            "maxFeePerGas": prepared.fees.max_fee_per_gas,
            "maxPriorityFeePerGas": prepared.fees.max_priority_fee_per_gas,
        }
    )
    row = ChainTransaction(
        hash=hash_, kind=kind, ref=ref, sender=signer.address, nonce=nonce, state="signed", signed_at=now
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    session.add(ChainAttempt(hash=hash_, transaction_id=row.id, raw=raw, made_at=now))
    session.flush()
    reach("sign.before_commit", kind)
    return row.id


def all_mined(session: Session) -> bool:
    """Whether none of our transactions is waiting to be mined."""
    waiting = select(col(ChainTransaction.id)).where(col(ChainTransaction.state).in_(["signed", "broadcast"]))
    return session.scalar(waiting.limit(1)) is None


@dataclass(frozen=True)
class Following:
    """Moves stored transactions on, as far as the chain allows."""

    db: Database
    node: Node
    signer: Signer
    clock: Clock
    depth: int
    bidding: Bidding

    def step(self) -> bool:
        """Each open transaction, in the order of nonces; returns whether anything moved. Safe to repeat."""
        with self.db.read() as session:
            rows = session.scalars(
                select(ChainTransaction)
                .where(col(ChainTransaction.state).in_(OPEN_STATES))
                .order_by(col(ChainTransaction.sender), col(ChainTransaction.nonce))
            ).all()
        if not rows:
            return False
        head = int(self.node.head()["number"])
        return sum([self._advance(row, head) for row in rows]) > 0

    def _advance(self, row: ChainTransaction, head: int) -> bool:
        if row.state == "signed":
            return self._broadcast(row)
        receipt = self._receipt(row)
        if receipt is None:
            # A mined transaction without a receipt fell out in a reorg, and no pool has it any more.
            return self._broadcast(row) if row.state == "mined" else self._wait(row, head)
        reach("receipt.seen", row.kind)
        mined = _mined_values(receipt)
        if head - int(receipt["blockNumber"]) >= self.depth:
            mined["state"] = "confirmed" if receipt["status"] == 1 else "reverted"
        if row.state == mined["state"] and row.block_hash == mined["block_hash"]:
            return False
        gas = {f"gas:{row.kind}": int(receipt["gasUsed"])} if mined["state"] == "confirmed" else {}
        self._update(row, mined, gas)
        return True

    def _receipt(self, row: ChainTransaction) -> TxReceipt | None:
        """Of whichever attempt is mined; the one that the row names is asked for first."""
        receipt = self.node.receipt(row.hash)
        if receipt is not None:
            return receipt
        others = [hash_ for hash_ in self._hashes(row) if hash_ != row.hash]
        return next((found for found in map(self.node.receipt, others) if found is not None), None)

    def _hashes(self, row: ChainTransaction) -> Sequence[str]:
        """Of all attempts, the newest first."""
        with self.db.read() as session:
            return session.scalars(
                select(col(ChainAttempt.hash))
                .where(col(ChainAttempt.transaction_id) == row.id)
                .order_by(col(ChainAttempt.made_at).desc())
            ).all()

    def _wait(self, row: ChainTransaction, head: int) -> bool:
        """Not mined: look whether it still can be, whether more has to be offered, and tell the node again."""
        due = row.broadcast_at is None or has_passed(REBROADCAST_AFTER, row.broadcast_at, self.clock.now())
        if not due and not errors.is_(row.last_error, errors.NonceTooLow):
            return False
        block = max(head - self.depth, 0)
        if self.node.next_nonce(row.sender, block) > row.nonce:
            # It may have been mined since we asked for its receipt: then the next look finds it.
            return self._receipt(row) is None and self._give_up(row, block)
        return due and (self._offer_more(row) or self._broadcast(row))

    def _attempt(self, hash_: str) -> ChainAttempt:
        with self.db.read() as session:
            return session.get_one(ChainAttempt, hash_)

    # ----------------------------------------------------------------- sending

    def _broadcast(self, row: ChainTransaction) -> bool:
        raw, error = self._attempt(row.hash).raw, None
        reach("broadcast.before_send", row.kind)
        try:
            self.node.send_raw(raw)
        except SendRefused as refused:
            error = str(refused)  # it may be mined already: the next look for its receipt tells
            if error != row.last_error:
                log.warning("transaction.refused", hash=row.hash, kind=row.kind, nonce=row.nonce, reason=error)
        reach("broadcast.after_send", row.kind)
        self._update(
            row,
            {
                "state": "broadcast",
                "broadcast_at": self.clock.now(),
                "block_number": None,
                "block_hash": None,
                "last_error": error,
            },
        )
        if errors.is_(error, errors.InsufficientFunds):
            with self.db.write() as session:
                alarms.raise_(session, alarms.SIGNER_BALANCE_LOW, f"{row.sender}: {error}", self.clock.now())
        return True

    def _offer_more(self, row: ChainTransaction) -> bool:
        """Signs and stores the same call at a higher fee if it is time for that, and then sends it."""
        if row.sender != self.signer.address:
            return False  # of a key that is ours no more
        call = self._better_offer(row)
        if call is None:
            return False
        try:
            raw, hash_ = self.signer.sign(call)
        except SignerUnavailable as error:
            log.warning("transaction.not_offered_more", hash=row.hash, reason=str(error))
            return False  # what is signed already is sent all the same
        if not self._store_attempt(row, raw, hash_):
            return False
        with self.db.read() as session:
            stored = session.get_one(ChainTransaction, row.id)
        return self._broadcast(stored)

    def _better_offer(self, row: ChainTransaction) -> dict[str, object] | None:
        """The call at a higher fee, to be signed; None: not now."""
        # Not always the row's own: that may be an older one, which was mined and fell out again.
        attempt = self._attempt(self._hashes(row)[0])
        age_s = abs(self.clock.now() - attempt.made_at).total_seconds()  # from the future: by a clock that was wrong
        is_kept = not errors.is_(row.last_error, errors.FeeTooLow)
        if is_kept and age_s <= self.bidding.after_s:
            return None
        unsigned = _unsigned(attempt.raw)
        offered = Fees(int(unsigned["maxFeePerGas"]), int(unsigned["maxPriorityFeePerGas"]))  # type: ignore[call-overload]
        current = self.node.fees(self.bidding.ceiling_wei)
        if not self.bidding.is_due(offered, current, age_s, is_kept=is_kept):
            return None
        fees = self.bidding.raised(offered, current)
        if fees is None:
            self._tell_of_ceiling(row, offered)
            return None
        return unsigned | {
            "maxFeePerGas": fees.max_fee_per_gas,
            "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
        }

    def _store_attempt(self, row: ChainTransaction, raw: bytes, hash_: str) -> bool:
        assert row.id is not None
        with self.db.write() as session:
            # First take the row: of two workers (a lease can run out) only one gets past this line.
            taken = session.execute(
                update(ChainTransaction)
                .where(
                    col(ChainTransaction.id) == row.id,
                    col(ChainTransaction.hash) == row.hash,
                    col(ChainTransaction.state) == "broadcast",
                )
                .values(hash=hash_, broadcast_at=None)
            )
            if taken.rowcount == 0:  # type: ignore[attr-defined]
                return False
            session.add(ChainAttempt(hash=hash_, transaction_id=row.id, raw=raw, made_at=self.clock.now()))
            reach("offer.before_commit")
        reach("offer.after_commit")
        log.info("transaction.offered_more", kind=row.kind, nonce=row.nonce, before=row.hash, now=hash_)
        return True

    def _tell_of_ceiling(self, row: ChainTransaction, offered: Fees) -> None:
        detail = (
            f"transaction {row.hash} ({row.kind}, nonce {row.nonce}) waits at {offered.max_fee_per_gas} wei a gas; "
            f"the ceiling is {self.bidding.ceiling_wei}"
        )
        with self.db.write() as session:
            alarms.raise_(session, alarms.FEE_CEILING_REACHED, detail, self.clock.now())

    # ------------------------------------------------------------------ storing

    def _give_up(self, row: ChainTransaction, block: int) -> bool:
        """Somebody used the key outside this service, and another transaction with this nonce is mined at depth: this one
        can never be mined. What it was for is prepared and signed anew, as after a failure."""
        by = nonces.spender(self.node, row.sender, row.nonce, block)
        if by in self._hashes(row):
            return False  # a node that knows its block and not yet its receipt
        log.warning("transaction.nonce_used", hash=row.hash, kind=row.kind, nonce=row.nonce, by=by)
        nonces.adopt(self.db, self.node, row.sender, self.clock.now())
        with self.db.write() as session:
            detail = (
                f"nonce {row.nonce} of {row.sender} was used by {by or 'an unknown transaction'}, which is not ours"
            )
            alarms.raise_(session, alarms.NONCE_USED_ELSEWHERE, detail, self.clock.now())
        self._update(row, {"state": "reverted", "last_error": f"nonce {row.nonce} was used outside this service"})
        return True

    def _update(
        self, row: ChainTransaction, values: dict[str, object], counted: Mapping[str, int] | None = None
    ) -> None:
        """:param counted: what else the counters learn of a transaction that has been mined for good"""
        is_done = values["state"] in ("confirmed", "reverted") and "gas_used" in values
        with self.db.write() as session:
            moved = session.execute(
                update(ChainTransaction)
                .where(col(ChainTransaction.id) == row.id, col(ChainTransaction.state).in_(OPEN_STATES))
                .values(**values)
            )
            if is_done and moved.rowcount:  # type: ignore[attr-defined]
                counters.add(session, {"transactions": 1, **(counted or {})})
            if values.get("block_hash"):
                alarms.clear(session, alarms.FEE_CEILING_REACHED)
            reach("transaction.before_commit", str(values["state"]))
        reach("transaction.after_commit", str(values["state"]))


def _mined_values(receipt: TxReceipt) -> dict[str, object]:
    return {
        "state": "mined",
        "hash": hex_of(receipt["transactionHash"]),
        "block_number": receipt["blockNumber"],
        "block_hash": hex_of(receipt["blockHash"]),
        "gas_used": receipt["gasUsed"],
        "last_error": None,
    }


def _unsigned(raw: bytes) -> dict[str, object]:
    """What was signed, to be signed again with other fees."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    wanted = ("type", "chainId", "nonce", "to", "value", "data", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    return {name: fields[name] for name in wanted}


def send_and_wait(node: Node, signer: Signer, to: str | None, data: str, ceiling_wei: int, value: int = 0) -> TxReceipt:
    """For set-up work without a database, such as deploying: signs, sends, waits until mined.

    :raises RuntimeError: it was mined and failed
    """
    fees = node.fees(ceiling_wei)
    transaction: dict[str, object] = {
        "type": 2,
        "chainId": node.chain_id(),
        "nonce": node.web3.eth.get_transaction_count(signer.address, "pending"),  # type: ignore[arg-type]
        "value": value,
        "data": data,
        "gas": node.gas_limit(signer.address, to, data, value),
        "maxFeePerGas": fees.max_fee_per_gas,
        "maxPriorityFeePerGas": fees.max_priority_fee_per_gas,
    }
    if to:
        transaction["to"] = to
    raw, hash_ = signer.sign(transaction)
    node.send_raw(raw)
    receipt = node.web3.eth.wait_for_transaction_receipt(hash_, timeout=60, poll_latency=0.05)  # type: ignore[arg-type]
    if receipt["status"] != 1:
        raise RuntimeError(f"transaction {hash_} failed")
    return receipt
