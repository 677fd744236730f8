"""The facilitator's decisions: whether an x402 payment would be accepted, and having it accepted.

A payment ends in the one intake, as every other. What is particular here: a deposit is brought to the chain first and waited
for, and a refusal tells the state from which clients resynchronise.
"""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
from sqlmodel import Session

from taesan.chain import view
from taesan.channels import queries, service, vouchers
from taesan.channels.models import Channel, DepositCreate, DepositRelay
from taesan.channels.waiting import RelayWatch
from taesan.core.clock import rfc3339
from taesan.core.db import retried
from taesan.core.idempotency import key_reused
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.identity import keys
from taesan.payments import x402_exact, x402_offers, x402_state
from taesan.payments import x402_wire as wire
from taesan.payments.intake import view_problem
from taesan.payments.lanes import Lanes
from taesan.payments.messages import Refusal
from taesan.payments.terms import terms_of
from taesan.payments.x402_exact import Exact
from taesan.payments.x402_exact_wire import SCHEME as EXACT
from taesan.payments.x402_offers import AskedBack, Offered
from taesan.payments.x402_refunds import Refunds
from taesan.payments.x402_signers import Signers
from taesan.payments.x402_wire import ACCEPTED_BEFORE, FacilitatorRequest, NotAccepted, Settled, Supported, Verified


class Facilitator:
    """For one event loop. :param lanes: the way to the intake"""

    def __init__(self, hub: Hub, lanes: Lanes) -> None:
        self._hub, self._lanes, self._terms = hub, lanes, terms_of(hub)
        self._watch, self._signers = RelayWatch(hub, DepositRelay), Signers(hub)
        self._refunds, self._exact = Refunds(hub, self._signers), Exact(hub)

    def supported(self) -> Supported:
        """Vouchers first: clients that can pay by both ways choose the first."""
        kinds = [x402_offers.supported(self._hub), *x402_exact.supported(self._hub)]
        signers = {"eip155:*": [self._hub.signer.address]}
        return Supported(kinds=kinds, extensions=[wire.PAYMENT_IDENTIFIER], signers=signers)

    def verify(self, request: FacilitatorRequest) -> Verified:
        """Whether the payment would be accepted now; changes nothing. Asks the node about deposits and contract wallets.

        One that was accepted is refused if its offer has no reference: its server could not tell it from a new one.

        :raises Problem: nobody can tell now, or an id was used for something else
        """
        if request.payment_requirements.scheme == EXACT:
            return self._exact.verify(request)
        payer = None
        try:
            offered = x402_offers.read(self._hub, request)
            payer = offered.config.payer
            if isinstance(offered, AskedBack):
                extra = self._refunds.check(offered)
            else:
                extra = self._check(offered, self._hub.clock.now())
                if "payment" in extra and not offered.submission.reference:
                    raise NotAccepted(wire.AMOUNT_MISMATCH, ACCEPTED_BEFORE, extra)
        except NotAccepted as refused:
            return Verified(
                is_valid=False,
                invalid_reason=refused.reason,
                invalid_message=refused.message or None,
                payer=payer,
                extra=refused.extra,
            )
        return Verified(is_valid=True, payer=payer, extra=extra)

    async def settle(self, request: FacilitatorRequest) -> Settled:
        """Has the payment accepted, after its deposit if it has one; repeated, it is answered as before. Success is durable.
        Or gives back what is free.

        :raises Problem: whether it is accepted is open (`settlement-pending`, or the intake's own), or an id was used for
            something else
        """
        if request.payment_requirements.scheme == EXACT:
            return await self._exact.settle(request)
        payer = None
        try:
            offered = x402_offers.read(self._hub, request)
            payer = offered.config.payer
            if isinstance(offered, AskedBack):
                return await self._refunds.give_back(offered)
            if offered.deposit is not None:
                await self._deposit(offered, offered.deposit)
            return await self._take_in(offered)
        except NotAccepted as refused:
            return Settled(
                success=False,
                error_reason=refused.reason,
                error_message=refused.message or None,
                payer=payer,
                transaction="",
                network=self._hub.contracts.network,
                extra=refused.extra,
            )

    # ------------------------------------------------------------- settling

    async def _take_in(self, offered: Offered) -> Settled:
        (result,) = await self._lanes.submit([offered.submission])
        if isinstance(result, Refusal):
            raise await asyncio.to_thread(self._refused, offered, result.problem())
        return await asyncio.to_thread(self._settled, offered, msgspec.json.decode(result.body))

    def _settled(self, offered: Offered, accepted: dict[str, Any]) -> Settled:
        """What an accepted payment is answered. :param accepted: `PaymentAccepted`"""
        with self._hub.db.read() as session:
            channel = service.find_channel(session, offered.submission.channel_id)
            state = x402_state.channel_state(session, self._hub, channel, channel.id)
            relay = x402_state.find_relay(session, offered)
            deposit = queries.public_deposit(session, relay) if relay else None
        return Settled(
            success=True,
            payer=offered.config.payer,
            transaction=(deposit.transaction if deposit else None) or "",
            network=self._hub.contracts.network,
            amount=str(deposit.amount) if deposit else "",
            extra={
                "channelState": state,
                "payment": {"id": accepted["id"], "acceptedAt": accepted["accepted_at"]},
            },
        )

    async def _deposit(self, offered: Offered, deposit: DepositCreate) -> None:
        """Until the deposit is confirmed.

        :raises Problem: `settlement-pending` if it is not in time. :raises NotAccepted: it was refused, and will never be
        """
        relay_id = await asyncio.to_thread(self._begin_deposit, offered, deposit)
        if relay_id is None:
            return  # the payment was accepted before
        most = self._hub.settings.x402_wait_s
        await self._watch.wait(relay_id, min(most, offered.timeout_s or most))
        state, reason, transaction = await asyncio.to_thread(self._deposit_state, relay_id)
        if state == "failed":
            raise NotAccepted(wire.reason("deposit_transaction_failed"), reason or "")
        if state != "confirmed":
            raise x402_state.pending(self._hub, transaction)

    def _deposit_state(self, relay_id: int) -> tuple[str, str | None, str]:
        """(state, reason, transaction or nothing)."""
        with self._hub.db.read() as session:
            deposit = queries.public_deposit(session, session.get_one(DepositRelay, relay_id))
        return deposit.state, deposit.reason, deposit.transaction or ""

    @retried
    def _begin_deposit(self, offered: Offered, deposit: DepositCreate) -> int | None:
        """The relay of this deposit, made if it is new; None if the payment needs none any more.

        :raises NotAccepted: the payment would be refused, so its deposit is not brought to the chain
        """
        hub, now = self._hub, self._hub.clock.now()
        with hub.db.read() as session:
            relay, known = x402_state.find_relay(session, offered), x402_state.known_payment(session, offered)
        if known is not None:
            return None  # whether it is the very same payment, the intake tells
        if relay is None:
            self._check(offered, now)
            with hub.db.write() as session:
                relay = x402_state.find_relay(session, offered)  # another request may have been faster
                if relay is None:
                    if problem := view.closed(session):
                        raise problem
                    channel = service.register(session, hub, offered.config, now)
                    relay = service.request_deposit(session, channel, deposit, now)
        x402_state.require_same(relay, deposit)
        return relay.id

    # ------------------------------------------------------------- checking

    def _check(self, offered: Offered, now: datetime) -> dict[str, Any]:
        """What verifying a payment tells of its channel.

        :raises NotAccepted: it would be refused. :raises Problem: as `verify`
        """
        hub, submission = self._hub, offered.submission
        self._signers.require(offered.config, offered.voucher, has_deposit=offered.deposit is not None)
        with hub.db.read() as session:
            channel = session.get(Channel, submission.channel_id)
            state = x402_state.channel_state(session, hub, channel, submission.channel_id)
            known, relay = x402_state.known_payment(session, offered), x402_state.find_relay(session, offered)
            if channel is not None and known is not None:
                if known.decision.submission != submission:
                    raise self._conflict(session, offered, channel)
                payment = {"id": known.public_id, "acceptedAt": rfc3339(known.accepted_at)}
                return state | x402_state.corrective(session, hub, channel) | {"payment": payment}
            if problem := view_problem(session, self._terms, now):
                raise problem
            try:
                keys.find_merchant(session, submission.merchant_id or "")
                if channel is None and offered.deposit is None:
                    raise vouchers.unknown_channel(submission.channel_id)
                spending = x402_state.spending(session, hub, offered, channel)
                vouchers.check_next(spending, submission.amount, submission.cumulative)
            except Problem as problem:
                raise self._refused_in(session, offered, channel, problem) from None
        if offered.deposit is not None and relay is None:
            try:
                service.check_deposit(hub, offered.config, submission.channel_id, offered.deposit, now)
            except Problem as problem:
                raise self._refused(offered, problem) from None
        return state

    # ------------------------------------------------------------- refusing

    def _refused(self, offered: Offered, problem: Problem) -> Exception:
        self._signers.require(
            offered.config, offered.voucher, has_deposit=offered.deposit is not None
        )  # nobody else is told of a channel
        with self._hub.db.read() as session:
            channel = session.get(Channel, offered.submission.channel_id)
            return self._refused_in(session, offered, channel, problem)

    def _refused_in(self, session: Session, offered: Offered, channel: Channel | None, problem: Problem) -> Exception:
        """How a problem is told: as it is if its end is open or waiting helps, else in x402's words."""
        if problem.type == "channel-not-open" and channel is not None and channel.state == "pending":
            return x402_state.pending(self._hub, "")  # its deposit is on the way: another would help nobody
        if problem.type == "idempotency-key-reused" and channel is not None:
            return self._conflict(session, offered, channel)
        if problem.status >= 500 or problem.retry_after_s is not None:
            return problem
        extra = None
        if problem.type == "voucher-out-of-sequence" and channel is not None:
            extra = x402_state.corrective(session, self._hub, channel)
        return NotAccepted(wire.reason_of(problem.type), problem.detail or problem.title, extra)

    def _conflict(self, session: Session, offered: Offered, channel: Channel) -> Exception:
        """A key came again with something else. A client that named its payment is told so; else its voucher is spent."""
        if offered.is_named:
            return key_reused()
        extra = x402_state.corrective(session, self._hub, channel)
        return NotAccepted(wire.AMOUNT_MISMATCH, "This voucher has paid for something else.", extra)
