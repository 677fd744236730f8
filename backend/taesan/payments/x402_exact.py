"""The facilitator's part for x402's scheme `exact`: a payment is stored, answered, and brought to the chain with others.

Nothing is broadcast for one payment alone, so what is refused here was never sent anywhere. What is accepted is answered
alike whenever it comes again, until it has failed for good.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import alarms, erc3009, view
from taesan.chain.erc3009 import SignedTransfer
from taesan.chain.models import ChainTransaction
from taesan.channels.waiting import RelayWatch
from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.db import retried
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.payments import direct, x402_state
from taesan.payments import x402_exact_wire as wire
from taesan.payments.direct_models import DirectPayment
from taesan.payments.x402_wire import (
    ACCEPTED_BEFORE,
    VERSION,
    FacilitatorRequest,
    NotAccepted,
    Settled,
    SupportedKind,
    Verified,
    payment_identifier,
)


@dataclass(frozen=True)
class OfferedTransfer:
    """A payment whose form and terms are the hub's. :ivar is_final: its answer waits for the chain"""

    transfer: SignedTransfer
    name: str | None
    reference: str | None
    is_final: bool
    timeout_s: int


class _Checked(NamedTuple):
    """Of a transfer that would be carried out now. :ivar merchant: who is paid. :ivar balance: of the payer"""

    merchant: Merchant
    balance: int


class Exact:
    """For one event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._watch = hub, RelayWatch(hub, DirectPayment)
        self._rate = RateLimit(hub.settings.payer_rate)

    def verify(self, request: FacilitatorRequest) -> Verified:
        """Whether the payment would be accepted now; changes nothing.

        :raises Problem: `node-unavailable`, or an id was used for something else
        """
        payer = None
        try:
            offered = read(self._hub, request)
            payer = offered.transfer.payer
            found = self._known_or_checked(offered, self._hub.clock.now())
            row = found if isinstance(found, DirectPayment) else None
            if isinstance(found, _Checked):
                with self._hub.db.read() as session:
                    self._promised_with(session, offered, found)
            elif found.state == "failed":
                raise NotAccepted(wire.FAILED, found.reason or "")
            elif not offered.reference:  # its server could not tell it from a new one
                raise NotAccepted(wire.NONCE_USED, ACCEPTED_BEFORE, {"payment": _told(found)})
        except NotAccepted as refused:
            why, message = refused.reason, refused.message or None
            return Verified(
                is_valid=False, invalid_reason=why, invalid_message=message, payer=payer, extra=refused.extra
            )
        return Verified(is_valid=True, payer=payer, extra={"payment": _told(row)} if row else None)

    async def settle(self, request: FacilitatorRequest) -> Settled:
        """Accepts the payment. Success is durable; that it is settled, its `extra.payment.state` tells.

        :raises Problem: as `verify`; `settlement-pending` if the merchant wants it final and it is not yet
        """
        payer = None
        try:
            offered = read(self._hub, request)
            payer = offered.transfer.payer
            id_ = await asyncio.to_thread(self._begin, offered)
            if offered.is_final:
                most = self._hub.settings.x402_wait_s
                await self._watch.wait(id_, min(most, offered.timeout_s or most))
            return await asyncio.to_thread(self._settled, offered, id_)
        except NotAccepted as refused:
            return Settled(
                success=False,
                error_reason=refused.reason,
                error_message=refused.message or None,
                payer=payer,
                transaction="",
                network=self._hub.contracts.network,
            )

    def _settled(self, offered: OfferedTransfer, id_: int) -> Settled:
        with self._hub.db.read() as session:
            row = session.get_one(DirectPayment, id_)
            sent = session.get(ChainTransaction, row.transaction_id) if row.transaction_id else None
        if row.state == "failed":
            raise NotAccepted(wire.FAILED, row.reason or "")
        if offered.is_final and row.state != "confirmed":
            raise x402_state.pending(self._hub, sent.hash if sent else "")
        return Settled(
            success=True,
            payer=row.payer,
            transaction=row.transaction_hash or "",
            network=self._hub.contracts.network,
            amount=str(row.amount),
            extra={"payment": _told(row)},
        )

    # ------------------------------------------------------------ accepting

    @retried
    def _begin(self, offered: OfferedTransfer) -> int:
        """The payment's row, made if it is new. :raises NotAccepted: it is refused"""
        hub, now = self._hub, self._hub.clock.now()
        found = self._known_or_checked(offered, now)
        if isinstance(found, _Checked):
            self._rate.check(offered.transfer.payer)
            with idempotency.taking(hub.db) as session:
                row = _known(session, offered)  # another request may have been faster
                if row is None:
                    row = self._store(session, offered, found, now)
        else:
            row = found
            if offered.is_final and row.state == "received" and row.due_at > now:
                with hub.db.write() as session:
                    direct.hurry(session, row, now)  # it was taken in for an answer that does not wait
        assert row.id is not None
        return row.id

    def _known_or_checked(self, offered: OfferedTransfer, now: datetime) -> DirectPayment | _Checked:
        """:raises NotAccepted: it would be refused. :raises Problem: as `verify`"""
        with self._hub.db.read() as session:
            row = _known(session, offered)
        if row is not None:
            return row
        try:
            return self._check(offered, now)
        except NotAccepted:
            # It may have been accepted meanwhile, by a request at the same time, and be on the chain even.
            with self._hub.db.read() as session:
                row = _known(session, offered)
            if row is None:
                raise
            return row

    def _store(self, session: Session, offered: OfferedTransfer, checked: _Checked, now: datetime) -> DirectPayment:
        transfer, settings = offered.transfer, self._hub.settings
        # What would soon keep others waiting for the chain waits for no more payments itself.
        is_urgent = self._promised_with(session, offered, checked) or offered.is_final
        wait_s = 0 if is_urgent else settings.exact_gather_s
        return direct.store(
            session,
            self._hub,
            checked.merchant,
            transfer,
            now,
            name=offered.name,
            reference=offered.reference,
            wait_s=wait_s,
        )

    def _promised_with(self, session: Session, offered: OfferedTransfer, checked: _Checked) -> bool:
        """Whether with this payment more than half of what may is authorised and not on the chain: by the payer, or to a
        merchant, who bears it, and to whom one payer may come with any number of addresses.

        :raises NotAccepted: that is too much. :raises Problem: nothing gets to the chain at the moment
        """
        settings, transfer, balance = self._hub.settings, offered.transfer, checked.balance
        most, merchants_most = settings.exact_exposure, settings.exact_merchant_exposure
        if problem := view.closed(session) or (_paused() if alarms.pausing(session) else None):
            raise problem
        pending = direct.pending(session, transfer.payer, transfer.token) + transfer.amount
        if pending > balance:
            raise NotAccepted(wire.BALANCE, f"{balance} minor units are there, {pending} are authorised.")
        if pending > most:
            message = f"{pending} minor units would wait for the chain, at most {most} may."
            raise NotAccepted(wire.EXPOSURE, message)
        promised = direct.pending_for(session, str(checked.merchant.id)) + transfer.amount
        if promised > merchants_most and not offered.is_final:
            message = (
                f"{promised} minor units of this merchant's would wait for the chain, at most {merchants_most} may."
            )
            raise NotAccepted(wire.MERCHANTS_EXPOSURE, message)
        return 2 * pending > most or 2 * promised > merchants_most

    def _check(self, offered: OfferedTransfer, now: datetime) -> _Checked:
        """Asks the node once, after all that can be said without it.

        :raises NotAccepted: it would be refused. :raises Problem: `node-unavailable`
        """
        hub, transfer, unix_s = self._hub, offered.transfer, int(now.timestamp())
        if transfer.valid_before < unix_s + direct.LEAST_LIFE_S:
            raise NotAccepted(wire.TOO_LATE, f"It must be good for {direct.LEAST_LIFE_S} s more.")
        if transfer.valid_after > unix_s:
            raise NotAccepted(wire.TOO_EARLY)
        if not transfer.is_signed(hub.gathered[transfer.token]):
            raise NotAccepted(wire.SIGNATURE, f"It must be signed by the key of {transfer.payer}.")
        with hub.db.read() as session:
            merchant = session.scalar(select(Merchant).where(col(Merchant.address) == transfer.pay_to))
        if merchant is None:
            raise NotAccepted("invalid_payment_requirements", "payTo: no merchant of this hub is paid there.")
        found = erc3009.look(hub.node, hub.contracts, transfer, hub.signer.address)
        if found.is_used:
            raise NotAccepted(wire.NONCE_USED)
        if found.balance < transfer.amount:
            raise NotAccepted(wire.BALANCE, f"{found.balance} minor units are there.")
        if found.refusal is not None:
            raise NotAccepted(wire.SIMULATION, found.refusal)
        return _Checked(merchant, found.balance)


def _paused() -> Problem:
    """What is taken in must get to the chain before its time is over."""
    return Problem(
        "signing-paused",
        503,
        "The hub brings nothing to the chain at the moment.",
        "An operator has to look first; payments out of channels go on.",
        headers={"retry-after": "60"},
    )


def _known(session: Session, offered: OfferedTransfer) -> DirectPayment | None:
    """This very payment, if it came before.

    :raises NotAccepted: its nonce came with something else. :raises Problem: `idempotency-key-reused`, its name did
    """
    row = direct.by_nonce(session, offered.transfer)
    named = direct.by_name(session, offered.transfer.payer, offered.name) if offered.name else None
    if named is not None and (row is None or named.id != row.id):
        raise idempotency.key_reused()
    if row is None:
        return None
    # Who has the signed transfer may repeat the payment, but not make another one of it.
    if direct.signed(row) != offered.transfer or (row.name, row.reference) != (offered.name, offered.reference):
        raise idempotency.key_reused() if named else NotAccepted(wire.NONCE_USED, "It has paid for something else.")
    return row


def _told(row: DirectPayment) -> dict[str, Any]:
    return {"id": row.public_id, "acceptedAt": rfc3339(row.accepted_at), "state": direct.told_state(row)}


# ---------------------------------------------------------------------- terms


def read(hub: Hub, request: FacilitatorRequest) -> OfferedTransfer:
    """A payment for this hub and for what was asked. :raises NotAccepted: its form, its terms or the merchant's are others"""
    asked_for, payload = request.payment_requirements, request.payment_payload
    if request.x402_version != VERSION or payload.x402_version != VERSION:
        raise NotAccepted("invalid_x402_version", f"This facilitator speaks version {VERSION}.")
    if payload.accepted.scheme != wire.SCHEME:
        raise NotAccepted("unsupported_scheme", f"{wire.SCHEME} was asked for.")
    if not asked_for.network == payload.accepted.network == hub.contracts.network:
        raise NotAccepted("network_mismatch", f"This hub is on {hub.contracts.network}.")
    asked, sent = wire.read(request)
    signed, token = sent.authorization, hub.gathered.get(asked.asset)
    if token is None:
        raise NotAccepted("invalid_payment_requirements", f"asset: one of {', '.join(hub.gathered) or 'none'}.")
    for fact, ours, theirs in (("name", token.name, asked.extra.name), ("version", token.version, asked.extra.version)):
        if theirs != ours:
            raise NotAccepted(wire.reason(f"token_{fact}_mismatch"), f"It must be {ours}.")
    if signed.to != asked.pay_to:
        raise NotAccepted(wire.RECIPIENT, f"It must be {asked.pay_to}.")
    if signed.value != asked.amount:
        raise NotAccepted(wire.VALUE, f"It must be {asked.amount}.")
    if signed.payer == signed.to:
        raise NotAccepted(wire.RECIPIENT, "Nobody pays himself.")
    is_final = asked.extra.settlement == wire.FINAL
    least, most = hub.settings.least_final if is_final else hub.settings.least_exact, hub.settings.max_payment
    if not least <= asked.amount <= most:
        raise NotAccepted("invalid_payment_requirements", f"amount: {least} to {most}.")
    times = (signed.valid_after, signed.valid_before)
    transfer = SignedTransfer(asked.asset, signed.payer, signed.to, signed.value, *times, signed.nonce, sent.signature)
    name = payment_identifier(payload.extensions)
    return OfferedTransfer(transfer, name, asked.extra.reference, is_final, asked.max_timeout_seconds)


def supported(hub: Hub) -> list[SupportedKind]:
    """What an offer needs beside the merchant's payout address (`payTo`) and price; nothing where it cannot be gathered."""
    tokens = [
        {"asset": t.address, "name": t.name, "version": t.version, "decimals": t.exponent, "symbol": t.symbol}
        for t in hub.gathered.values()
    ]
    if not tokens:
        return []
    settings = hub.settings
    least, most = {"minAmount": settings.least_exact, "minFinalAmount": settings.least_final}, settings.max_payment
    limits = {name: str(value) for name, value in (least | {"maxAmount": most}).items()}
    extra = tokens[0] | limits | {"assets": tokens}
    return [SupportedKind(scheme=wire.SCHEME, network=hub.contracts.network, extra=extra)]
