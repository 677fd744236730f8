"""The migrations lead to the tables that the models describe, and back."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import SQLModel

from taesan.core.db import MIGRATIONS, Database
from tests.support import databases

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Database]:
    database = Database(databases.here().new(tmp_path))
    database.migrate()
    yield database
    database.close()


def test_a_migrated_database_has_exactly_the_tables_of_the_models(migrated: Database) -> None:
    for name in ("taesan.app", "taesan.work"):  # and with them all that has tables
        import_module(name)
    with migrated.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert differences == []


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    before = sorted(inspect(migrated.engine).get_table_names())
    migrated.migrate()
    assert sorted(inspect(migrated.engine).get_table_names()) == before


def test_all_migrations_can_be_undone(migrated: Database) -> None:
    _migrate(migrated, command.downgrade, "base")
    assert inspect(migrated.engine).get_table_names() == ["alembic_version"]


BEFORE_GROUPS = [
    "INSERT INTO account (id, name, kind, asset, side, balance) VALUES "
    "(1, 'escrow:usd', 'escrow', 'usd', 1, 500), (2, 'channel:c1:usd', 'channel', 'usd', -1, -470), "
    "(3, 'jar:c1:usd', 'jar', 'usd', -1, -30)",
    "INSERT INTO channel (id, state, payer, payer_authorizer, receiver, receiver_authorizer, token, withdraw_delay, "
    "salt, charged, claim_total, claimed, voucher_signature, opened_at) VALUES "
    "('c1', 'open', 'p', 'k', 'r', 'o', 't', 900, 's', 30, 0, 0, '0xaa', '2026-11-01 12:00:00')",
    "INSERT INTO payment (id, public_id, channel_id, amount, cumulative, signature, destination, payee, accepted_at) "
    "VALUES (1, 'pay_1', 'c1', 30, 30, '0xaa', 'jar', 'p', '2026-11-01 12:00:00')",
    "INSERT INTO journal_entry (id, ref, kind, posted_at, hash) VALUES "
    "(1, 'deposit:1', 'deposit', '2026-11-01 12:00:00', 'h'), (2, 'payment:pay_1', 'payment', '2026-11-01 12:00:00', 'h')",
    "INSERT INTO posting (entry_id, line, account_id, amount) VALUES "
    "(1, 0, 1, 500), (1, 1, 2, -500), (2, 0, 2, 30), (2, 1, 3, -30)",
    "INSERT INTO idempotency_key (scope, key, fingerprint, status, body, created_at) VALUES ('payment:c1', 'order-1', 'f', "
    """201, '{"id": "pay_1", "jar": {"gathered": "30", "payments": 1, "fired": null}}', '2026-11-01 12:00:00')""",
]


def test_what_was_stored_before_payments_came_in_groups_is_moved_and_back(tmp_path: Path) -> None:
    database = Database(databases.here().new(tmp_path))

    def rows(sql: str) -> list[tuple[object, ...]]:
        with database.read() as session:
            return [tuple(row) for row in session.connection().exec_driver_sql(sql)]

    _migrate(database, command.upgrade, "0003")
    databases.execute(database.url, *BEFORE_GROUPS)
    _migrate(database, command.upgrade, "0004")
    assert rows("SELECT account_id, amount FROM balance ORDER BY 1") == [(1, 500), (2, 470), (3, 30)]
    assert rows("SELECT account_id, jar_account_id FROM channel") == [(2, 3)]
    stored = "idempotency_key, entry_id, jar_gathered, jar_payments, jar_fired"
    assert rows(f"SELECT {stored} FROM payment") == [("order-1", 2, 30, 1, None)]
    assert rows("SELECT * FROM turnover ORDER BY entry_kind, account_kind") == [
        ("deposit", "channel", "usd", 0, 500),
        ("deposit", "escrow", "usd", 500, 0),
        ("payment", "channel", "usd", 30, 0),
        ("payment", "jar", "usd", 0, 30),
    ]
    _migrate(database, command.upgrade, "head")
    _migrate(database, command.downgrade, "0003")
    assert rows("SELECT id, balance FROM account ORDER BY id") == [(1, 500), (2, -470), (3, -30)]
    assert rows("SELECT voucher_signature FROM channel") == [("0xaa",)]
    database.close()


def _new_channel(id_: str, **more: object) -> str:
    values = {
        "id": id_,
        "state": "pending",
        "payer": "p",
        "payer_authorizer": "k",
        "receiver": "r",
        "receiver_authorizer": "o",
        "token": "t",
        "withdraw_delay": 900,
        "salt": id_,
        "claim_total": 0,
        "claimed": 0,
        "opened_at": "2026-11-01 12:00:00",
    } | more
    return f"INSERT INTO channel ({', '.join(values)}) VALUES ({', '.join(map(repr, values.values()))})"


def test_channels_that_were_pending_when_nobody_had_deposited_get_accounts(tmp_path: Path) -> None:
    database = Database(databases.here().new(tmp_path))
    _migrate(database, command.upgrade, "0003")
    binding = "INSERT INTO chain_binding VALUES (1, 31337, '0x1', '0xAsset', '0x2', '0x3')"
    databases.execute(database.url, binding, *(_new_channel(id_, charged=0) for id_ in ("c1", "c2")))
    _migrate(database, command.upgrade, "head")
    with database.read() as session:
        of_channels = "SELECT {0}.name FROM channel JOIN account {0} ON {0}.id = channel.{1} ORDER BY channel.id"
        for kind, column in (("channel", "account_id"), ("jar", "jar_account_id")):
            names = session.connection().exec_driver_sql(of_channels.format("a", column)).scalars().all()
            assert names == [f"{kind}:{id_}:eip155:31337/erc20:0xAsset" for id_ in ("c1", "c2")]
    database.close()


def test_jars_with_a_rule_alone_or_a_count_alone_go_down(tmp_path: Path) -> None:
    database = Database(databases.here().new(tmp_path))
    database.migrate()
    databases.execute(
        database.url,
        _new_channel("rule", account_id=1, jar_account_id=2),
        _new_channel("count", account_id=3, jar_account_id=4),
        _new_channel("both", account_id=5, jar_account_id=6),
        _new_channel("neither", account_id=7, jar_account_id=8),
        "INSERT INTO charged VALUES (1, 0), (3, 0), (5, 0), (7, 0)",
        "INSERT INTO jar (channel_id, round_up_step, trigger_count, updated_at) VALUES "
        "('rule', 500000, 7, '2026-11-01 12:00:00'), ('both', 500000, 7, '2026-11-01 12:00:00')",
        "INSERT INTO jar_count (account_id, payments) VALUES (4, 3), (6, 5)",
    )
    _migrate(database, command.downgrade, "0004")
    with database.read() as session:
        found = "SELECT channel_id, round_up_step, trigger_count, trigger_value, payment_count FROM jar ORDER BY 1"
        assert [tuple(row) for row in session.connection().exec_driver_sql(found)] == [
            ("both", 500_000, 7, None, 5),
            ("count", 1_000_000, 100, 1_000_000, 3),
            ("rule", 500_000, 7, None, 0),
        ]
    _migrate(database, command.upgrade, "head")
    database.close()


def test_who_has_a_tier_has_what_it_does_to_round_ups(tmp_path: Path) -> None:
    database = Database(databases.here().new(tmp_path))
    _migrate(database, command.upgrade, "0021")
    programme = "INSERT INTO loyalty_programme (owner, unit, time_zone, definition, from_payment, made_at) VALUES "
    member = "INSERT INTO loyalty_member (owner, payer, tier, looked, badge, since) VALUES "
    tiers = '{"tiers": [{"round_up": 15000}, {"round_up": 20000}]}'
    at = "2026-11-01 12:00:00"
    databases.execute(
        database.url,
        f"{programme} ('', 'month', 'UTC', '{{\"tiers\": []}}', 0, '{at}')",
        f"{programme} ('', 'month', 'UTC', '{tiers}', 0, '{at}')",
        f"{programme} ('m', 'month', 'UTC', '{tiers}', 0, '{at}')",
        *(f"{member} ('{owner}', '{payer}', {tier}, 1, 0, '{at}')" for owner, payer, tier in _MEMBERS),
    )
    _migrate(database, command.upgrade, "head")
    with database.read() as session:
        found = session.connection().exec_driver_sql("SELECT payer, owner, tier, multiplier FROM round_up_perk").all()
    assert sorted(map(tuple, found)) == [("a", "hub", 1, 15_000), ("a", "m", 3, 20_000)]
    database.close()


def test_points_are_of_the_time_of_their_payment(tmp_path: Path) -> None:
    database = Database(databases.here().new(tmp_path))
    _migrate(database, command.upgrade, "0003")
    databases.execute(database.url, *BEFORE_GROUPS)
    _migrate(database, command.upgrade, "0031")
    columns = "member_id, source, points, remaining, expires_at, lapsed"
    lot = f"INSERT INTO loyalty_points ({columns}) VALUES (7, 'pay_1', 30, 30, '2027-01-01 12:00:00', false)"
    databases.execute(database.url, lot)
    _migrate(database, command.upgrade, "head")
    with database.read() as session:
        found = session.connection().exec_driver_sql(
            "SELECT p.accepted_at = l.paid_at FROM loyalty_points l JOIN payment p ON p.public_id = l.source"
        )
        assert [bool(same) for (same,) in found] == [True]
    _migrate(database, command.downgrade, "0031")
    database.close()


_MEMBERS = [("", "a", 1), ("", "b", 0), ("m", "a", 3)]


def _migrate(database: Database, direction: Callable[[Config, str], None], to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        direction(config, to)
