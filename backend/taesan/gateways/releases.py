"""What is gathered for a customer goes to its wallet: as payments of the gateway's channel that have fired, which batches
settle like every other. Nothing here decides to whom; `customers.link` does."""

from datetime import datetime

from sqlmodel import Session

from taesan.channels.models import Channel, Charged
from taesan.core import counters
from taesan.core.ids import new_id
from taesan.gateways.models import Gateway, GatewayCustomer
from taesan.hub import Hub
from taesan.jars import accrual, rules, sources
from taesan.jars.models import JarFiring
from taesan.jars.rule_models import RuleState
from taesan.jars.service import default_rule
from taesan.ledger import posting
from taesan.payments import tally
from taesan.payments.models import Payment

DESTINATION = "gateway"
RELEASED = "released to a customer's wallet"  # the entries' kind


def fire(session: Session, hub: Hub, gateway: Gateway, customer: GatewayCustomer, now: datetime) -> None:
    """Releases what is worth a gift token by now, to a customer with a wallet: by the rule that the wallet has signed for it, or the
    hub's rule for jars."""
    if customer.wallet is None:
        return
    signed, default = rules.of_gateways(session, customer.wallet, now), default_rule(hub)
    trigger = accrual.Rule(default.trigger_count, default.trigger_value)
    if signed is not None:
        trigger = sources.trigger(signed.words.fires, hub.asset.exponent)
    gathered = posting.balance(session, hub.chart.gathered(customer.public_id))
    firing = accrual.decide(trigger, customer.payments, gathered)
    if firing is not None:
        release(session, hub, gateway, customer, firing, now)


def release(
    session: Session,
    hub: Hub,
    gateway: Gateway,
    customer: GatewayCustomer,
    firing: accrual.Firing,
    now: datetime,
) -> None:
    """In payments of the cap at most, so that none is too large for a batch."""
    left = firing.amount
    while left:
        amount = min(left, hub.settings.max_payment)
        _pay(session, hub, gateway, customer, accrual.Firing(amount, firing.reason), now)
        left -= amount
        customer.payments = 0
    session.add(customer)


def _pay(
    session: Session,
    hub: Hub,
    gateway: Gateway,
    customer: GatewayCustomer,
    firing: accrual.Firing,
    now: datetime,
) -> None:
    """Books it first: payments stand in the order of the entries that book them."""
    assert gateway.channel_id is not None
    assert customer.wallet is not None
    chart, wallet, public_id = hub.chart, customer.wallet, new_id("pay")
    lines = posting.transfer(chart.gathered(customer.public_id), chart.converting(wallet), firing.amount)
    entry_id = posting.post(session, f"payment:{public_id}", RELEASED, now, lines)
    channel = session.get_one(Channel, gateway.channel_id)
    charged = session.get_one(Charged, channel.account_id)
    is_new = not charged.amount and not tally.paid_before(session.connection(), {channel.payer})
    rule = rules.of_gateways(session, wallet, now)
    state = None if rule is None else session.get_one(RuleState, rule.id)
    counters.add(session, {"payments": 1, "firings": 1, "payers": int(is_new)})
    charged.amount += firing.amount
    customer.released += firing.amount
    payment = Payment(
        public_id=public_id,
        channel_id=channel.id,
        account_id=channel.account_id,
        amount=firing.amount,
        cumulative=charged.amount,
        signature=gateway.signature,
        destination=DESTINATION,
        payee=wallet,
        reference=customer.public_id,
        accepted_at=now,
        idempotency_key=public_id,
        entry_id=entry_id,
        jar_fired=firing.amount,
        rule_id=None if rule is None else rule.id,
    )
    fired = JarFiring(
        channel_id=channel.id,
        account=wallet,
        amount=firing.amount,
        payment_count=customer.payments,
        reason=firing.reason,
        payment_id=public_id,
        rule_id=payment.rule_id,
        fired_before=None if state is None else state.fired,
        fired_at=now,
    )
    session.add_all([charged, payment, fired])
    if rule is not None and state is not None:
        state.fired += firing.amount
        session.add(state)
        rules.note(session, rule, "fired", firing.reason, now, amount=firing.amount)
    session.flush()
