"""The only module that has transactions signed and sends them.

`sign_and_store` reserves the nonce, signs and stores in one database transaction; `advance` does all that comes after:
broadcast, look for the receipt, wait for depth, broadcast again after a reorg. A second, different transaction for the
same purpose is made only when the first has failed at depth, or another one has its nonce at depth: so whatever became of
an unanswered broadcast, the stored bytes can be sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlmodel import Session, col
from web3.types import TxReceipt

from taesan.chain.models import ChainTransaction, SignerAccount
from taesan.chain.rpc import MAX_TRANSACTION_GAS, Fees, Node, SendRefused
from taesan.chain.signers import Signer
from taesan.core import counters
from taesan.core.clock import Clock
from taesan.core.db import Database, retried
from taesan.core.values import hex_of

log = structlog.get_logger()

REBROADCAST_AFTER = timedelta(seconds=15)
MAX_CALL_DATA_BYTES = 130_000  # geth's and reth's pools take transactions of 128 KiB
OPEN_STATES = ("signed", "broadcast", "mined")


class TooLarge(Exception):
    """No node would take such a transaction: it has to be made smaller before a nonce is spent on it."""


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


def sign_and_store(
    session: Session, signer: Signer, chain_id: int, prepared: Prepared, kind: str, ref: str, now: datetime
) -> int:
    """Reserves the next nonce, signs, stores; returns the transaction's row id. Sends nothing.

    :param ref: which of the kind's rows it is for, such as a batch id
    """
    nonce = session.scalar(
        select(col(SignerAccount.next_nonce)).where(col(SignerAccount.address) == signer.address).with_for_update()
    )
    if nonce is None:
        raise LookupError(f"no nonce known for {signer.address}: `adopt_nonce` was not called")
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
    session.execute(
        update(SignerAccount).where(col(SignerAccount.address) == signer.address).values(next_nonce=nonce + 1)
    )
    row = ChainTransaction(
        hash=hash_, kind=kind, ref=ref, sender=signer.address, nonce=nonce, raw=raw, state="signed", signed_at=now
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


@retried
def adopt_nonce(db: Database, node: Node, address: str) -> None:
    """Takes the chain's nonce if it is ahead of ours, as it is for a key that was used elsewhere."""
    mined = node.next_nonce(address)
    with db.write() as session:
        row = session.get(SignerAccount, address)
        if row is None:
            session.add(SignerAccount(address=address, next_nonce=mined))
        elif mined > row.next_nonce:
            row.next_nonce = mined


def all_mined(session: Session) -> bool:
    """Whether none of our transactions is waiting to be mined."""
    waiting = select(col(ChainTransaction.id)).where(col(ChainTransaction.state).in_(["signed", "broadcast"]))
    return session.scalar(waiting.limit(1)) is None


def advance(db: Database, node: Node, clock: Clock, depth: int) -> bool:
    """Moves every open transaction as far as the chain allows; returns whether anything moved. Safe to repeat."""
    with db.read() as session:
        open_rows = session.scalars(
            select(ChainTransaction)
            .where(col(ChainTransaction.state).in_(OPEN_STATES))
            .order_by(col(ChainTransaction.sender), col(ChainTransaction.nonce))
        ).all()
    if not open_rows:
        return False
    head = int(node.head()["number"])
    return sum([_advance_one(db, node, clock, row, head, depth) for row in open_rows]) > 0


def _advance_one(db: Database, node: Node, clock: Clock, row: ChainTransaction, head: int, depth: int) -> bool:
    if row.state == "signed":
        return _broadcast(db, node, clock, row)
    receipt = node.receipt(row.hash)
    if receipt is None:
        due = row.broadcast_at is None or clock.now() - row.broadcast_at > REBROADCAST_AFTER
        if due and node.next_nonce(row.sender, max(head - depth, 0)) > row.nonce:
            return _give_up(db, node, row)
        # A mined transaction without a receipt fell out in a reorg, and no pool has it any more.
        return _broadcast(db, node, clock, row) if due or row.state == "mined" else False
    mined = _mined_values(receipt)
    if head - int(receipt["blockNumber"]) >= depth:
        mined["state"] = "confirmed" if receipt["status"] == 1 else "reverted"
    if row.state == mined["state"] and row.block_hash == mined["block_hash"]:
        return False
    _update(db, row, mined, {f"gas:{row.kind}": int(receipt["gasUsed"])} if mined["state"] == "confirmed" else {})
    return True


def _mined_values(receipt: TxReceipt) -> dict[str, object]:
    return {
        "state": "mined",
        "block_number": receipt["blockNumber"],
        "block_hash": hex_of(receipt["blockHash"]),
        "gas_used": receipt["gasUsed"],
        "last_error": None,
    }


def _broadcast(db: Database, node: Node, clock: Clock, row: ChainTransaction) -> bool:
    error = None
    try:
        node.send_raw(row.raw)
    except SendRefused as refused:
        error = str(refused)  # it may be mined already: the next look for its receipt tells
    _update(
        db,
        row,
        {
            "state": "broadcast",
            "broadcast_at": clock.now(),
            "block_number": None,
            "block_hash": None,
            "last_error": error,
        },
    )
    return True


def _give_up(db: Database, node: Node, row: ChainTransaction) -> bool:
    """Somebody used the key outside this service, and another transaction with this nonce is mined at depth: this one
    can never be mined. What it was for is prepared and signed anew, as after a failure."""
    log.warning("transaction.nonce_used", hash=row.hash, kind=row.kind, nonce=row.nonce)
    adopt_nonce(db, node, row.sender)
    _update(db, row, {"state": "reverted", "last_error": f"nonce {row.nonce} was used outside this service"})
    return True


def _update(
    db: Database, row: ChainTransaction, values: dict[str, object], counted: Mapping[str, int] | None = None
) -> None:
    """:param counted: what else the counters learn of a transaction that has been mined for good"""
    is_done = values["state"] in ("confirmed", "reverted") and "gas_used" in values
    with db.write() as session:
        moved = session.execute(
            update(ChainTransaction)
            .where(col(ChainTransaction.id) == row.id, col(ChainTransaction.state).in_(OPEN_STATES))
            .values(**values)
        )
        if is_done and moved.rowcount:  # type: ignore[attr-defined]
            counters.add(session, {"transactions": 1, **(counted or {})})


def send_and_wait(node: Node, signer: Signer, to: str | None, data: str, ceiling_wei: int) -> TxReceipt:
    """For set-up work without a database, such as deploying: signs, sends, waits until mined.

    :raises RuntimeError: it was mined and failed
    """
    fees = node.fees(ceiling_wei)
    call = {"from": signer.address, "data": data} | ({"to": to} if to else {})
    transaction: dict[str, object] = {
        "type": 2,
        "chainId": node.chain_id(),
        "nonce": node.web3.eth.get_transaction_count(signer.address, "pending"),  # type: ignore[arg-type]
        "value": 0,
        "data": data,
        "gas": node.web3.eth.estimate_gas(call) * 12 // 10,  # type: ignore[arg-type]
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
