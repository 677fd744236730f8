"""x402's refund: a payer asks for what is free in its channel, by a voucher over just what was charged."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from taesan.chain import view
from taesan.chain.models import ChainTransaction
from taesan.channels import queries, refunds, vouchers
from taesan.channels.models import Channel, RefundRelay
from taesan.channels.waiting import RelayWatch
from taesan.core.db import retried
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.payments import x402_state
from taesan.payments import x402_wire as wire
from taesan.payments.x402_offers import AskedBack
from taesan.payments.x402_signers import Signers
from taesan.payments.x402_wire import NotAccepted, Settled

REPEATED_FOR = timedelta(minutes=10)


class Refunds:
    """For one event loop."""

    def __init__(self, hub: Hub, signers: Signers) -> None:
        self._hub, self._signers, self._watch = hub, signers, RelayWatch(hub, RefundRelay)

    def check(self, asked: AskedBack) -> dict[str, Any]:
        """What verifying tells of the channel. :raises NotAccepted: nothing would be given back"""
        self._signers.require(asked.config, asked.voucher)
        with self._hub.db.read() as session:
            channel = self._channel(session, asked)
            if self._same_before(session, asked, channel) is None:
                self._require_pause(session, channel)
                try:
                    refunds.check(session, self._hub, channel, asked.amount)
                except Problem as problem:
                    raise _refused(problem) from None
            return x402_state.channel_state(session, self._hub, channel, channel.id)

    async def give_back(self, asked: AskedBack) -> Settled:
        """Until the refund is confirmed.

        :raises NotAccepted: nothing is given back. :raises Problem: `settlement-pending` if it is not in time
        """
        relay_id = await asyncio.to_thread(self._begin, asked)
        most = self._hub.settings.x402_wait_s
        await self._watch.wait(relay_id, min(most, asked.timeout_s or most))
        return await asyncio.to_thread(self._ended, asked, relay_id)

    @retried
    def _begin(self, asked: AskedBack) -> int:
        self._signers.require(asked.config, asked.voucher)
        hub = self._hub
        with hub.db.write() as session:
            if problem := view.closed(session):
                raise problem
            channel = self._channel(session, asked)
            row = self._same_before(session, asked, channel)
            if row is None:
                self._require_pause(session, channel)
                try:
                    row = refunds.request(session, hub, channel, asked.amount, hub.clock.now())
                except Problem as problem:
                    raise _refused(problem) from None
        assert row.id is not None
        return row.id

    def _ended(self, asked: AskedBack, relay_id: int) -> Settled:
        with self._hub.db.read() as session:
            row = session.get_one(RefundRelay, relay_id)
            channel = session.get_one(Channel, row.channel_id)
            sent = session.get(ChainTransaction, row.transaction_id) if row.transaction_id else None
            charged = queries.charged(session, channel)
            state = x402_state.channel_state(session, self._hub, channel, channel.id)
        transaction = sent.hash if sent else ""
        if row.state == "failed":
            raise NotAccepted(wire.reason("refund_transaction_failed"), row.reason or "")
        if row.state != "confirmed":
            raise x402_state.pending(self._hub, transaction)
        return Settled(
            success=True,
            payer=asked.config.payer,
            transaction=transaction,
            network=self._hub.contracts.network,
            amount=str(row.amount),
            extra={"channelState": state | {"chargedCumulativeAmount": str(charged)}},
        )

    # ------------------------------------------------------------- checking

    def _channel(self, session: Session, asked: AskedBack) -> Channel:
        """:raises NotAccepted: it is not known, or its payer thinks that something else was charged"""
        channel = session.get(Channel, asked.voucher.channel_id)
        if channel is None:
            problem = vouchers.unknown_channel(asked.voucher.channel_id)
            raise NotAccepted(wire.reason_of(problem.type), problem.detail)
        if queries.charged(session, channel) != asked.voucher.max_claimable_amount:
            extra = x402_state.corrective(session, self._hub, channel)
            raise NotAccepted(wire.AMOUNT_MISMATCH, "The voucher is not over what was charged.", extra)
        return channel

    def _same_before(self, session: Session, asked: AskedBack, channel: Channel) -> RefundRelay | None:
        """The channel's refund that is on its way; or the last one, if this asks for the same again: when that has left nothing, or
        for a part so soon that it is rather a client who has not heard the answer."""
        row = refunds.newest(session, channel.id)
        if row is None or row.state in refunds.ON_ITS_WAY:
            return row
        free = posting.balance(session, self._hub.chart.channel(channel.id))
        is_again = (row.charged, row.asked) == (asked.voucher.max_claimable_amount, asked.amount)
        is_soon = asked.amount is not None and self._hub.clock.now() - row.requested_at < REPEATED_FOR
        is_same = row.state == "confirmed" and is_again and (is_soon or free < (asked.amount or 1))
        return row if is_same else None

    def _require_pause(self, session: Session, channel: Channel) -> None:
        """:raises NotAccepted: as `refunds.require_pause`"""
        try:
            refunds.require_pause(session, self._hub, channel, self._hub.clock.now())
        except Problem as problem:
            raise NotAccepted(wire.reason("refund_too_soon"), problem.detail) from None


def _refused(problem: Problem) -> NotAccepted:
    """In x402's words; too small for the hub's gas, it is the payer's to withdraw on chain."""
    is_small = problem.type == "amount-too-small"
    reason = wire.reason("refund_amount_invalid") if is_small else wire.reason_of(problem.type)
    return NotAccepted(reason, problem.detail or problem.title)
