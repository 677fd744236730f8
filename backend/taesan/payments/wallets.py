"""Asks contract wallets (ERC-1271) about signatures that no key has made: only they know, and only through the node.

The intake has no node. So a payment is tried first as every other, by its key; if the intake finds that the signature is
nobody's key's and the payer itself signs the channel, the payer is asked here, beside the event loop, and the payment
is submitted again with a mark that nobody else can set. Payments signed by keys never come this way.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import structlog
from sqlalchemy import select
from sqlmodel import col

from taesan.chain import erc1271
from taesan.chain.rpc import NodeUnavailable
from taesan.channels import vouchers
from taesan.channels.models import Channel
from taesan.core.db import UNAVAILABLE, brief
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem, busy, node_unavailable
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.payments import meters, store
from taesan.payments.engine import unavailable
from taesan.payments.lanes import Lanes
from taesan.payments.messages import Refusal, Result, Submission
from taesan.payments.store import Accepted

log = structlog.get_logger()

THREADS = 4  # questions at once
MOST_REQUESTS = 64  # that may wait for them


class WalletLanes:
    """Lanes that also know contract wallets' signatures. For one event loop.

    :param lanes: where keys' signatures are verified and everything is booked
    """

    def __init__(self, hub: Hub, lanes: Lanes) -> None:
        self._hub, self._lanes = hub, lanes
        self._rate = RateLimit(hub.settings.wallet_rate)
        self._threads = ThreadPoolExecutor(THREADS, "contract-wallets")
        self._waiting = 0

    async def open(self) -> None:
        await self._lanes.open()

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        try:
            results = await self._lanes.submit(submissions)
        except Problem as problem:
            meters.count_refused(problem.type, len(submissions))
            raise
        unsure = [n for n, r in enumerate(results) if isinstance(r, Refusal) and r.payer_may_know]
        if unsure:
            await self._settle_doubts(submissions, results, unsure)
        meters.count(results)
        return results

    async def _settle_doubts(
        self, submissions: Sequence[Submission], results: list[Result], unsure: Sequence[int]
    ) -> None:
        """Replaces the results that only the payer can tell."""
        asked = await self._ask([submissions[n] for n in unsure])
        for n, answer in zip(unsure, asked, strict=True):
            if isinstance(answer, Refusal):
                results[n] = answer
        signed = [(n, answer) for n, answer in zip(unsure, asked, strict=True) if isinstance(answer, Submission)]
        for (n, _), result in zip(signed, await self._submit([s for _, s in signed]), strict=True):
            results[n] = result

    def is_up(self) -> bool:
        return self._lanes.is_up()

    @property
    def waiting(self) -> int:
        return self._lanes.waiting

    async def close(self) -> None:
        await self._lanes.close()
        self._threads.shutdown(cancel_futures=True)

    async def _submit(self, submissions: Sequence[Submission]) -> list[Result]:
        """Others of the same request may be accepted by now: what is refused is refused one by one."""
        try:
            return await self._lanes.submit(submissions)
        except Problem as problem:
            return [Refusal.of(problem)] * len(submissions)

    async def _ask(self, submissions: Sequence[Submission]) -> Sequence[Submission | Refusal | None]:
        if self._waiting >= MOST_REQUESTS:
            return [Refusal.of(busy())] * len(submissions)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask_each, submissions)
        finally:
            self._waiting -= 1

    def _ask_each(self, submissions: Sequence[Submission]) -> list[Submission | Refusal | None]:
        """For each: the submission with its mark, None if its payer has not signed it, or why nobody could tell."""
        answers: list[Submission | Refusal | None] = []
        try:
            payers, known = self._look_up(submissions)
        except UNAVAILABLE as error:
            log.warning("wallets.not_asked", payments=len(submissions), reason=brief(error))
            return [Refusal.of(unavailable())] * len(submissions)
        for submission in submissions:
            try:
                before = known.get((submission.channel_id, submission.idempotency_key))
                # What was accepted before is answered as before, whatever the wallet says by now.
                is_known = before is not None and before.decision.submission.as_sent() == submission.as_sent()
                is_signed = is_known or self._is_signed(submission, payers[submission.channel_id])
                answers.append(msgspec.structs.replace(submission, by_contract=True) if is_signed else None)
            except Problem as problem:
                answers.append(Refusal.of(problem))
            except NodeUnavailable as error:
                log.warning("wallets.not_asked", payments=len(submissions) - len(answers), reason=brief(error))
                return answers + [Refusal.of(node_unavailable())] * (len(submissions) - len(answers))
        return answers

    def _look_up(self, submissions: Sequence[Submission]) -> tuple[dict[str, str], dict[tuple[str, str], Accepted]]:
        """The payers of their channels, and what was accepted under their keys before, by channel and key."""
        ids = {submission.channel_id for submission in submissions}
        with self._hub.db.read() as session:
            channels = {c.id: c for c in session.scalars(select(Channel).where(col(Channel.id).in_(ids)))}
            known = store.by_key(session, channels, submissions)
        return {id_: channel.payer for id_, channel in channels.items()}, known

    def _is_signed(self, submission: Submission, payer: str) -> bool:
        """Whether the payer says so. :raises Problem: `rate-limited`"""
        self._rate.check(submission.channel_id)
        contracts = self._hub.contracts
        digest = vouchers.voucher_digest(contracts.voucher_domain, submission.channel_id, submission.cumulative)
        signature, asker = bytes_of(submission.signature), contracts.deployment.channels
        return erc1271.is_valid_contract_signature(self._hub.node, payer, digest, signature, asker)
