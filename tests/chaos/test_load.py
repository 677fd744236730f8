"""A small version of `make load`."""

from pathlib import Path

from tests.bench.payers import AMOUNT, facts_of
from tests.chaos.crowd import Client, Step, judge
from tests.chaos.load import ROLES, run
from tests.support import databases
from tests.support.offline import hub_on


def test_under_load_and_kills_every_payment_is_in_the_books_once_or_refused(tmp_path: Path) -> None:
    outcome = run(
        databases.here().new(tmp_path),
        tmp_path,
        payments=1_200,
        channels=40,
        kills=3,
        seed=20261122,
        connections=12,
    )
    assert outcome.wrong == {}
    assert outcome.differences == []
    assert outcome.kills == dict.fromkeys(ROLES, 1)
    counted = outcome.counted
    assert counted["accepted"] == 1_200 == outcome.audited["payments"]
    assert min(counted[what] for what in ("duplicates replayed", "stale refused", "forged refused")) > 5
    assert outcome.retries > 0, "nobody noticed the kills"


def test_the_judge_finds_what_is_wrong(tmp_path: Path) -> None:
    hub = hub_on(databases.here().new(tmp_path))
    client = Client(facts_of(hub, ["mer_1"] * 5), 0, 4, seed=1)
    hub.db.close()
    body = client.steps[0].body
    client.steps = [Step("good", f"k{n}", n, body, 201, ids={f"pay_{n}"}) for n in range(1, 5)]
    client.steps += [Step("stale", "late", 1, body, 409), Step("forged", "bad", 2, body, 403)]
    right = {f"k{n}": (f"pay_{n}", n * AMOUNT) for n in range(1, 5)}

    def wrong(rows: dict[str, tuple[str, int]]) -> dict[str, int]:
        found = judge([client], {client.payer.channel_id: rows})
        return {what: n for what, n in found.items() if what.startswith("wrong") and n}

    assert wrong(right) == {}
    assert wrong({key: row for key, row in right.items() if key != "k2"}) == {"wrong: missing": 1}
    assert wrong(right | {"k3": ("pay_x", 3 * AMOUNT)}) == {"wrong: other payment": 1}
    assert wrong(right | {"late": ("pay_x", AMOUNT)}) == {"wrong: refused and in the books": 1}
    assert wrong(right | {"else": ("pay_x", AMOUNT)}) == {"wrong: in the books and never sent": 1}
    client.steps[0].ids.add("pay_other")
    client.steps[4].status = 201
    assert wrong(right).keys() >= {"wrong: two answers for one key", "wrong: not refused"}
