"""What the small change became: recomputed from the hub's books and from the chain, and held against each other."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain import dex
from taesan.conversions.models import Conversion
from taesan.core.values import hex_of
from taesan.demo.year import people
from taesan.demo.year.cast import Customer, friend_of
from taesan.demo.year.scene import Scene
from taesan.jars import rules
from taesan.jars.models import JarFiring
from taesan.jars.rule_models import SignedRule
from taesan.jars.signed import KINDS, WALLET
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments.models import Payment

DONE, KEPT = "done", "kept"


@dataclass
class Became:
    """Of one kind of destination, for one customer or for all. Amounts in minor units of the dollar, but `received`.

    :ivar gathered: what fired for it. :ivar moved: what the chain says that left her wallet for it. :ivar times: how often
    :ivar received: what the chain says that came of it, in its own unit. :ivar worth: now
    """

    gathered: int = 0
    moved: int = 0
    times: int = 0
    received: int = 0
    worth: int = 0

    def add(self, other: "Became") -> None:
        for name in ("gathered", "moved", "times", "received", "worth"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


Of = dict[str, Became]
"""By the kind of destination."""


@dataclass
class Figures:
    """:ivar of: by customer's address. :ivar kept: kind → what its owners keep as gift tokens instead, minor units
    :ivar jars: what has not fired yet. :ivar held: reason → how often. :ivar late: held, and done later
    :ivar ether: its price at first and now
    """

    of: dict[str, Of]
    jars: int
    kept: Counter[str]
    held: Counter[str]
    late: int
    ether: tuple[int, int]
    report: Report = field(default_factory=Report)

    @property
    def all(self) -> Of:
        total: Of = {kind: Became() for kind in KINDS}
        for hers in self.of.values():
            for kind, became in hers.items():
                total[kind].add(became)
        return total


def recompute(story: Scene) -> Figures:
    """Everything, and every difference between books, chain and what customers have."""
    report = Report()
    of: dict[str, Of] = {c.address: {kind: Became() for kind in KINDS} for c in story.customers}
    with story.world.hub.db.read() as session:
        _read_fired(session, story, of)
        _read_converted(session, story, of, report)
        jars = _check_jars(session, story, of, report)
        kept, late = _check_conversions(session, of, report)
    _read_chain(story, of, report)
    ether = story.price_at_first, story.market.price()
    return Figures(of, jars, kept, Counter(story.held.values()), late, ether, report)


# ------------------------------------------------------------------------- books


def _read_fired(session: Session, story: Scene, of: dict[str, Of]) -> None:
    """What each firing was split into; without a signed rule all of it stays in the wallet."""
    owners = {customer.channel_id: customer.address for customer in story.customers}
    for firing in session.scalars(select(JarFiring).where(~col(JarFiring.returned)).order_by(col(JarFiring.id))):
        if owners.get(firing.channel_id) != firing.account:
            continue  # out of somebody's channel for another person: a present, and no small change
        hers = of[firing.account]
        for part in rules.parts_of(session, firing):
            hers[part.destination.kind].gathered += part.amount
        if firing.rule_id is None:
            hers[WALLET].gathered += firing.amount


def _check_jars(session: Session, story: Scene, of: dict[str, Of], report: Report) -> int:
    """What came into the jars has fired, or is in them still, minor units."""
    chart = story.world.hub.chart
    paid = select(col(Payment.payee), func.sum(Payment.amount)).where(col(Payment.destination) == "jar")
    came: dict[str, int] = dict(session.execute(paid.group_by(col(Payment.payee))).all())
    left = 0
    for customer in story.customers:
        in_jar = posting.balance(session, chart.jar(customer.channel_id))
        fired = sum(became.gathered for became in of[customer.address].values())
        report.check(f"what {customer.name} has gathered", came.get(customer.address, 0), fired + in_jar)
        left += in_jar
    return left


def _check_conversions(session: Session, of: dict[str, Of], report: Report) -> tuple[Counter[str], int]:
    """What fired was moved, or is kept by its owner: nothing else. Returns that by kind, and how many were held before."""
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    kept: Counter[str] = Counter()
    late = 0
    for row in session.scalars(select(Conversion).order_by(col(Conversion.id))):
        sums[row.payer, row.kind, row.state] += row.amount
        kept[row.kind] += row.amount * (row.state == KEPT)
        late += row.state == DONE and row.attempts > 0
    for payer, hers in of.items():
        for kind in set(KINDS) - {WALLET}:
            done, has_kept = sums[payer, kind, DONE], sums[payer, kind, KEPT]
            report.check(f"{kind} of {payer}, done or kept", hers[kind].gathered, done + has_kept)
            if kind != "collectible":  # which costs what it costs; the rest stays in the wallet
                report.check(f"{kind} of {payer}, on chain", done, hers[kind].moved)
    return kept, late


def _read_converted(session: Session, story: Scene, of: dict[str, Of], report: Report) -> None:
    """What the standing orders tell on the chain, from its first block on."""
    world, contracts = story.world, story.world.contracts
    signed = {(rule.payer, rule.number): rule.signed for rule in session.scalars(select(SignedRule))}
    last = int(world.node.head()["number"])
    logs = world.node.logs([contracts.deployment.standing_orders], contracts.deployment.block_number, last)
    for event in contracts.decode_logs(logs):
        if event.name != "standing_orders.Converted":
            continue
        rule = signed.get((event.args["payer"], event.args["id"]))
        if rule is None:
            report.differences.append(f"{event.args} was converted by no rule that is known")
            continue
        hers = of[rule.payer][rule.destinations[event.args["destination"]].kind]
        hers.moved += event.args["amount"]
        hers.received += event.args["received"]
        hers.times += 1


# ------------------------------------------------------------------------- chain


def _read_chain(story: Scene, of: dict[str, Of], report: Report) -> None:
    """What is there now, and what it is worth, for each customer."""
    asset, ether = story.world.contracts.deployment.asset, story.market.ether
    customers = story.customers
    found = {
        "savings": _ask(story, "vault", "balanceOf", [(c.address,) for c in customers]),
        "collectible": _ask(story, "badges", "balanceOf", [(c.address, people.COLLECTIBLE) for c in customers]),
        "person": _ask(story, "gift_token", "balanceOf", [(friend_of(c),) for c in customers]),
        "cash": _balances(story, asset, customers),
        "swap": _balances(story, ether, customers),
    }
    for kind, amounts in found.items():
        for customer, amount in zip(customers, amounts, strict=True):
            report.check(f"{kind} of {customer.name}", of[customer.address][kind].received, amount)
    shares = [(amount,) for amount in found["savings"]]
    for customer, worth in zip(customers, _ask(story, "vault", "convertToAssets", shares), strict=True):
        hers = of[customer.address]
        hers["savings"].worth = worth
        hers["swap"].worth = story.market.worth(hers["swap"].received)
        for kind in ("cash", "person", "collectible"):
            hers[kind].worth = hers[kind].moved
        kept = sum(became.gathered - became.moved for kind, became in hers.items() if kind != WALLET)
        hers[WALLET].worth = hers[WALLET].gathered + kept
    in_vault = story.world.read("vault", "totalAssets")
    saved = sum(hers["savings"].worth for hers in of.values())
    report.check("savings within what the vault has", True, saved <= in_vault)


def _ask(story: Scene, role: str, function: str, of: Sequence[tuple[Any, ...]]) -> list[int]:
    contracts = story.world.contracts
    to = getattr(contracts.deployment, role)
    return _numbers(story, [(to, contracts.encode(role, function, *arguments)) for arguments in of])


def _balances(story: Scene, token: str, customers: Sequence[Customer]) -> list[int]:
    return _numbers(story, [(token, dex.call("balanceOf(address)", customer.address)) for customer in customers])


def _numbers(story: Scene, calls: list[tuple[str, str]]) -> list[int]:
    node = story.world.node
    return [int(hex_of(answer), 16) for answer in node.call_many(calls, int(node.head()["number"]))]
