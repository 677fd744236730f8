"""What of a gateway's payments its funding covers, and what a refund gives back. Pure; amounts in minor units."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Funding(NamedTuple):
    """:ivar available: what is left of the deposit. :ivar signed: the most that may be drawn in all; `drawn` of it is
    :ivar claimed: what the chain has moved to the reserve. :ivar exposure: what may be drawn and not be claimed"""

    available: int
    signed: int
    drawn: int
    claimed: int
    exposure: int

    @property
    def room(self) -> int:
        """What may be drawn now."""
        return max(0, min(self.available, self.signed - self.drawn, self.exposure - (self.drawn - self.claimed)))


class Draw(NamedTuple):
    """:ivar amount: from the funding, for the customer. :ivar paid_back: the rest, which the customer owed"""

    amount: int
    paid_back: int


def draws(waiting: Iterable[tuple[int, int]], owed: Mapping[int, int], room: int) -> list[Draw]:
    """For the first of the waiting payments, up to the first that there is no room for: what came later never overtakes it.

    :param waiting: (customer, what is to be converted), in order of arrival. :param owed: by customers, of earlier refunds
    """
    left = dict(owed)
    taken = []
    for customer, amount in waiting:
        paid_back = min(amount, left.get(customer, 0))
        if amount - paid_back > room:
            break
        room -= amount - paid_back
        left[customer] = left.get(customer, 0) - paid_back
        taken.append(Draw(amount - paid_back, paid_back))
    return taken


class Return(NamedTuple):
    """:ivar returned: out of what is gathered, to the funding. :ivar owed: what the customer owes more than before"""

    returned: int
    owed: int


def give_back(draw: Draw, gathered: int) -> Return:
    """What the refund of a payment does. What is no longer gathered, or had paid back an earlier debt, is owed."""
    returned = min(draw.amount, gathered)
    return Return(returned, draw.amount + draw.paid_back - returned)
