"""Books of an older revision go up, down and up again, and nothing is lost on the way."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient

from taesan.app import create_app
from taesan.core.db import MIGRATIONS, Database
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.settlement.audit import audit_own
from taesan.web.overview import counts, money
from tests.support.offline import facts_of, hub_on
from tests.support.wallet import Wallet

BOOKS = Path(__file__).parent / "books_at_0003.sql"
CENT = 10_000

# Table → columns whose values must be the same before and after.
KEPT = {
    "account": "id, name, kind, asset, side, balance",
    "batch": "id, state, payment_count, payments_root, entitlement_root, claimed, credited, entitled",
    "batch_claim": "*",
    "channel": "id, state, payer, payer_authorizer, charged, claim_total, claimed, voucher_signature",
    "entitlement": "*",
    "jar": "channel_id, round_up_step, trigger_count, trigger_value, payment_count",
    "jar_firing": "*",
    "journal_entry": "*",
    "merchant": "*",
    "payment": "id, public_id, channel_id, amount, cumulative, signature, destination, merchant_id, payee, batch_id",
    "posting": "entry_id, line, account_id, amount",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "old.db"
    _migrate(file, command.upgrade, "0003")
    with sqlite3.connect(file) as raw:
        raw.executescript(BOOKS.read_text())
    raw.close()
    return file


def _migrate(file: Path, move: Callable[[Config, str], None], revision: str) -> None:
    database = Database(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        move(config, revision)
    database.close()


def _kept(file: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(file) as raw:
        rows = {table: raw.execute(f"SELECT {columns} FROM {table}").fetchall() for table, columns in KEPT.items()}
    raw.close()
    return {table: sorted(found, key=repr) for table, found in rows.items()}


def _audited(file: Path) -> Hub:
    """The hub of today on these books, which it brings to its own revision."""
    hub = hub_on(f"sqlite:///{file}")
    report = Report()
    with hub.db.read() as session:
        audit_own(session, hub, report)
    assert report.differences == []
    assert report.counted["payments"] == 13
    assert report.counted["batches"] == 2
    return hub


def test_old_books_go_up_and_down_and_up(path: Path) -> None:
    before = _kept(path)
    assert all(before.values()), "a table without rows proves nothing"
    _audited(path).db.close()
    _migrate(path, command.downgrade, "0003")
    after = _kept(path)
    # Accounts that payments need are opened on the way up; empty ones do no harm.
    known = {row[0] for row in before["account"]}
    opened = [row for row in after["account"] if row[0] not in known]
    assert {row[-1] for row in opened} <= {0}
    after["account"] = [row for row in after["account"] if row[0] in known]
    assert after == before
    _audited(path).db.close()


def test_the_kept_figures_of_old_books_are_right(path: Path) -> None:
    hub = _audited(path)
    with hub.db.read() as session:
        figures, sums = counts(session), money(session, hub)
    hub.db.close()
    assert (figures["payments"], figures["payments_settled"], figures["payments_waiting"]) == (13, 10, 3)
    assert (figures["payers"], figures["merchants"], figures["batches"], figures["firings"]) == (3, 1, 2, 3)
    assert sums["accepted"] == sum(n * CENT for n in (23, 200, 80, 5, 7, 150, 1, 2, 3, 9, 30, 4, 1))
    assert sums["to_merchants"] == (200 + 7 + 9 + 30) * CENT


def test_an_old_payment_repeated_gets_its_first_answer_and_the_next_goes_on_from_it(path: Path) -> None:
    hub = _audited(path)
    client, facts, anna = TestClient(create_app(hub)), facts_of(hub), Wallet("anna")
    with hub.db.read() as session:
        connection = session.connection()
        (id_,) = connection.exec_driver_sql("SELECT id FROM channel WHERE payer = ?", (anna.address,)).one()

    def pay(key: str, amount: int, cumulative: int) -> Any:
        body = {
            "voucher": {
                "channel_id": id_,
                "max_claimable_amount": str(cumulative),
                "signature": anna.voucher(facts, id_, cumulative),
            },
            "amount": {"value": str(amount), "asset": facts["asset"], "exponent": 6},
            "destination": {"type": "jar"},
        }
        return client.post("/v1/payments", json=body, headers={"Idempotency-Key": key})

    again = pay("order-3", 80 * CENT, 303 * CENT)
    assert again.status_code == 201, again.text
    assert again.headers[REPLAYED_HEADER] == "true"
    assert again.json()["jar"] == {"gathered": str(3 * CENT), "payments": 0, "fired": str(100 * CENT)}
    charged = (23 + 200 + 80 + 9 + 4) * CENT
    fresh = pay("new", CENT, charged + CENT)
    assert fresh.status_code == 201, fresh.text
    assert fresh.json()["jar"] == {"gathered": str(8 * CENT), "payments": 2, "fired": None}
    hub.db.close()
