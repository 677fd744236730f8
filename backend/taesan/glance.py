"""When each of the worker's steps may have something to do: `Worker` asks all of it in one question a tick.

Said in what indexes tell at once, and never too narrowly: a step looks itself whether anything is due. Steps that are not here are
always run.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from taesan.chain import sender
from taesan.chain.models import ChainCursor, ChainTransaction
from taesan.channels.models import Channel, DepositRelay, RefundRelay
from taesan.conversions.models import Conversion
from taesan.core.models import OutboxEvent
from taesan.gateways.models import Gateway, GatewayPayment
from taesan.insights.budget_models import NOT_COUNTED, Budget, BudgetCursor
from taesan.insights.import_models import DuplicateCursor
from taesan.insights.models import Erasure, Filling, InsightsCursor, MovementRow, Person
from taesan.insights.recurring_models import RecurringCursor, RecurringDue
from taesan.jars.rule_models import SignedRule
from taesan.loyalty.models import BadgeUpdate, Follower, Member
from taesan.merchants.models import MerchantSettings, Payout, Redemption
from taesan.payments.direct_models import DirectPayment
from taesan.payments.invoices import IS_OPEN as INVOICE_IS_OPEN
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.payments.token_models import TokenTransfer
from taesan.payments.transfers import Transfer, TransferOffer
from taesan.settlement import loose
from taesan.settlement.models import Batch, Refund, WalletClaim
from taesan.settlement.pipeline import IN_FLIGHT
from taesan.settlement.reward_models import Cashback


def waits() -> dict[str, ColumnElement[bool]]:
    """By the steps' names, see `work.build_worker`."""
    relayed = {
        "deposits": col(DepositRelay.state),
        "refunds": col(RefundRelay.state),
        "redemptions": col(Redemption.state),
        "payouts": col(Payout.state),
        "wallets' claims": col(WalletClaim.state),
        "badges": col(BadgeUpdate.state),
    }
    verbs = {"wallets' claims": "send"}
    is_open, has_loyalty = _any(col(ChainTransaction.state).in_(sender.OPEN_STATES)), _any(col(Follower.id) == 1)
    secured = _any(col(Channel.secured).is_not(None))
    transfers = or_(_any(col(TransferOffer.held_until).is_not(None)), _any(col(Transfer.state) == "seen"))
    return {
        **{f"{verbs.get(kind, 'relay')} {kind}": _any(state == "received") for kind, state in relayed.items()},
        **{f"return reverted {kind}": _any(state == "sent") for kind, state in relayed.items()},
        "draw for gateways": _any(col(Gateway.waiting) > 0),
        "collect gateways' claims": secured,
        "collect wallets' claims": secured,
        "freeze batch": or_(_any(col(Payment.batch_id).is_(None)), _any(and_(*loose.WAITING))),
        "sign batch": _any(col(Batch.state) == "frozen"),
        "follow transactions": _any(col(Batch.state).in_(IN_FLIGHT)),
        "advance transactions": is_open,
        "gather direct payments": _any(col(DirectPayment.state) == "received"),
        "gather token transfers": _any(col(TokenTransfer.state) == "received"),
        # Those of a transaction that is open again after a reorganisation count as confirmed until then.
        "follow direct payments": or_(_any(col(DirectPayment.state) == "sent"), is_open),
        "follow token transfers": or_(_any(col(TokenTransfer.state) == "sent"), is_open),
        "fire due rules": or_(_any(col(SignedRule.due_at).is_not(None)), _any(col(SignedRule.ended_at).is_(None))),
        "send conversions": _any(col(Conversion.due_at).is_not(None)),
        "return reverted conversions": _any(col(Conversion.id) > 0),
        "follow payments": has_loyalty,
        "let points lapse": has_loyalty,
        "pay out cashback": _any(col(Cashback.amount) > 0),
        "follow what moves": or_(
            _newer(col(Payment.id), InsightsCursor, "payment_id"),
            _newer(col(Refund.id), InsightsCursor, "refund_id"),
            _newer(col(GatewayPayment.id), InsightsCursor, "gateway_payment_id"),
        ),
        "watch budgets": or_(
            _newer(col(MovementRow.id), BudgetCursor, "movement_id"), _any(col(Budget.counted) == NOT_COUNTED)
        ),
        "fill in what moved": or_(_any(col(Filling.id) > 0), _any(col(Erasure.id) > 0), _any(col(Person.redated) >= 0)),
        "look for duplicates": _newer(col(MovementRow.id), DuplicateCursor, "movement_id"),
        "look for standing costs": or_(
            and_(_any(col(MovementRow.id) > 0), ~_any(col(RecurringCursor.id) == 1)),
            _newer(col(MovementRow.id), RecurringCursor, "movement_id"),
            _any(col(RecurringDue.id) > 0),
        ),
        "gather badges": _any(col(Member.badge_due).is_not(None)),
        "follow badges": _any(col(BadgeUpdate.state) == "sent"),
        "expire invoices": _any(and_(INVOICE_IS_OPEN, col(Invoice.expires_at).is_not(None))),  # as its index is made
        "order due payouts": _any(col(MerchantSettings.next_at).is_not(None)),
        "look for transfers": transfers,
        "free amounts": transfers,
        "resolve reorganisation": _any(col(ChainCursor.doubtful_until).is_not(None)),
        "book events": _any(col(OutboxEvent.handled_at).is_(None)),
    }


def _newer(key: Mapped[Any], cursor: Any, seen: str) -> ColumnElement[bool]:
    """Whether there is more than a cursor has seen; if there is no cursor, nobody has asked."""
    return _any(key > select(col(getattr(cursor, seen))).where(col(cursor.id) == 1).scalar_subquery())


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(1).where(condition))
