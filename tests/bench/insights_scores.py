"""How well a rule finds the standing costs of a labelled set (`insights_streams.py`)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from taesan.insights.cadence import Calendar
from taesan.insights.merchants import normalised
from taesan.insights.recurring import Charge, streams
from tests.bench.insights_peers import Found
from tests.bench.insights_streams import COUNTRIES, Paid, Set, Truth

OF_THE_STREAM, OF_THE_TRUTH = 80, 50  # hundredths
_CALENDARS = {country: Calendar(country) for country in COUNTRIES}
Rule = Callable[[Sequence[Paid], str | None], list[Found]]


def ours(paid: Sequence[Paid], country: str | None) -> list[Found]:
    charges = [Charge(row.id, row.day, row.amount) for row in paid]
    found = streams(charges, _CALENDARS[country])
    return [Found(stream.cadence, tuple(charge.id for charge in stream.charges)) for stream in found]


@dataclass
class Score:
    """:ivar there: standing costs. :ivar told: what a rule has told. :ivar right: of these. :ivar lost: by kind
    :ivar wrong: by what they are, and what they were told to be"""

    there: int = 0
    told: int = 0
    right: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        return self.right / self.told if self.told else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 1.0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.there + other.there,
            self.told + other.told,
            self.right + other.right,
            self.lost + other.lost,
            self.wrong + other.wrong,
        )


def told_by(rule: Rule, of: Set) -> dict[int, list[Found]]:
    """By merchant. Whose payments are written in many ways, but are one merchant's for all rules."""
    assert all(len({normalised(row.name) for row in paid}) == 1 for paid in of.paid.values())
    return {merchant: rule(paid, of.country[merchant]) for merchant, paid in of.paid.items()}


def score(of: Set, found: dict[int, list[Found]], *, cadence_counts: bool = True) -> Score:
    """What is told is right if four in five of its payments are of one standing cost, half of which it has at least, and the cadence is
    right; once for each. So a standing cost that is told in two halves is right once and wrong once.

    :param cadence_counts: else a wrong cadence is as good
    """
    result = Score()
    for merchant, paid in of.paid.items():
        truths = {truth.id: truth for truth in of.truths if truth.merchant == merchant}
        stream_of, done = {row.id: row.stream for row in paid}, set()
        for told in found[merchant]:
            result.told += 1
            truth = truths[Counter(stream_of[id_] for id_ in told.ids).most_common(1)[0][0]]
            if truth.id not in done and _is_right(told, truth, cadence_counts):
                done.add(truth.id)
            else:
                result.wrong[truth.kind] += 1
        result.right += len(done)
        there = [truth for truth in truths.values() if truth.cadence and len(truth.ids) >= 3]
        result.there += len(there)
        result.lost += Counter(truth.kind for truth in there if truth.id not in done)
    return result


def _is_right(told: Found, truth: Truth, cadence_counts: bool) -> bool:
    if not truth.cadence or (cadence_counts and told.cadence != truth.cadence):
        return False
    shared = len(set(told.ids) & set(truth.ids))
    return shared * 100 >= OF_THE_STREAM * len(told.ids) and shared * 100 >= OF_THE_TRUTH * len(truth.ids)
