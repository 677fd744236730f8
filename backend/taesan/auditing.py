"""The whole audit: of the books and the chain, and of what the floors above make of them."""

from taesan.conversions.audit import audit_conversions
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.loyalty.audit import audit_loyalty
from taesan.loyalty.audit_badges import audit_badges
from taesan.settlement import audit as settlement


def audit(hub: Hub) -> Report:
    """Everything; takes time in proportion to all payments, and memory to channels, accounts and one batch."""
    report = settlement.audit(hub)
    with hub.db.read() as session:
        audit_conversions(session, hub, report)
        audit_loyalty(session, report)
        audit_badges(session, hub, report)
    return report
