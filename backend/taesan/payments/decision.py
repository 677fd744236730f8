"""Whether a payment is accepted, and what it does to its channel and jar. Pure: on rows that were read for it."""

from collections.abc import Callable
from dataclasses import dataclass

from babel.numbers import get_currency_precision

from taesan.channels import vouchers
from taesan.core.problems import Problem
from taesan.jars import accrual, reasons
from taesan.payments import ruled
from taesan.payments.cover import Cover
from taesan.payments.messages import Submission
from taesan.payments.ruled import RuleLine


@dataclass(slots=True)
class JarState:
    """:ivar gathered: minor units in it. :ivar ruled: what of them signed rules have gathered. :ivar payment_count: by its own rule
    since that last fired. :ivar is_new: nothing was counted yet"""

    account_id: int
    round_up_step: int
    rule: accrual.Rule
    payment_count: int
    gathered: int
    ruled: int
    is_new: bool
    has_changed: bool = False

    @property
    def own(self) -> int:
        """What its own rule has gathered."""
        return self.gathered - self.ruled


@dataclass(slots=True)
class ChannelState:
    """A channel as far as its payments depend on it (`vouchers.Spending`), with its accounts in the books.

    :ivar claimed: of `charged`, on chain. :ivar claim_total: of `charged`, by frozen batches
    :ivar pressing: what waited of it when that was enough for a batch; None: not enough yet
    """

    channel_id: str
    state: str
    payer: str
    account_id: int
    charged: int
    available: int
    jar: JarState
    claimed: int
    claim_total: int
    pressing: int | None = None
    secured: int | None = None
    has_become_pressing: bool = False


@dataclass(slots=True)
class Decision:
    """An accepted payment; `payee` is the merchant's payout address, the person's, or the payer's own. `jar_…`: the jar right
    after it; None if it went to somebody else.

    :ivar jar_fired: minor units that left the jar with it, if it fired, after `fired_count` payments for `fired_reason`; or all
        of a payment to a person
    :ivar rule: the signed rule that gathers it: then `jar_…` is about what that has gathered. It had `fired_before` in all
    :ivar why_less: than its rule's words make it
    """

    submission: Submission
    payee: str
    jar_gathered: int | None = None
    jar_payments: int | None = None
    jar_fired: int | None = None
    fired_count: int = 0
    fired_reason: str = ""
    rule: RuleLine | None = None
    fired_before: int | None = None
    why_less: str | None = None


def decide(
    submission: Submission,
    channel: ChannelState,
    payee: str | None,
    rule: RuleLine | None,
    asset_exponent: int,
    cover: Cover,
    exposure: int,
    admit: Callable[[str], None],
) -> Decision:
    """Accepts a payment: changes the states, or leaves them alone and raises.

    :param payee: the merchant's payout address, or the person's; None for a payment to the jar
    :param rule: the signed rule that is to gather it, if it names one
    :param exposure: what of the channel may be owed to others and not be claimed on chain, minor units
    :param admit: counts a payment of this payer, or raises: asked last, as others can send a payer's old vouchers again
    :raises Problem: `channel-not-open`, `voucher-out-of-sequence`, `insufficient-deposit`, `round-up-mismatch`,
        `exposure-limit`, `invalid-recipient`, and what `cover` and `ruled` raise
    """
    vouchers.check_next(channel, submission.amount, submission.cumulative)
    can_be_taken_back = is_contracts(submission, channel)
    if can_be_taken_back:
        cover.check(channel, submission.amount, to_merchant=submission.merchant_id is not None)
    if payee == channel.payer and submission.person is not None:
        raise invalid_recipient(payee)
    jar, firing = channel.jar, None
    if rule is not None:
        firing = ruled.check(rule, submission, asset_exponent)
    elif payee is None:
        if submission.purchase_value is not None:
            _check_round_up(submission, jar.round_up_step, asset_exponent)
        firing = accrual.decide(jar.rule, jar.payment_count + 1, jar.own + submission.amount)
    if firing is not None and firing.divisible and firing.amount > exposure:
        # It never would fit: as much as does goes, and the rest with the next.
        room = exposure - _exposed(channel)
        firing = firing._replace(amount=min(firing.amount, room)) if room > 0 else firing
    # What is in the jar is the payer's own until it fires.
    _check_exposure(channel, submission.amount if payee is not None else firing.amount if firing else 0, exposure)
    admit(channel.payer)
    # From here on it is accepted: nothing is refused any more.
    if can_be_taken_back:
        cover.hold(channel, submission.amount)
    channel.charged += submission.amount
    channel.available -= submission.amount
    if payee is not None:
        _press(channel, exposure)
        if submission.person is not None:  # it goes the way of what leaves a jar, past the jar
            return Decision(
                submission, payee, jar_fired=submission.amount, fired_count=1, fired_reason=reasons.TO_PERSON
            )
        return Decision(submission, payee)
    jar.has_changed = True
    if rule is None:
        decision = _gather(submission, channel, firing)
    else:
        why_less = ruled.why_less(rule, submission, asset_exponent)
        decision = _gather_by(rule, submission, channel, firing)
        decision.why_less = why_less
    if firing is not None:
        _press(channel, exposure)
    return decision


def _gather(submission: Submission, channel: ChannelState, firing: accrual.Firing | None) -> Decision:
    jar = channel.jar
    jar.gathered += submission.amount
    jar.payment_count += 1
    if firing is None:
        return Decision(submission, channel.payer, jar.own, jar.payment_count)
    count, jar.payment_count = jar.payment_count, 0
    jar.gathered -= firing.amount
    return Decision(submission, channel.payer, jar.own, 0, firing.amount, count, firing.reason)


def _gather_by(
    rule: RuleLine, submission: Submission, channel: ChannelState, firing: accrual.Firing | None
) -> Decision:
    """The same for a signed rule, whose part of the jar is counted by itself."""
    jar, fired, count = channel.jar, firing.amount if firing else 0, rule.payments + 1
    before = rule.take(submission.amount, fired)
    jar.gathered += submission.amount - fired
    jar.ruled += submission.amount - fired
    decision = Decision(submission, channel.payer, rule.gathered, rule.payments, rule=rule)
    if firing is not None:
        decision.jar_fired, decision.fired_count, decision.fired_reason = firing.amount, count, firing.reason
        decision.fired_before = before
    return decision


def invalid_recipient(address: str) -> Problem:
    return Problem(
        "invalid-recipient",
        422,
        "Nothing can be sent to this address.",
        f"{address} is the sender's own, the zero address, or a contract of the hub's.",
    )


def is_contracts(submission: Submission, channel: ChannelState) -> bool:
    """Whether the payer, as a contract wallet, could take the payment back. One of its channel's vouchers may bear a
    key's signature (EIP-7702) and is treated alike."""
    return submission.by_contract or channel.secured is not None


def _check_exposure(channel: ChannelState, more: int, most: int) -> None:
    """:param more: what the payment adds to what others are owed out of the channel"""
    exposed = _exposed(channel) + more
    if more and exposed > most:
        raise Problem(
            "exposure-limit",
            409,
            "Too much of this channel is not claimed on the chain yet.",
            f"At most {most} minor units may be; with this payment it would be {exposed}. A batch is on its way.",
            headers={"retry-after": "60"},
        )


def _exposed(channel: ChannelState) -> int:
    """What others are owed out of it that is not claimed on the chain."""
    return channel.charged - channel.claimed - channel.jar.gathered


def _press(channel: ChannelState, exposure: int) -> None:
    """Marks the channel when half of what may wait of it waits for a batch: the next one is due at once."""
    waiting = channel.charged - channel.claim_total - channel.jar.gathered
    if channel.pressing is None and waiting * 2 >= exposure:
        channel.pressing, channel.has_become_pressing = waiting, True


def _check_round_up(submission: Submission, step: int, asset_exponent: int) -> None:
    value, currency = submission.purchase_value, submission.purchase_currency
    assert value is not None
    assert currency is not None
    paid = accrual.rescale(value, get_currency_precision(currency), asset_exponent)
    expected = None if paid is None else accrual.round_up(paid, step)
    if submission.amount != expected:
        raise Problem(
            "round-up-mismatch",
            422,
            "The amount is not the purchase's round-up.",
            f"Rounding {value} {currency} (minor units) up by the jar's rule gives {expected}.",
            expected=str(expected),
        )
