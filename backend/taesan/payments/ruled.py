"""Whether a signed rule gathers a payment to the jar, and what that does to it. Pure: on rows that were read for it."""

from dataclasses import dataclass, field

from taesan.core.problems import Problem
from taesan.jars import accrual, sources
from taesan.jars.grammar import Fires, Gather, Money, Only
from taesan.jars.sources import Taken
from taesan.payments.messages import Submission


@dataclass(slots=True)
class RuleLine:
    """A signed rule and its state.

    :ivar is_active: neither paused nor ended. :ivar payments: since it last fired. :ivar gathered: in the jar now
    :ivar fired: in all. :ivar taken: today. :ivar most: of one payment, minor units
    :ivar perks: of its payer
    """

    id: int
    public_id: str
    channel_id: str
    is_active: bool
    gather: Gather
    fires: Fires
    only: Only
    payments: int
    gathered: int
    fired: int
    taken: Taken
    most: int
    has_changed: bool = False
    perks: dict[str, int] = field(default_factory=dict)

    def take(self, amount: int, fired: int) -> int:
        """A payment comes in, and so much is fired with it; returns what had been fired in all before."""
        before, self.has_changed = self.fired, True
        self.payments = 0 if fired else self.payments + 1
        self.gathered += amount - fired
        self.fired += fired
        self.taken = self.taken.plus(amount)
        return before


def check(rule: RuleLine, submission: Submission, exponent: int) -> accrual.Firing | None:
    """Whether the jar fires with it; changes nothing.

    :param exponent: the reserve asset's
    :raises Problem: `unknown-rule`, `rule-not-active`, `rule-mismatch`, `rule-cap-reached`
    """
    if rule.channel_id != submission.channel_id:
        raise unknown_rule(rule.public_id)
    if not rule.is_active:
        raise Problem(
            "rule-not-active", 409, "The rule gathers nothing now.", f"{rule.public_id} is paused, or has ended."
        )
    room = sources.left(rule.gather, rule.taken, exponent)
    if room == 0:
        raise Problem(
            "rule-cap-reached",
            409,
            "The rule has gathered as much as it may for now.",
            f"{rule.gather}: today {rule.taken.of_day}, this month {rule.taken.of_month} minor units.",
        )
    expected = _expected(rule, submission, exponent)
    if expected is not None:
        expected = sources.within(expected, room, rule.most)
    elif room is not None and submission.amount > room:
        expected = room
    if expected not in (None, submission.amount):
        raise Problem(
            "rule-mismatch",
            422,
            "The amount is not what the rule gathers.",
            f"By {str(rule.gather)!r} it gathers {expected} minor units of this.",
            expected=str(expected),
        )
    trigger = sources.trigger(rule.fires, exponent)
    return accrual.decide(trigger, rule.payments + 1, rule.gathered + submission.amount)


def why_less(rule: RuleLine, submission: Submission, exponent: int) -> str | None:
    """Why a checked payment is less than the rule's words make it, if it is. To be asked before the rule takes it."""
    wanted = _expected(rule, submission, exponent)
    return sources.why_less(wanted, sources.left(rule.gather, rule.taken, exponent), rule.most) if wanted else None


def _expected(rule: RuleLine, submission: Submission, exponent: int) -> int | None:
    """What the rule gathers of a purchase, bounds aside; None: of what the payer puts in besides, as much as she likes."""
    if submission.purchase_value is None:
        if rule.gather.inflows and not rule.gather.of_gateways:
            return None
        return 0
    if not rule.only.takes(submission.purchase_merchant, submission.purchase_category):
        return 0
    assert submission.purchase_currency is not None
    price = sources.in_units(Money(submission.purchase_value, submission.purchase_currency), exponent)
    by_tier = sources.multiplier(rule.perks, submission.purchase_merchant)
    return 0 if price is None else sources.of_purchase(rule.gather, price, exponent, by_tier)


def unknown_rule(rule_id: str) -> Problem:
    return Problem("unknown-rule", 422, "This rule is not the channel's.", f"The channel has no rule {rule_id[:80]}.")
