"""When a transaction that waits is offered again at a higher fee, and at which. Pure."""

from dataclasses import dataclass

from taesan.chain.rpc import Fees

LEAST_RAISE_PERCENT = 10
"""What pools ask of a replacement, of both fees."""
RAISE_PER_MILLE = 125
"""A little more than that, as they round."""
PATIENCE = 5


@dataclass(frozen=True)
class Bidding:
    """:ivar ceiling_wei: no fee goes beyond it. :ivar after_s: how long an offer stands before it is raised"""

    ceiling_wei: int
    after_s: float

    def is_due(self, offered: Fees, current: Fees, age_s: float, *, is_kept: bool) -> bool:
        """Whether an offer of this age that was not taken should be raised.

        :param is_kept: no pool has refused it for its fee; one that was refused has nothing to wait for
        """
        outbid = (
            current.max_fee_per_gas > offered.max_fee_per_gas
            or current.max_priority_fee_per_gas > offered.max_priority_fee_per_gas
        )
        if outbid:
            return age_s > self.after_s or not is_kept
        return age_s > self.after_s * PATIENCE

    def raised(self, offered: Fees, current: Fees) -> Fees | None:
        """The next offer: enough more for every pool, and what is asked now. None: the ceiling leaves no room for it."""
        fee = self._next(offered.max_fee_per_gas, current.max_fee_per_gas)
        tip = self._next(offered.max_priority_fee_per_gas, current.max_priority_fee_per_gas)
        if _is_enough(offered.max_fee_per_gas, fee) and _is_enough(offered.max_priority_fee_per_gas, tip):
            return Fees(fee, tip)
        return None

    def _next(self, offered: int, current: int) -> int:
        return min(max(offered + offered * RAISE_PER_MILLE // 1000 + 1, current), self.ceiling_wei)


def _is_enough(before: int, after: int) -> bool:
    return after > before and after * 100 >= before * (100 + LEAST_RAISE_PERCENT)
