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

from taesan.chain import erc1271
from taesan.chain.rpc import NodeUnavailable
from taesan.channels import vouchers
from taesan.channels.models import Channel
from taesan.core.db import UNAVAILABLE, brief
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem, node_unavailable
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.payments import meters, store
from taesan.payments.engine import unavailable
from taesan.payments.lanes import Lanes, busy
from taesan.payments.messages import Refusal, Result, Submission

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
        for submission in submissions:
            try:
                answers.append(self._marked(submission))
            except Problem as problem:
                answers.append(Refusal.of(problem))
            except (NodeUnavailable, *UNAVAILABLE) as error:
                log.warning("wallets.not_asked", payments=len(submissions) - len(answers), reason=brief(error))
                away = Refusal.of(node_unavailable() if isinstance(error, NodeUnavailable) else unavailable())
                return answers + [away] * (len(submissions) - len(answers))
        return answers

    def _marked(self, submission: Submission) -> Submission | None:
        with self._hub.db.read() as session:
            channel = session.get_one(Channel, submission.channel_id)
            known = store.by_key(session, {channel.id: channel}, [submission])
        # What was accepted before is answered as before, whatever the wallet says by now.
        if not any(accepted.decision.submission == submission for accepted in known.values()):
            self._rate.check(submission.channel_id)
            contracts = self._hub.contracts
            digest = vouchers.voucher_digest(contracts.voucher_domain, submission.channel_id, submission.cumulative)
            signature, asker = bytes_of(submission.signature), contracts.deployment.channels
            if not erc1271.is_valid_contract_signature(self._hub.node, channel.payer, digest, signature, asker):
                return None
        return msgspec.structs.replace(submission, by_contract=True)
