"""The audit of conversions: whatever the standing orders have moved, a payer's signed rule of ours covers, and it is what we tell.
That rules are signed by their payers is audited with the jars (`settlement/audit_rules.py`)."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.conversions import sending
from taesan.conversions.models import Conversion
from taesan.core.models import OutboxEvent
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.jars.rule_models import SignedRule
from taesan.ledger.audit import Report

STREAMED = 1_000


def audit_conversions(session: Session, hub: Hub, report: Report) -> None:
    """Asks the chain as it is now: what was converted stays so."""
    if not hub.contracts.deployment.standing_orders:
        return
    _audit_rows(session, hub, report)
    _audit_events(session, hub, report)


def _audit_rows(session: Session, hub: Hub, report: Report) -> None:
    """What is told to be done is done on the chain, for the destination that was signed."""
    done = (
        select(Conversion, SignedRule)
        .join(SignedRule, col(SignedRule.id) == col(Conversion.rule_id))
        .where(col(Conversion.state) == "done")
        .order_by(col(Conversion.id))
        .execution_options(yield_per=STREAMED)
    )
    count = 0
    for some in session.execute(done).partitions(STREAMED):
        count += len(some)
        answers = _were_converted(hub, [(rule.payer, rule.number, row.number) for row, rule in some])
        for (row, rule), answer in zip(some, answers, strict=True):
            report.check(f"conversion {row.public_id} on chain", True, answer)
            report.check(f"kind of {row.public_id}", rule.signed.destinations[row.destination].kind, row.kind)
    if count:
        report.counted["conversions"] = count


def _audit_events(session: Session, hub: Hub, report: Report) -> None:
    """What the chain has told and still tells stands in a row of ours, which names the rule."""
    events = session.scalars(
        select(OutboxEvent)
        .where(col(OutboxEvent.type) == "standing_orders.Converted", col(OutboxEvent.handled_at).is_not(None))
        .order_by(col(OutboxEvent.id))
        .execution_options(yield_per=STREAMED)
    )
    for some in events.partitions(STREAMED):
        told = [event.payload["args"] for event in some]
        answers = _were_converted(hub, [(args["payer"], args["id"], args["number"]) for args in told])
        for args, is_there in zip(told, answers, strict=True):
            if not is_there:
                continue  # a reorganisation has removed it
            name = f"signed rule and amount of what was converted for {args['payer']}, {args['id']}/{args['number']}"
            row = sending.row_of(session, args)
            found = (row.state, row.destination) if row else None
            report.check(name, ("done", args["destination"]), found)
            if row is not None and row.kind != "collectible":  # of which no more than the price is moved
                report.check(f"amount of {row.public_id}", row.amount, args["amount"])


def _were_converted(hub: Hub, asked: list[tuple[str, int, int]]) -> list[bool]:
    contract = hub.contracts.deployment.standing_orders
    calls = [(contract, hub.contracts.encode("standing_orders", "converted", *one)) for one in asked]
    block = int(hub.node.head()["number"])
    return [bool(int(hex_of(answer), 16)) for answer in hub.node.call_many(calls, block)]
