"""What SQLite does for each statement: so that no question costs more as the books grow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event

# Tables that do not grow, or only with what the code knows (kinds of account, kinds of figure), or up to a bound (what is
# kept for a reorganisation).
SMALL = {
    "alarm",
    "alembic_version",
    "chain_binding",
    "chain_block",
    "chain_check",
    "chain_cursor",
    "chain_event",
    "counter",
    "gateway",  # those that operators have made
    "lease",
    "listed_pool",  # those that the admin has listed
    "restoration",
    "signer_account",
    "turnover",
}

# Indexes of a few rows that may be read from end to end.
FEW = {
    "ix_channel_secured": "channels of contract wallets, each of which the hub's own money stands in for",
    "ix_channel_quarantine": "channels that were set aside and wait for an operator",
    "ix_channel_pressing": "channels of which so much waits that a batch is due at once, which takes the mark away",
    "ix_webhook_endpoint_enabled": "webhooks that are on, of each of which the worker looks whether anything is due",
    "ix_refund_waiting": "refunds that wait for a batch: at most a hundred of a merchant",
    "ix_transfer_offer_held": "amounts that invoices have until an hour after their end, whose wallets are watched",
    "ix_outbox_waiting": "events that are not handled yet, which the metrics count",
}

# Indexes of just the rows that a question of whether there are any asks for: it stops at the first.
ANY = {"ix_invoice_open", "ix_payment_unbatched", "ix_signed_rule_until"}


class Recorder:
    """:ivar statements: SQL as it was sent → parameters of one of its executions"""

    def __init__(self) -> None:
        self.statements: dict[str, Any] = {}

    def __call__(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", statement, re.IGNORECASE):
            # Of several rows in one INSERT the parameters are one flat list.
            is_many = executemany and isinstance(parameters[0], (tuple, list, dict))
            self.statements.setdefault(_shape(statement), (statement, parameters[0] if is_many else parameters))


def _shape(statement: str) -> str:
    """One statement however many values it is asked with."""
    return re.sub(r"\((\?(, ?)?)+\)", "(?)", statement)


@contextmanager
def recorded(engine: Engine) -> Iterator[Recorder]:
    """All statements of this engine, also of its copies with other options."""
    recorder = Recorder()
    event.listen(engine, "before_cursor_execute", recorder)
    try:
        yield recorder
    finally:
        event.remove(engine, "before_cursor_execute", recorder)


def scans(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """The steps of a statement that read a growing table, or a whole index of one, from end to end.

    Not counted is a list that stops at its limit: in the order of an index, with nothing sorted and no row passed over.
    """
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = [step for *_, step in plan]
    stops = re.search(r"\bLIMIT\b", statement) and not any("TEMP B-TREE" in step for step in steps)
    made = {
        step.split()[1] for step in steps if step.startswith(("CO-ROUTINE ", "MATERIALIZE "))
    }  # of steps that are here, too
    found = []
    for step in steps:
        scan = re.match(r"SCAN (\w+)", step)
        if (
            scan is None
            or _table(statement, scan[1]) in SMALL
            or scan[1] in ("CONSTANT", "json_each")
            or scan[1] in made
            or any(index in step for index in FEW)
        ):
            continue
        if statement.startswith("SELECT EXISTS (SELECT 1") and any(index in step for index in ANY):
            continue
        if stops and not _passes_over(statement, step):
            continue
        found.append(step)
    return found


def _passes_over(statement: str, step: str) -> bool:
    """Whether a scan with a limit may have to look at rows that it does not give."""
    where = re.search(r"\bWHERE\b(.*?)(\bORDER BY\b|\bLIMIT\b)", statement, re.DOTALL)
    if where is None:
        return False
    wanted = where[1].strip()
    # A partial index holds just the rows that its own condition wants. Of what waits for a batch only a contract wallet's
    # payments may be passed over, and those the hub's exposure to wallets bounds; and those of channels in quarantine, each
    # bounded by a channel's exposure.
    unbatched = wanted == "payment.batch_id IS NULL" or wanted.startswith(
        "payment.batch_id IS NULL AND NOT (payment.channel_id IN (SELECT channel_1.id"
    )
    unhandled = wanted == "outbox_event.handled_at IS NULL"
    return not (("ix_payment_unbatched" in step and unbatched) or ("ix_outbox_waiting" in step and unhandled))


def _table(statement: str, alias: str) -> str:
    named = re.search(rf"(?:FROM|JOIN)\s+(\w+)\s+(?:AS\s+)?{alias}\b", statement)
    return named[1] if named and named[1].upper() not in ("SELECT",) else alias
