"""Who takes part, and what they have signed. Pure: the same for everybody who asks."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from taesan.client import Terms
from taesan.demo.purchases import Purchase, load
from taesan.demo.wallet import key_of
from taesan.jars import sources
from taesan.jars.grammar import Money, parse
from taesan.jars.signed import Destination

DATA_SET = 23_570
BEGINS = date(1997, 1, 1)
MONTHS = 18
REGULAR_MONTHS = 8
"""In so many of the eighteen months a customer has to have bought something to take part."""
NOWHERE = "0x" + "00" * 20
DAY_LIMIT = 50 * 10**6
"""What a rule may move on a day: minor units."""
SLIPPAGE = 100
"""One per cent below the mean price, of which the pool's fee takes 0.3."""
COLLECTIBLE, COLLECTIBLE_PRICE = 1_001, 1_500_000
ARTIST = key_of("taesan demo artist").address
"""Who sells the collectible."""
SHOPS = (
    ("Blue Note Reviews", "jazz"),
    ("Attic Records", "rock"),
    ("Lyrics & Liner Notes", "folk"),
    ("Corner Café Sessions", "pop"),
    ("Weather Report by the Bar", "classical"),
)
"""Names, and what each sells."""


@dataclass(frozen=True)
class Places:
    """What destinations name. :ivar payer: her address. :ivar person: somebody she cares for. :ivar ether: wrapped ether
    :ivar shop: the id of the one that her filtered rule is for"""

    payer: str
    person: str
    ether: str
    shop: str


def savings(at: Places, share: int = 10_000) -> Destination:
    return Destination("savings", share, at.payer, NOWHERE, 0)


def swap(at: Places, share: int = 10_000) -> Destination:
    return Destination("swap", share, at.payer, at.ether, SLIPPAGE)


def cash(at: Places, share: int = 10_000) -> Destination:
    return Destination("cash", share, at.payer, NOWHERE, 0)


def person(at: Places, share: int = 10_000) -> Destination:
    return Destination("person", share, at.person, NOWHERE, 0)


def collectible(at: Places, share: int = 10_000) -> Destination:
    return Destination("collectible", share, ARTIST, f"0x{COLLECTIBLE:040x}", 0)


def wallet(at: Places, share: int = 10_000) -> Destination:
    return Destination("wallet", share, at.payer, NOWHERE, 0)


def _terms(gather: str, fires: str, *destinations: Destination, only: str = "") -> Terms:
    moves = any(destination.kind != "wallet" for destination in destinations)
    return Terms(gather, fires, only, destinations, DAY_LIMIT if moves else 0)


def _saver(at: Places) -> list[Terms]:
    return [_terms("round up to 1 USD", "every 5 USD", savings(at))]


def _investor(at: Places) -> list[Terms]:
    gather = "round up to 1 USD x3, at most 5 USD a day"
    return [_terms(gather, "monthly on day 1 at Asia/Seoul", swap(at, 8_000), savings(at, 2_000))]


def _collector(at: Places) -> list[Terms]:
    return [_terms("fixed 0.75 USD", "every 2 payments", collectible(at))]


def _grandparent(at: Places) -> list[Terms]:
    gather = "5% of the price, at most 2 USD a day, at most 10 USD a month"
    return [_terms(gather, "weekly on monday at America/New_York", person(at, 5_000), wallet(at, 5_000))]


def _spender(at: Places) -> list[Terms]:
    return [_terms("round up to 0.50 USD x2", "every 2 USD", cash(at))]


def _undecided(at: Places) -> list[Terms]:
    """Whose jar goes by its own rule, which nobody has to sign."""
    return []


def _on_her_word(at: Places) -> list[Terms]:
    gather = "round up to 0.10 USD x10, top-ups"
    return [_terms(gather, "when I say so", savings(at, 7_000), wallet(at, 3_000))]


def _bargain_hunter(at: Places) -> list[Terms]:
    return [_terms("fixed 0.20 USD, cashback", "every 3 USD", savings(at, 5_000), swap(at, 5_000))]


def _planner(at: Places) -> list[Terms]:
    """Two rules, for different purchases: of those that both take, the one that asks for a merchant gathers."""
    gather = "round up to 1 USD x10, at most 20 USD a month"
    return [
        _terms(gather, "every 10 payments, every 8 USD", swap(at), only=f"merchant {at.shop}"),
        _terms("2.5% of the price", "weekly on monday at Europe/London", cash(at), only="category rock, category pop"),
    ]


def _a_bit_of_all(at: Places) -> list[Terms]:
    gather = "round up to 1 USD, 1% of the price, fixed 0.05 USD"
    fires = "every 25 payments, every 4 USD, monthly on day 15 at Europe/Berlin, when I say so"
    return [
        _terms(
            gather,
            fires,
            *(wallet(at, 2_000), savings(at, 2_000), swap(at, 2_000), cash(at, 2_000), person(at, 2_000)),
        )
    ]


KINDS: dict[str, Callable[[Places], list[Terms]]] = {
    "saver": _saver,
    "investor": _investor,
    "collector": _collector,
    "grandparent": _grandparent,
    "spender": _spender,
    "undecided": _undecided,
    "on her word": _on_her_word,
    "bargain hunter": _bargain_hunter,
    "planner": _planner,
    "a bit of all": _a_bit_of_all,
}


def kind_of(place: int) -> str:
    """In turn. :param place: among those who take part, from 0"""
    return list(KINDS)[place % len(KINDS)]


def choose(customers: int, months: int = MONTHS) -> dict[int, list[Purchase]]:
    """Their purchases in the first `months`, in order: of the data set's customers the first who have bought something in at least
    `REGULAR_MONTHS` of its months. There are 1,022 of them."""
    by_customer: dict[int, list[Purchase]] = defaultdict(list)
    for purchase in load(DATA_SET):
        by_customer[purchase.customer].append(purchase)
    regular = [number for number, bought in sorted(by_customer.items()) if len(_months(bought)) >= REGULAR_MONTHS]
    ends = first_of(months)
    return {number: [p for p in by_customer[number] if p.day < ends] for number in regular[:customers]}


def _months(bought: list[Purchase]) -> set[tuple[int, int]]:
    return {(purchase.day.year, purchase.day.month) for purchase in bought}


def first_of(month: int) -> date:
    """The first day of a month of the story, counted from 0."""
    return date(BEGINS.year + month // 12, month % 12 + 1, 1)


def days_of(month: int) -> list[date]:
    first = first_of(month)
    return [first + timedelta(days=n) for n in range((first_of(month + 1) - first).days)]


def gathered_of(terms: list[Terms], cents: int, exponent: int) -> int:
    """At most what the rules gather of a purchase, minor units: for the deposit that is to cover it."""
    price = sources.in_units(Money(cents, "USD"), exponent) or 0
    return sum(sources.of_purchase(parse(t.gather, t.fires, t.only).gather, price, exponent) or 0 for t in terms)
