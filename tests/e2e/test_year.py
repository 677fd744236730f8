"""`taesan demo --scenario year` in small: a few customers and months, every destination used, figures as books and chain have them."""

import re
import sqlite3
from pathlib import Path

from tests.support.chain import free_port
from tests.support.commands import run

CUSTOMERS, MONTHS = 10, 2
PLACES = ("gift tokens", "savings", "ether", "cash", "someone else", "collectibles")


def test_small_change_becomes_all_that_rules_say_and_the_audit_finds_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "year"
    code, output = run(
        *("demo", "--scenario", "year", "--customers", str(CUSTOMERS), "--months", str(MONTHS), "--exit"),
        *("--write", str(tmp_path / "year.md")),
        *("--chain-port", str(free_port()), "--port", str(free_port()), "--folder", str(folder)),
        timeout_s=300,
    )
    assert code == 0, output
    assert re.search(r"books = chain\s+yes", output), output

    page = (tmp_path / "year.md").read_text(encoding="utf-8")
    assert "finds no difference" in page
    became = {place: _dollars(place, output) for place in PLACES}
    assert all(amounts[0] > 0 for amounts in became.values()), output
    with sqlite3.connect(folder / "taesan.db") as db:
        done = dict(db.execute("SELECT kind, sum(amount) FROM conversion WHERE state = 'done' GROUP BY kind"))
        left = db.execute("SELECT count(*) FROM conversion WHERE state NOT IN ('done', 'kept')").fetchone()[0]
        ((rules, channels),) = db.execute("SELECT (SELECT count(*) FROM signed_rule), (SELECT count(*) FROM channel)")
        campaigns, tiers = (
            db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("campaign", "badge_update")
        )
    db.close()
    assert left == 0
    assert done.keys() == {"savings", "swap", "cash", "person", "collectible"}
    assert (rules, channels) == (
        CUSTOMERS,
        CUSTOMERS + 1,
    )  # the sponsor has one; one customer has two rules, one has none
    assert campaigns > 0
    assert tiers > 0
    for place, kind in (("savings", "savings"), ("ether", "swap"), ("cash", "cash"), ("someone else", "person")):
        assert became[place][1] == round(done[kind] / 10**6, 2), output
        assert re.search(rf"^\| {place} \| \$.*\| \${became[place][1]:,.2f} \|", page, re.MULTILINE), page


def _dollars(place: str, output: str) -> list[float]:
    """What a row says was gathered, moved and is worth now."""
    row = re.search(rf"^{place}\s.*$", output, re.MULTILINE)
    assert row, output
    return [float(amount.replace(",", "")) for amount in re.findall(r"\$([\d,]+\.\d\d)", row[0])]
