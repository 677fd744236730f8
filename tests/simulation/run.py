"""One run: a list of actions on a new service, and whether a promise was broken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.simulation.actions import Action
from tests.simulation.bugs import planted
from tests.simulation.moments import Violation
from tests.simulation.service import Service, service
from tests.simulation.world import World


@dataclass
class Outcome:
    """:ivar violation: empty if every promise was kept. :ivar done: so many actions were carried out
    :ivar end: a digest of books and chain, the same whenever the same seed and actions are run
    """

    violation: str = ""
    done: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    end: str = ""


def run(seed: int, actions: Sequence[Action], bug: str = "") -> Outcome:
    """:param seed: of ids, which mean nothing. :param bug: one of `bugs.BUGS`, planted for this run"""
    outcome = Outcome()
    with service(seed) as made, planted(bug, made):
        world = World(made)
        try:
            for action in actions:
                outcome.done += 1
                world.do(action)
            world.end()
        except Violation as violation:
            outcome.violation = str(violation)
        outcome.faults = world.faults
        outcome.counted = _counted(made)
        hashes = made.rows("SELECT hex(hash) FROM journal_entry ORDER BY id DESC LIMIT 1")
        outcome.end = f"{hashes[0][0] if hashes else ''} {made.chain.head.hash.hex()}"
    return outcome


def _counted(made: Service) -> Counter[str]:
    tables = {"payments": "payment", "batches": "batch", "payouts": "payout", "redemptions": "redemption"}
    counted = {what: made.rows(f"SELECT count(*) FROM {table}")[0][0] for what, table in tables.items()}
    return Counter(counted | {"blocks": made.chain.head.number, "starts": made.restarts})
