"""What a payer may do about a conversion that is held."""

from datetime import datetime
from math import ceil

from sqlmodel import Session

from taesan.conversions import reasons
from taesan.conversions.models import Conversion
from taesan.conversions.sending import KEPT, TO_DO
from taesan.core.clock import rfc3339
from taesan.core.problems import Problem
from taesan.jars import rules
from taesan.jars.rule_models import SignedRule


def retry(session: Session, row: Conversion, now: datetime) -> None:
    """Tries it again now; what has failed on the chain, where that costs gas, not before its time.

    :raises Problem: `conversion-not-held`, `conversion-rests`, `rule-ended`
    """
    _refuse_unless(row, *TO_DO, KEPT)
    rules.refuse_ended(session.get_one(SignedRule, row.rule_id), now)
    has_failed_on_chain = row.transaction_id is not None
    if row.state == KEPT:
        row.state, row.due_at = "held", now + reasons.AT_MOST if has_failed_on_chain else now
    elif has_failed_on_chain and row.due_at is not None and row.due_at > now:
        wait_s = ceil((row.due_at - now).total_seconds())
        raise Problem(
            "conversion-rests",
            409,
            "The conversion has failed on the chain and is not due again yet.",
            f"That has cost gas. It is tried again at {rfc3339(row.due_at)}.",
            headers={"retry-after": str(wait_s)},
        )
    else:
        row.due_at = now
    session.add(row)


def keep(session: Session, row: Conversion) -> None:
    """The gift tokens stay what they are, unless she asks for another try. :raises Problem: `conversion-not-held`"""
    _refuse_unless(row, *TO_DO, KEPT)
    row.state, row.reason, row.due_at = KEPT, reasons.KEPT_BY_PAYER, None
    session.add(row)


def _refuse_unless(row: Conversion, *states: str) -> None:
    if row.state not in states:
        raise Problem("conversion-not-held", 409, "The conversion does not wait any more.", f"It is {row.state}.")
