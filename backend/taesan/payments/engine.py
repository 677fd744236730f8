"""Verifies and commits groups of payments: what arrives together is one transaction, and answered after its commit."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from taesan.channels import vouchers
from taesan.core import idempotency, tracing
from taesan.core.clock import Clock
from taesan.core.crashpoints import reach
from taesan.core.db import ATTEMPTS, UNAVAILABLE, Database, is_retryable
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem
from taesan.core.values import bytes_of
from taesan.payments import intake, store
from taesan.payments.messages import Outcome, Refusal, Result, Submission
from taesan.payments.terms import Terms
from taesan.payments.verifiers import Pieces, Verifiers

log = structlog.get_logger()

LOOK_EVERY = timedelta(seconds=1)
WARY_OF = 10_000  # channels
SIGNERS = 100_000  # kept in memory, some 50 MB; then they are read anew


class Signer(NamedTuple):
    """Who signs a channel's vouchers: part of the channel's id, so it never changes."""

    payer: str
    address: str
    raw: bytes
    is_payer: bool


class Started(NamedTuple):
    """A group on its way. :ivar trace: see `Engine.start`"""

    submissions: Sequence[Submission]
    signers: Sequence[Signer | None]
    failure: Exception | None
    verified: Pieces
    trace: str | None = None


class Engine:
    """One thread may `start` groups while another `finish`es those started before, in their order.

    :param verifiers: verify signatures while the engine commits another group; None: it does that, too
    """

    def __init__(self, db: Database, terms: Terms, clock: Clock, verifiers: Verifiers | None = None) -> None:
        self._db, self._terms, self._clock = db, terms, clock
        self._verifiers = verifiers or Verifiers(terms.voucher_domain)
        self._signers: dict[str, Signer] = {}
        self._wary_of: set[str] = set()
        self._rate = RateLimit(terms.payer_rate)
        self._open_at = datetime.min.replace(tzinfo=UTC)

    def run(self, submissions: Sequence[Submission]) -> list[Result]:
        """One result for each, in order. What is accepted is durable."""
        return self.finish(self.start(submissions))

    def start(self, submissions: Sequence[Submission], trace: str | None = None) -> Started:
        """Has the signatures verified. :param trace: the group's span in another process (`tracing.carried`)"""
        failure = None
        try:
            self._learn_signers(submissions)
        except Exception as error:
            log.exception("intake.failed", step="read signers")
            failure = error
        signers = [self._signers.get(s.channel_id) for s in submissions]
        asked = [
            (signer.raw if signer else b"", s.channel_id, s.cumulative, s.signature)
            for s, signer in zip(submissions, signers, strict=True)
        ]
        return Started(submissions, signers, failure, self._verifiers.start(asked), trace)

    def finish(self, started: Started) -> list[Result]:
        """Commits what is rightly signed."""
        with tracing.span("intake", {"taesan.payments": len(started.submissions)}, parent=started.trace):
            results = self._finish(started)
            log.debug("intake.group", payments=len(results), accepted=sum(isinstance(r, Outcome) for r in results))
        return results

    def _finish(self, started: Started) -> list[Result]:
        submissions = started.submissions
        with tracing.span("wait for signatures"):
            valid = b"".join(piece() for piece in started.verified)
        refusals = {
            n: refusal
            for n, (s, signer, is_valid) in enumerate(zip(submissions, started.signers, valid, strict=True))
            if (refusal := self._refusal(s, signer, started.failure, bool(is_valid)))
        }
        if not refusals:
            return self._commit(submissions)
        committed = iter(self._commit([s for n, s in enumerate(submissions) if n not in refusals]))
        return [refusals.get(n) or next(committed) for n in range(len(submissions))]

    def _refusal(
        self, submission: Submission, signer: Signer | None, failure: Exception | None, is_valid: bool
    ) -> Refusal | None:
        if signer is None:
            return _failed(failure) if failure else Refusal.of(vouchers.unknown_channel(submission.channel_id))
        if not is_valid and not submission.by_contract:
            refusal = Refusal.of(vouchers.invalid_signature(self._terms.voucher_domain, signer.address))
            refusal.payer_may_know = signer.is_payer
            return refusal
        return None

    def _learn_signers(self, submissions: Sequence[Submission]) -> None:
        if len(self._signers) >= SIGNERS:
            self._signers.clear()
        unknown = {s.channel_id for s in submissions} - self._signers.keys()
        if unknown:
            with self._db.read() as session:
                found = store.signers(session.connection(), unknown)
            self._signers |= {
                id_: Signer(payer, key or payer, bytes_of(key or payer), not key) for id_, (payer, key) in found.items()
            }

    def _commit(self, submissions: Sequence[Submission]) -> list[Result]:
        """One transaction for all; if that fails for a reason of its own, one for each."""
        if not submissions:
            return []
        with tracing.span("commit", {"taesan.payments": len(submissions)}):
            return self._committed(submissions)

    def _committed(self, submissions: Sequence[Submission]) -> list[Result]:
        look_up_keys = False
        for _ in range(ATTEMPTS):
            admitted: list[str] = []
            try:
                results = self._attempt(submissions, look_up_keys, admitted)
            except Exception as error:
                failure = error
                for payer in admitted:
                    self._rate.hit(payer, -1)
                if is_retryable(error):
                    continue
                if look_up_keys or not isinstance(error, IntegrityError):
                    break
                look_up_keys = True  # a key was used again for a new voucher: the next attempt will find out whose
            else:
                if look_up_keys:
                    self._be_wary(submissions, results)
                return results
        if len(submissions) == 1 or isinstance(failure, UNAVAILABLE):
            log.error("intake.failed", payments=len(submissions), exc_info=failure)
            return [_failed(failure)] * len(submissions)
        return self._one_by_one(submissions)

    def _attempt(self, submissions: Sequence[Submission], look_up_keys: bool, admitted: list[str]) -> list[Result]:
        """:param admitted: is told whose payments were counted"""

        def admit(payer: str) -> None:
            self._rate.check(payer)
            admitted.append(payer)

        with self._db.take_in() as session:
            now = self._clock.now()
            results = intake.accept(
                session,
                self._terms,
                submissions,
                now,
                admit=admit,
                closed=self._closed(session, now),
                look_up_keys=look_up_keys,
                wary_of=self._wary_of,
            )
            reach("intake.before_commit")
        reach("intake.after_commit")
        return results

    def _one_by_one(self, submissions: Sequence[Submission]) -> list[Result]:
        """Until the database is gone: then the others need not wait for it, too."""
        results: list[Result] = []
        gone = Refusal.of(unavailable())
        for submission in submissions:
            results += [gone] if results and results[-1] == gone else self._commit([submission])
        return results

    def _be_wary(self, submissions: Sequence[Submission], results: Sequence[Result]) -> None:
        """Whoever has used a key again may do so for ever, and each time the whole group would be done twice."""
        if len(self._wary_of) > WARY_OF:
            self._wary_of.clear()
        self._wary_of |= {
            s.channel_id
            for s, result in zip(submissions, results, strict=True)
            if isinstance(result, Refusal) and result.type == idempotency.key_reused().type
        }

    def _closed(self, session: Session, now: datetime) -> Problem | None:
        """Why nothing is accepted at the moment. That something is, is believed for a second."""
        if timedelta() <= now - self._open_at < LOOK_EVERY:
            return None
        problem = intake.view_problem(session, self._terms, now)
        if problem is None:
            self._open_at = now
        return problem


def _failed(error: Exception) -> Refusal:
    if isinstance(error, UNAVAILABLE):
        return Refusal.of(unavailable())
    return Refusal.of(
        Problem(
            "internal-error",
            500,
            "Something went wrong on our side; it is safe to retry with the same Idempotency-Key.",
        )
    )


def unavailable() -> Problem:
    return Problem(
        "intake-unavailable",
        503,
        "Payments cannot be taken in at the moment; try again soon with the same Idempotency-Key.",
        headers={"retry-after": "5"},
    )
