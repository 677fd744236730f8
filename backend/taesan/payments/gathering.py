"""Brings direct payments to the chain, many in one transaction, and finds out what became of each.

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
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.payments import direct
from taesan.payments.direct_models import DirectPayment

KIND = "transfers"
AGAIN_AFTER = timedelta(seconds=60)
CANCELLED = "its payer has cancelled it"
NOT_CARRIED_OUT = "the token refused it when its turn came"
TOOK_ALL_GAS = "it used up the gas of its transaction"


@dataclass
class _Tried:
    """What a simulation has shown. :ivar good: those that would be carried out, in this order. :ivar refused: id → why"""

    good: list[DirectPayment]
    refused: dict[int | None, str]


# -------------------------------------------------------------------- sending


def gather_step(hub: Hub) -> bool:
    """Worker step: sends waiting payments together, once one of them is due or there are enough."""
    now = hub.clock.now()
    with hub.db.read() as session:
        rows = _due(session, hub, now)
        if rows:
            sender.refuse_if_paused(session)
    if not rows:
        return False
    tried = _try(hub, rows)
    fates = {row.id: _fate(hub, row, tried.refused[row.id]) for row in rows if row.id in tried.refused}
    prepared = _prepare(hub, tried)
    with relay.signing(hub.db, KIND) as session:
        if not _are_waiting(session, rows):
            return False  # our lease ran out while the node thought about it, and another worker was faster
        for id_, fate in fates.items():
            _change(session, [id_], "received", **(fate or {"reason": tried.refused[id_], "due_at": now + AGAIN_AFTER}))
        if prepared is not None:
            _sign(session, hub, prepared, tried.good, now)
    return True


def _due(session: Session, hub: Hub, now: datetime) -> Sequence[DirectPayment]:
    """Those that go together now; nothing if they can wait for more."""
    most = hub.settings.exact_max_items
    waiting = select(DirectPayment).where(col(DirectPayment.state) == "received")
    is_new, is_due = col(DirectPayment.reason).is_(None), col(DirectPayment.due_at) <= now
    if session.scalar(waiting.where(is_due).limit(1)) is None:
        enough = session.scalar(waiting.where(is_new).offset(most - 1).limit(1))
        if enough is None:
            return []
    order = col(DirectPayment.attempts), col(DirectPayment.valid_before), col(DirectPayment.id)
    return relay.together(session.scalars(waiting.where(or_(is_new, is_due)).order_by(*order).limit(most)).all())


def _are_waiting(session: Session, rows: Sequence[DirectPayment]) -> bool:
    of_these = select(col(DirectPayment.id)).where(col(DirectPayment.id).in_([row.id for row in rows]))
    return len(session.scalars(of_these.where(col(DirectPayment.state) == "received")).all()) == len(rows)


def _try(hub: Hub, rows: Sequence[DirectPayment]) -> _Tried:
    """All together, and those that fail so once more alone: of two that spend the same money the second waits."""
    tried = _Tried([], {})
    for row, (is_done, _) in zip(rows, _simulated(hub, rows), strict=True):
        if is_done:
            tried.good.append(row)
            continue
        ((is_done_alone, answer),) = _simulated(hub, [row])
        if not is_done_alone:
            tried.refused[row.id] = hub.contracts.explain(answer)
    return tried


def _simulated(hub: Hub, rows: Sequence[DirectPayment]) -> list[tuple[bool, bytes]]:
    calls = [direct.signed(row).call(hub.contracts) for row in rows]
    gas = min((len(rows) + 1) * erc3009.TRANSFER_GAS, MAX_TRANSACTION_GAS)
    try:
        told = hub.node.call(multicall.ADDRESS, multicall.together(calls, may_fail=True), hub.signer.address, gas=gas)
    except CallReverted:
        return [(False, b"")] * len(rows)  # somebody's code uses up all gas: each alone tells whose
    return multicall.results(told)


def _prepare(hub: Hub, tried: _Tried) -> sender.Prepared | None:
    """The transaction for those that are good, which may become fewer. Its gas is what they need when none may fail: an
    estimate that lets them fail would be one for less."""
    while tried.good:
        calls = [direct.signed(row).call(hub.contracts) for row in tried.good]
        strict, lenient = (multicall.together(calls, may_fail=may_fail) for may_fail in (False, True))
        try:
            prepared = sender.prepare(hub.node, hub.signer.address, multicall.ADDRESS, strict, hub.fee_ceiling_wei)
        except (CallReverted, sender.TooLarge):
            tried.good = tried.good[: len(tried.good) // 2]
            continue
        return replace(prepared, data=lenient)
    return None


def _sign(session: Session, hub: Hub, prepared: sender.Prepared, rows: Sequence[DirectPayment], now: datetime) -> None:
    ids = [row.id for row in rows]
    if _change(session, ids, "received", state="sent", reason=None) != len(rows):
        raise relay.TakenByAnother(KIND)
    chain_id, ref = hub.contracts.deployment.chain_id, str(len(rows))
    transaction_id = sender.sign_and_store(session, hub.signer, chain_id, prepared, KIND, ref, now)
    _change(session, ids, "sent", transaction_id=transaction_id)


# ------------------------------------------------------------------ following


def follow_step(hub: Hub) -> bool:
    """Worker step: what became of payments whose transaction has come to an end, and that those are on their way again whose
    transaction a reorganisation has removed."""
    with hub.db.read() as session:
        ended = _ended(session)
        again = _sent_again(session)
    if not ended and not again:
        return False
    done = {sent.hash: erc3009.carried_out(hub.node, sent.hash) for sent, _ in ended if sent.state == "confirmed"}
    now = hub.clock.now()
    with hub.db.write() as session:
        _change(session, again, "confirmed", state="sent", transaction_hash=None)
        for sent, rows in ended:
            if sent.state == "reverted":
                _return(session, rows, was_mined=sent.block_hash is not None, now=now)
            elif (found := done[sent.hash]) is not None:  # else a node that lags behind
                _note(session, rows, found, sent.hash, now)
    return True


def _ended(session: Session) -> list[tuple[ChainTransaction, list[DirectPayment]]]:
    """Transactions that are over, with the payments of which that is not noted yet."""
    found = session.execute(
        select(ChainTransaction, DirectPayment)
        .join(ChainTransaction, col(ChainTransaction.id) == col(DirectPayment.transaction_id))
        .where(
            col(DirectPayment.state) == "sent",
            col(ChainTransaction.state).in_(["confirmed", "reverted"]),
        )
    ).all()
    rows: dict[int | None, list[DirectPayment]] = defaultdict(list)
    for sent, row in found:
        rows[sent.id].append(row)
    return [(sent, rows[sent.id]) for sent in {sent.id: sent for sent, _ in found}.values()]


def _sent_again(session: Session) -> Sequence[int | None]:
    is_open = col(ChainTransaction.state).in_(sender.OPEN_STATES)
    ours = session.scalars(select(col(ChainTransaction.id)).where(is_open, col(ChainTransaction.kind) == KIND)).all()
    in_them = select(col(DirectPayment.id)).where(col(DirectPayment.transaction_id).in_(ours))
    return session.scalars(in_them.where(col(DirectPayment.state) == "confirmed")).all() if ours else []


def _note(
    session: Session, rows: Sequence[DirectPayment], done: set[tuple[str, str, str]], hash_: str, now: datetime
) -> None:
    arrived = [row.id for row in rows if (row.token, row.payer, row.nonce) in done]
    _change(session, arrived, "sent", state="confirmed", transaction_hash=hash_)
    others = [row.id for row in rows if row.id not in arrived]
    values = {"state": "received", "transaction_id": None, "reason": NOT_CARRIED_OUT, "due_at": now}
    _change(session, others, "sent", **values)


def _return(session: Session, rows: Sequence[DirectPayment], *, was_mined: bool, now: datetime) -> None:
    """Of a transaction that failed as a whole: somebody's code used up its gas. Each is tried alone then, and only once, as that
    costs gas. One that lost its nonce to another was never mined: nobody is at fault."""
    values: dict[str, Any] = {"state": "received", "transaction_id": None, "due_at": now}
    if was_mined:
        values["attempts"] = DirectPayment.attempts + 1
    if was_mined and len(rows) == 1:
        values |= {"reason": TOOK_ALL_GAS, "due_at": direct.moment(rows[0].valid_before)}
    _change(session, [row.id for row in rows], "sent", **values)


# --------------------------------------------------------------------- ending


def _fate(hub: Hub, row: DirectPayment, reason: str) -> Mapping[str, Any] | None:
    """What has become for good of a payment that the chain refuses; None while it may still be carried out.

    Somebody else, such as its merchant, may have brought it to the chain: anybody can.
    """
    transfer, depth = direct.signed(row), hub.settings.depth
    deep = hub.node.block(max(int(hub.node.head()["number"]) - depth, 0))
    number = int(deep["number"])
    token, question = transfer.was_used(hub.contracts)
    if int.from_bytes(hub.node.call(token, hex_of(question), block=number), "big"):
        hash_ = erc3009.transaction_of(hub.node, transfer, row.accepted_block, number)
        if hash_ is None:
            return {"state": "failed", "reason": CANCELLED}
        return {"state": "confirmed", "reason": None, "transaction_hash": hash_}
    if deep["timestamp"] >= row.valid_before:
        return {"state": "failed", "reason": f"not carried out in its time: {reason}"}
    return None


def _change(session: Session, ids: Collection[int | None], before: str, /, **values: Any) -> int:
    """Of those that are still in the state `before`; returns how many."""
    changed = session.execute(
        update(DirectPayment).where(col(DirectPayment.id).in_(ids), col(DirectPayment.state) == before).values(**values)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]
