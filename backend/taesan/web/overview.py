"""The figures of the overview: read models over the books, for the page and `GET /v1/overview`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain.models import ChainCursor, ChainTransaction
from taesan.core import counters, outbox
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_id
from taesan.gateways import funding, releases
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.ledger import queries as ledger
from taesan.payments import queries
from taesan.payments.models import Payment
from taesan.settlement.models import Batch, ChainCheck
from taesan.settlement.queries import public_batch


def overview(session: Session, hub: Hub, node_is_up: bool) -> dict[str, Any]:
    """All figures at one moment. Amounts are strings in minor units."""
    cursor = session.get_one(ChainCursor, 1)
    batches = session.scalars(select(Batch).order_by(col(Batch.id).desc()).limit(10)).all()
    return {
        "hub": {"name": "Taesan", "environment": hub.settings.environment},
        "chain": {
            "network": hub.contracts.network,
            "head_block": cursor.head_block,
            "indexed_block": cursor.block_number,
            "node": "up" if node_is_up else "down",
        },
        "asset": {"id": hub.asset.id, "symbol": hub.asset.symbol, "exponent": hub.asset.exponent},
        "money": {name: str(amount) for name, amount in money(session, hub).items()},
        "counts": counts(session),
        "gas": gas(session),
        "trust": trust(session),
        "batches": [public_batch(session, b).model_dump(mode="json") for b in batches],
        "recent_payments": payment_rows(session, queries.newest(session, 8)) if shows_payments(hub) else [],
    }


def shows_payments(hub: Hub) -> bool:
    """A payment's id opens its details: on a hub of real people only who made the payment knows it."""
    return hub.settings.environment == "local"


def money(session: Session, hub: Hub) -> dict[str, int]:
    """Minor units; what has passed each stage so far, and what stands there now."""
    chart, asset = hub.chart, hub.asset.id

    turned = ledger.turnovers(session, asset)

    def moved(*kinds: str) -> int:
        """All that entries of these kinds have moved."""
        return sum(debit for (kind, _), (debit, _) in turned.items() if kind in kinds)

    def paid_into(account_kind: str, *kinds: str) -> int:
        return sum(turned.get((kind, account_kind), (0, 0))[1] for kind in kinds)

    to_merchants = paid_into("pending", "payments", "payment to merchant")
    to_jars = paid_into("jar", "payments", "payment to jar") + paid_into("gathered", funding.DRAWN)
    to_persons = paid_into("converting", "payments")
    totals = ledger.totals(session)
    return {
        "deposited": moved("deposit"),
        "accepted": to_merchants + to_jars + to_persons,
        "to_merchants": to_merchants,
        "to_jars": to_jars,
        "in_jars": totals.get(("jar", asset), 0) + totals.get(("gathered", asset), 0),
        "converted": moved("jar fired", "jars fired", releases.RELEASED) + to_persons,
        "settled": moved("channels settled"),
        "minted": moved("gift tokens minted"),
        "redeemed": moved("gift tokens redeemed"),
        "paid_out": moved("credit paid out"),
        "gift_supply": posting.balance(session, chart.gift_supply),
    }


def counts(session: Session) -> dict[str, int]:
    """From figures that are kept: nothing here is counted but what is on its way to the chain."""
    counted = counters.read(session)
    return {
        "payments": counted["payments"],
        "payers": counted["payers"],
        "merchants": counted["merchants"],
        "batches": newest_id(session, col(Batch.id)),  # numbered one by one
        "firings": counted["firings"],
        "transactions": counted["transactions"] + len(_mined(session)),
        "payments_settled": counted["payments_settled"],
        "payments_waiting": counted["payments"] - counted["payments_batched"],
    }


def gas(session: Session) -> dict[str, int | None]:
    """Of settlement transactions: claim, credit, entitle, mint. Deposits and redemptions are counted by their own kinds."""
    counted = counters.read(session)
    total = counted["gas:batch"] + sum(used for kind, used in _mined(session) if kind == "batch")
    on_chain = select(func.sum(Batch.payment_count)).where(col(Batch.state).in_(["mined", "confirmed"]))
    settled = counted["payments_settled"] + (session.scalar(on_chain) or 0)
    check = session.get(ChainCheck, 1)
    return {
        "settlement_total": total,
        "per_payment": total // settled if total and settled else None,
        "erc20_transfer": check.transfer_gas if check else None,
    }


def _mined(session: Session) -> list[tuple[str, int]]:
    """(kind, gas) of the transactions that are in a block and not deep enough yet: a few."""
    rows = session.execute(
        select(col(ChainTransaction.kind), col(ChainTransaction.gas_used)).where(
            col(ChainTransaction.state) == "mined", col(ChainTransaction.gas_used).is_not(None)
        )
    )
    return [(kind, used) for kind, used in rows]


def trust(session: Session) -> dict[str, Any]:
    """`books_balance`: all debits are all credits; the comparison with the chain is the worker's last one. That each
    balance is what its entries say is for `taesan audit` to find: it takes time in proportion to the books."""
    check = session.get(ChainCheck, 1)
    return {
        "books_balance": ledger.is_balanced(session),
        "books_equal_chain": None if check is None or outbox.is_stuck(session) else check.difference_count == 0,
        "checked_block": check.block_number if check else None,
        "reserve": str(check.reserve if check else 0),
        "liabilities": str(check.liabilities if check else 0),
    }


def payment_rows(session: Session, payments: Sequence[Payment]) -> list[dict[str, Any]]:
    """Payments as the pages show them, with their merchants' names."""
    wanted = {p.merchant_id for p in payments if p.merchant_id}
    names = session.execute(select(col(Merchant.id), col(Merchant.name)).where(col(Merchant.id).in_(wanted)))
    by_id = dict(names.all())
    return [_payment_row(p, by_id) for p in payments]


def _payment_row(payment: Payment, merchant_names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": payment.public_id,
        "amount": str(payment.amount),
        "destination": payment.destination,
        "merchant": merchant_names.get(payment.merchant_id or ""),
        "accepted_at": rfc3339(payment.accepted_at),
        "batch_id": payment.batch_id,
    }
