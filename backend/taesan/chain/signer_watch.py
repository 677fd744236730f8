"""Looks after the key that we sign with: whether it can pay, and whether each nonce that was given out has a transaction."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import alarms, errors, nonces, sender
from taesan.chain.models import ChainTransaction, SignerAccount
from taesan.chain.rpc import Node
from taesan.chain.signers import Signer
from taesan.core.clock import Clock, has_passed
from taesan.core.db import Database

log = structlog.get_logger()

EVERY = timedelta(seconds=10)
GAP_PATIENCE = timedelta(seconds=60)
"""Whatever had the nonce may still be in some pool."""


@dataclass
class SignerWatch:
    """:ivar balance_min_wei: with less, nothing new is signed"""

    db: Database
    node: Node
    signer: Signer
    clock: Clock
    chain_id: int
    ceiling_wei: int
    balance_min_wei: int
    _looked_at: datetime | None = None
    _gaps: dict[int, datetime] = field(default_factory=dict)

    def step(self) -> bool:
        """Worker step, at work now and then; returns whether it signed anything."""
        now = self.clock.now()
        if self._looked_at is not None and not has_passed(EVERY, self._looked_at, now):
            return False
        self._watch_balance(now)
        moved = self._watch_nonces(now)
        self._looked_at = now
        return moved

    def _watch_balance(self, now: datetime) -> None:
        balance = self.node.balance(self.signer.address)
        low = balance < self.balance_min_wei
        with self.db.read() as session:
            told = alarms.is_on(session, alarms.SIGNER_BALANCE_LOW)
            refused = _is_refused_for_funds(session)
        if low:
            detail = f"{self.signer.address} has {balance} wei; below {self.balance_min_wei} nothing new is signed"
            with self.db.write() as session:
                alarms.raise_(session, alarms.SIGNER_BALANCE_LOW, detail, now)
        elif told and not refused:
            with self.db.write() as session:
                alarms.clear(session, alarms.SIGNER_BALANCE_LOW)

    def _watch_nonces(self, now: datetime) -> bool:
        address = self.signer.address
        mined, pending = self.node.next_nonce(address), self.node.pending_nonce(address)
        with self.db.read() as session:
            account = session.get_one(SignerAccount, address)
            gaps = set(range(mined, account.next_nonce)) - _taken(session, address, mined)
        if max(mined, pending) > account.next_nonce:
            nonces.adopt(self.db, self.node, address, now)
        # Below the pool's count something waits that we do not know; it is not ours to replace.
        self._gaps = {nonce: self._gaps.get(nonce, now) for nonce in sorted(gaps) if nonce >= pending}
        due = [nonce for nonce, since in self._gaps.items() if has_passed(GAP_PATIENCE, since, now)]
        if not due:
            return False
        fees = self.node.fees(self.ceiling_wei)
        with self.db.write() as session:
            for nonce in set(due) - _taken(session, address, mined):
                sender.fill_gap(session, self.signer, self.chain_id, fees, nonce, now)
                log.warning("nonce.gap_filled", nonce=nonce)
        return True


def _taken(session: Session, address: str, mined: int) -> set[int]:
    """Nonces from `mined` on that a transaction of ours has. One that failed, or lost its nonce, will not be sent again."""
    return set(
        session.scalars(
            select(col(ChainTransaction.nonce)).where(
                col(ChainTransaction.sender) == address,
                col(ChainTransaction.nonce) >= mined,
                col(ChainTransaction.state) != "reverted",
            )
        )
    )


def _is_refused_for_funds(session: Session) -> bool:
    open_ = select(col(ChainTransaction.last_error)).where(col(ChainTransaction.state).in_(sender.OPEN_STATES))
    return any(errors.is_(error, errors.InsufficientFunds) for error in session.scalars(open_))
