"""The calls that settle a batch, and what the contract says of a part of one. Reads rows, writes nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.hub import Hub
from taesan.jars.models import JarFiring
from taesan.settlement import batcher, packing
from taesan.settlement.models import Batch, BatchClaim, BatchCredit, BatchEntitlement


def settle(session: Session, hub: Hub, batch: Batch) -> str:
    """`settle`, with the tokens of the accounts whose jars have fired; call data, 0x-hex."""
    owed = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id))
    mints = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id))
    return _settle(
        hub,
        batch,
        batch.payment_count,
        batch.entitled,
        {credit.address: credit.amount for credit in owed},
        batcher.claims_of(session, batch.id),
        {entitlement.account: entitlement.cumulative for entitlement in mints},
    )


def settle_part(session: Session, hub: Hub, batch: Batch, channels: Collection[str]) -> str:
    """As if the batch had only these channels' payments; to be simulated, never to be sent: its root is the whole's."""
    payments = [p for p in batcher.payments_of(session, batch.id) if p.channel_id in channels]
    firings = session.scalars(select(JarFiring).where(col(JarFiring.batch_id) == batch.id)).all()
    credited: dict[str, int] = defaultdict(int)
    for payment in payments:
        if payment.merchant_id is not None:
            credited[payment.payee] += payment.amount
    left_out: dict[str, int] = defaultdict(int)
    for firing in firings:
        if firing.channel_id not in channels:
            left_out[firing.account] += firing.amount
    accounts = {firing.account for firing in firings if firing.channel_id in channels}
    mints = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id))
    return _settle(
        hub,
        batch,
        len(payments),
        sum(firing.amount for firing in firings if firing.channel_id in channels),
        credited,
        [claim for claim in batcher.claims_of(session, batch.id) if claim.channel_id in channels],
        {e.account: e.cumulative - left_out[e.account] for e in mints if e.account in accounts},
    )


def packed(claims: Iterable[BatchClaim]) -> bytes:
    """As `claimPacked` takes them."""
    return packing.packed_claims(
        packing.Claim(claim.channel_id, claim.signature, claim.max_claimable, claim.total_claimed) for claim in claims
    )


def _settle(
    hub: Hub,
    batch: Batch,
    payment_count: int,
    entitled: int,
    credited: dict[str, int],
    claims: Sequence[BatchClaim],
    mints: dict[str, int],
) -> str:
    """:param credited: merchant's address → amount. :param mints: account → what it is then entitled to in all"""
    return hub.contracts.encode(
        "settlement",
        "settle",
        (batch.id, batch.root, payment_count, entitled, [packing.word(*credit) for credit in credited.items()]),
        packed(claims),
        [packing.word(*mint) for mint in mints.items()],
    )
