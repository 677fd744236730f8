"""The tables at the end: what the small change became, and what else there was."""

from collections.abc import Iterable

from rich import box
from rich.table import Table

from taesan.demo.progress import counted
from taesan.demo.year import people
from taesan.demo.year.dealings import Dealings
from taesan.demo.year.figures import Became, Figures
from taesan.demo.year.shopkeeping import HUB_TIERS

UNIT = 10**6
NAMES = {
    "wallet": "gift tokens",
    "savings": "savings",
    "swap": "ether",
    "cash": "cash",
    "person": "someone else",
    "collectible": "collectibles",
}
Row = tuple[str, ...]


def dollars(amount: int) -> str:
    """Rounded to cents."""
    cents = (abs(amount) * 100 + UNIT // 2) // UNIT
    return f"{'-' if amount < 0 and cents else ''}${cents // 100:,}.{cents % 100:02}"


def became(figures: Figures) -> Table:
    """Fits a terminal of 80 columns."""
    result = _table("What the small change became")
    result.add_column(style="bold", min_width=12)
    for heading in ("gathered", "moved", "worth now"):
        result.add_column(heading, justify="right", min_width=9)
    result.add_column(style="dim")
    total = Became()
    for kind, name in NAMES.items():
        one = figures.all[kind]
        total.add(one)
        moved = dollars(one.moved) if kind != "wallet" else ""
        result.add_row(name, dollars(one.gathered), moved, dollars(one.worth), _note(kind, one, figures))
    result.add_section()
    result.add_row("in all", dollars(total.gathered), dollars(total.moved), dollars(total.worth), _gain(total))
    result.add_row("still in jars", dollars(figures.jars), "", "", "has not fired yet")
    return result


def _note(kind: str, one: Became, figures: Figures) -> str:
    if kind == "wallet":
        return "good at shops, at face value"
    if kind == "savings":
        return f"{dollars(one.worth - one.moved)} of it is yield"
    if kind == "swap":
        before, now = figures.ether
        return f"an ether: ${before // UNIT:,}, now ${now // UNIT:,}"
    if kind == "collectible":
        return f"{one.received} at {dollars(people.COLLECTIBLE_PRICE)}"
    if kind == "person":
        return f"gift tokens, {one.times:,} times"
    return f"{one.times:,} times"


def _gain(total: Became) -> str:
    gain = total.worth - total.gathered
    return f"{dollars(abs(gain))} {'more' if gain >= 0 else 'less'} than gathered"


def company(figures: Figures, dealings: Dealings) -> Table:
    """What else there was. Fits a terminal of 80 columns."""
    result = _table("And besides", show_header=False)
    result.add_column(style="bold", min_width=12)
    result.add_column(justify="right", min_width=9)
    result.add_column(style="dim")
    for section in (_of_customers(figures), _of_holding(figures), _of_shops(dealings), _of_presents(dealings)):
        for row in section:
            result.add_row(*row)
        result.add_section()
    return result


def _of_customers(figures: Figures) -> Iterable[Row]:
    gathered = {payer: sum(one.gathered for one in hers.values()) for payer, hers in figures.of.items()}
    worth = {payer: sum(one.worth for one in hers.values()) for payer, hers in figures.of.items()}
    best = max(worth, key=lambda payer: worth[payer])
    count = len(figures.of)
    yield (
        "a customer",
        dollars(sum(worth.values()) // count),
        f"on average, of {dollars(sum(gathered.values()) // count)}",
    )
    yield "the best", dollars(worth[best]), f"of {dollars(gathered[best])}: {best[:6]}…{best[-4:]}"


def _of_holding(figures: Figures) -> Iterable[Row]:
    yield "held", f"{figures.held.total():,}", f"of the conversions; {figures.late:,} of them were done later"
    for reason, count in figures.held.most_common():
        yield "", f"{count:,}", reason
    yield "kept", dollars(figures.kept.total()), "as gift tokens after all"


def _of_shops(dealings: Dealings) -> Iterable[Row]:
    yield (
        "bought",
        dollars(dealings.bought),
        f"{dealings.payments:,} payments in {counted(dealings.batches, 'batches')}",
    )
    budgets = f"{dollars(dealings.promised)} promised, of budgets of {dollars(dealings.budgets)}"
    yield "cashback", dollars(dealings.cashback), budgets
    names = [tier["name"] for tier in HUB_TIERS["tiers"]]
    ranks = ", ".join(f"{dealings.tiers[level]} {name}" for level, name in enumerate(names, start=1))
    yield "tiers", f"{sum(dealings.tiers.values()) - dealings.tiers[0]:,}", f"now, as badges on chain: {ranks}"
    yield "points", f"{dealings.points:,}", f"at one shop; {dealings.lapsed:,} have lapsed, after notice"
    yield "refunded", dollars(dealings.refunded), "by shops, with the cashback for it"
    yield "spent", dollars(dealings.spent), "of gift tokens, at shops"
    yield "paid out", dollars(dealings.paid_out), "to shops"


def _of_presents(dealings: Dealings) -> Iterable[Row]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(dealings.links.items()))
    yield "gift links", f"{dealings.links.total():,}", states
    credit, sent = dealings.presents
    yield "presents", f"{credit + sent:,}", f"{credit} of channel credit, {sent} of gift tokens"
    yield "reminders", f"{dealings.reminders:,}", "of what lay about"
    yield "transactions", f"{dealings.transactions:,}", "of the hub, on chain"


def trust(sound: bool) -> Table:
    result = _table(None, show_header=False)
    verdict = "[bold green]yes[/]" if sound else "[bold red]NO[/]"
    result.add_row("books = chain", verdict, "every hash, signature, root, proof, balance" if sound else "see below")
    return result


def _table(title: str | None, *, show_header: bool = True) -> Table:
    result = Table(title=title, title_justify="left", show_header=show_header, show_edge=False, pad_edge=False)
    result.box = box.HORIZONTALS
    return result
