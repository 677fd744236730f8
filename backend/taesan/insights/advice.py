"""What a person could do about her small money: at most five pieces of advice, each with the figures that it rests on. Pure.

The same figures give the same advice. What would gather is what a dry run of the rule says of the last full month, and no rule is
advised that would gather more than a tenth of what its purchases cost. Amounts in minor units, of one asset in each piece.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from taesan.insights.hidden import Standing, doubles, rise
from taesan.insights.movements import next_month
from taesan.jars import sources
from taesan.jars.accrual import round_up
from taesan.jars.grammar import ALL_OF_IT, STEPS, Money, NotARule, Only, Words, parse, parse_only
from taesan.jars.rehearsal import Bought, Rehearsal

MOST = 5
MOST_SHARE = 10  # of a hundred parts of what purchases cost, that a rule gathers
LEAST_PURCHASES = 5  # in a month, that make a habit
LEAST_FALL = 10  # of a hundred parts, by which spending has fallen
IDLE_DAYS = 60
MOST_TRIED = 10  # merchants, and as many categories
Value = int | str | date
FIXED = {"USD": (1, 2, 5, 10, 20, 50), "KRW": (10, 20, 50, 100, 200, 500)}


class Unit(NamedTuple):
    """:ivar asset: ISO-4217 code or CAIP-19. :ivar exponent: of its minor unit"""

    asset: str
    exponent: int


class Cost(NamedTuple):
    """A standing cost that was not dismissed. :ivar trial: when it began with a small payment, and with how much"""

    standing: Standing
    name: str
    exponent: int
    is_confirmed: bool = False
    trial: tuple[date, int] | None = None


class Kept(NamedTuple):
    """A rule that gathers, or (`words` None) a jar's own. :ivar quiet_since: when it last fired, or began"""

    id: str
    words: Words | None
    gathered: int
    quiet_since: date


class Offer(NamedTuple):
    """A campaign's cashback where the person has bought and not paid over this hub. :ivar rate: in ten-thousandths"""

    campaign: str
    name: str
    rate: int
    times: int
    spent: int
    unit: Unit


@dataclass(frozen=True)
class Facts:
    """What advice is made of.

    :ivar month: the last full one. :ivar currency: that the hub's asset, `unit`, stands for
    :ivar bought: of one channel in that month, and whether its change was gathered. :ivar rehearse: what a rule would have made of it;
        None: the hub takes no rules. :ivar names: of merchants, by their ids
    :ivar spent: in that month and in the one before it, given back again aside; None: too little is known
    """

    today: date
    month: date
    zone: str
    currency: str
    unit: Unit
    bought: Sequence[tuple[Bought, bool]] = ()
    rehearse: Callable[[Words], Rehearsal] | None = None
    names: Mapping[str, str] | None = None
    rules: Sequence[Kept] = ()
    spent: tuple[int, int] | None = None
    costs: Sequence[Cost] = ()
    offers: Sequence[Offer] = ()


@dataclass(frozen=True)
class Advice:
    """:ivar subject: what it is about; with the code, the same as long as it is the same advice
    :ivar unit: of all amounts. :ivar rule: that it would set
    """

    code: str
    subject: str
    unit: Unit
    values: Mapping[str, Value]
    rule: Words | None = None


def advise(facts: Facts) -> list[Advice]:
    """All that there is to say, the most useful first; whoever tells it leaves out what was dismissed, and all but `MOST`."""
    kinds = [_round_ups(facts), _rises(facts), _doubles(facts), _idle(facts), _trials(facts), _offers(facts)]
    kinds.append(list(_saved(facts)))
    # One of each before the second of any.
    return [kind[n] for n in range(max(map(len, kinds))) for kind in kinds if n < len(kind)]


# ------------------------------------------------------------------- rules


def _round_ups(facts: Facts) -> list[Advice]:
    """Where nothing is gathered yet; no purchase is in two of them."""
    tried = sorted(_tries(facts), key=lambda one: (-one[0], str(one[1].only)))
    found: list[Advice] = []
    taken: list[Only] = []
    for _, words in tried:
        group = _of(facts, words.only)
        if any(only.takes(b.merchant, b.category) for b in group for only in taken):
            continue
        spent = sum(b.price for b in group)
        gathered = _gathers(facts, words, spent)
        if not gathered:
            continue
        taken.append(words.only)
        step = words.gather.step or Money(0, facts.currency)
        values: dict[str, Value] = {
            "step": sources.in_units(step, facts.unit.exponent) or 0,
            "month": facts.month,
            "count": len(group),
            "spent": spent,
            "gathered": gathered,
        }
        if words.only.merchants:
            values["merchant"] = _name(facts, words.only.merchants[0])
        else:
            values["category"] = words.only.categories[0]
        code = "round-up-merchant" if words.only.merchants else "round-up-category"
        found.append(Advice(code, str(words.only), facts.unit, values, words))
    return found


def _tries(facts: Facts) -> Iterator[tuple[int, Words]]:
    """For each place the largest step that is not too much, and what it would come to, if nothing else is at work."""
    for only in _places(facts):
        group = _of(facts, only)
        spent = sum(b.price for b in group)
        for step in reversed(STEPS.get(facts.currency, ())):
            money = Money(step, facts.currency)
            in_units = sources.in_units(money, facts.unit.exponent)
            if in_units is None:
                continue
            gathered = sum(round_up(b.price, in_units) for b in group)
            words = _words(f"round up to {money}", _monthly(facts), str(only))
            if words is not None and 0 < gathered * 100 <= spent * MOST_SHARE:
                yield gathered, words
                break


def _places(facts: Facts) -> Iterator[Only]:
    """Merchants, and categories of several of them, where she buys often and gathers nothing."""
    counts: dict[Only, int] = defaultdict(int)
    merchants: dict[Only, set[str | None]] = defaultdict(set)
    busy: set[Only] = set()
    active = [rule.words.only for rule in facts.rules if rule.words and rule.words.gather.of_purchases]
    for bought, is_gathered in facts.bought:
        is_busy = is_gathered or any(only.takes(bought.merchant, bought.category) for only in active)
        for only in _onlys(bought):
            counts[only] += 1
            merchants[only].add(bought.merchant)
            if is_busy:
                busy.add(only)
    often = [only for only in counts if counts[only] >= LEAST_PURCHASES and only not in busy]
    often.sort(key=lambda only: (-counts[only], str(only)))
    yield from [only for only in often if only.merchants][:MOST_TRIED]
    yield from [only for only in often if only.categories and len(merchants[only]) > 1][:MOST_TRIED]


def _onlys(bought: Bought) -> Iterator[Only]:
    """What a filter may say of a purchase; a payer's client may call both what it likes."""
    for kind, name in (("merchant", bought.merchant), ("category", bought.category)):
        if name:
            try:
                yield parse_only(f"{kind} {name}")
            except NotARule:
                continue


def _saved(facts: Facts) -> Iterator[Advice]:
    """A part of what is spent less, with each purchase."""
    gathers = any(rule.words and rule.words.gather.of_purchases for rule in facts.rules)
    if facts.spent is None or gathers or any(is_gathered for _, is_gathered in facts.bought):
        return
    now, before = facts.spent
    count, cost = len(facts.bought), sum(bought.price for bought, _ in facts.bought)
    if count < LEAST_PURCHASES or (before - now) * 100 < before * LEAST_FALL:
        return
    for value in reversed(FIXED.get(facts.currency, ())):
        fixed = Money(value, facts.currency)
        in_units = sources.in_units(fixed, facts.unit.exponent)
        if in_units is None or in_units * count * 2 > before - now:
            continue
        words = _words(f"fixed {fixed}", _monthly(facts), "")
        gathered = 0 if words is None else _gathers(facts, words, cost)
        if gathered:
            told: dict[str, Value] = {"month": facts.month, "less": before - now, "count": count}
            told |= {"fixed": in_units, "gathered": gathered}
            yield Advice("save-what-fell", f"{facts.month:%Y-%m}", facts.unit, told, words)
            return


def _idle(facts: Facts) -> list[Advice]:
    """Jars that nothing comes out of; a rule that only payments fire is to fire on a date as well."""
    found = []
    for kept in facts.rules:
        days = (facts.today - kept.quiet_since).days
        if not kept.gathered or days < IDLE_DAYS:
            continue
        values: dict[str, Value] = {"gathered": kept.gathered, "days": days}
        if kept.words is None:
            found.append(Advice("idle-jar", kept.id, facts.unit, values))
        elif not kept.words.fires.on_date and not kept.words.gather.of_gateways:
            fires = replace(kept.words.fires, day_of_month=1, zone=facts.zone)
            words = _words(str(kept.words.gather), str(fires), str(kept.words.only))
            cost = sum(bought.price for bought in _of(facts, kept.words.only))
            is_much = words is not None and _rehearsed(facts, words) * 100 > cost * MOST_SHARE
            found.append(Advice("idle-rule", kept.id, facts.unit, values, None if is_much else words))
    return _dearest(found, "gathered")


def _gathers(facts: Facts, words: Words, spent: int) -> int:
    """What the rule would have gathered; 0 if that is too much."""
    gathered = _rehearsed(facts, words)
    return gathered if gathered * 100 <= spent * MOST_SHARE else 0


def _rehearsed(facts: Facts, words: Words) -> int:
    return 0 if facts.rehearse is None else facts.rehearse(words).gathered


def _of(facts: Facts, only: Only) -> list[Bought]:
    return [bought for bought, _ in facts.bought if only.takes(bought.merchant, bought.category)]


def _monthly(facts: Facts) -> str:
    return f"monthly on day 1 at {facts.zone}"


def _words(gather: str, fires: str, only: str) -> Words | None:
    """None: too long, or else no rule."""
    try:
        return parse(gather, fires, only)
    except NotARule:
        return None


def _name(facts: Facts, merchant: str) -> str:
    return (facts.names or {}).get(merchant, merchant)


# ------------------------------------------------------------ standing costs


def _going_on(facts: Facts) -> list[Cost]:
    return [cost for cost in facts.costs if not cost.standing.is_over]


def _rises(facts: Facts) -> list[Advice]:
    found = []
    for cost in _going_on(facts):
        more, one = rise(cost.standing), cost.standing
        if more and one.was is not None:
            values: dict[str, Value] = {"name": cost.name, "was": one.was, "price": one.price, "more": more}
            found.append(Advice("price-rose", f"{one.id} {one.price}", Unit(one.asset, cost.exponent), values))
    return _dearest(found, "more")


def _doubles(facts: Facts) -> list[Advice]:
    costs = {cost.standing.id: cost for cost in _going_on(facts)}
    found = []
    for double in doubles([cost.standing for cost in costs.values()]):
        a, b = sorted((costs[id_] for id_ in double.ids), key=lambda cost: (-cost.standing.yearly, cost.standing.id))
        if double.yearly is None or (a.is_confirmed and b.is_confirmed):
            continue
        values: dict[str, Value] = {"name": a.name, "first": a.standing.price, "second": b.standing.price}
        values["yearly"] = double.yearly
        subject = " ".join(sorted(double.ids))
        unit = Unit(a.standing.asset, a.exponent)
        if double.why == "merchant":
            found.append(Advice("paid-twice", subject, unit, values))
        else:
            values |= {"other": b.name, "category": a.standing.category}
            found.append(Advice("alike-twice", subject, unit, values))
    return _dearest(found, "yearly")


def _trials(facts: Facts) -> list[Advice]:
    """Those of which she has not said that they are wanted."""
    found = []
    for cost in _going_on(facts):
        if cost.trial is None or cost.is_confirmed:
            continue
        one, (day, amount) = cost.standing, cost.trial
        values: dict[str, Value] = {"name": cost.name, "trial": amount, "day": day, "since": one.first}
        unit = Unit(one.asset, cost.exponent)
        found.append(Advice("trial-went-on", one.id, unit, values | {"price": one.price, "yearly": one.yearly}))
    return _dearest(found, "yearly")


def _offers(facts: Facts) -> list[Advice]:
    found = []
    for offer in facts.offers:
        back = offer.spent * offer.rate // ALL_OF_IT
        if offer.times >= LEAST_PURCHASES and back:
            values: dict[str, Value] = {"merchant": offer.name, "month": facts.month, "count": offer.times}
            rate = f"{offer.rate // 100}" + (f".{offer.rate % 100:02d}".rstrip("0") if offer.rate % 100 else "")
            values |= {"spent": offer.spent, "rate": rate, "back": back}
            found.append(Advice("cashback-here", offer.campaign, offer.unit, values))
    return _dearest(found, "back")


def _dearest(found: Iterable[Advice], by: str) -> list[Advice]:
    """First; of each asset, as two are never compared."""
    return sorted(found, key=lambda one: (one.unit.asset, -_amount(one, by), one.subject))


def _amount(advice: Advice, name: str) -> int:
    amount = advice.values[name]
    assert isinstance(amount, int)
    return amount


def last_full_month(today: date) -> tuple[date, date]:
    """The first day of the last month that is over, and that of the one before it."""
    first = _month_before(today.replace(day=1))
    assert next_month(first) <= today
    return first, _month_before(first)


def _month_before(first: date) -> date:
    return first.replace(year=first.year - (first.month == 1), month=(first.month - 2) % 12 + 1)
