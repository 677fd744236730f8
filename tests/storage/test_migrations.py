"""The migrations lead to the tables that the models describe, and back."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import SQLModel

import taesan
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
    for module in pkgutil.walk_packages(taesan.__path__, "taesan."):
        if module.name.endswith(".models"):
            import_module(module.name)
    with migrated.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert differences == []


def test_migrating_twice_changes_nothing(migrated: Database) -> None:
    before = sorted(inspect(migrated.engine).get_table_names())
    migrated.migrate()
    assert sorted(inspect(migrated.engine).get_table_names()) == before


def test_all_migrations_can_be_undone(migrated: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with migrated.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(migrated.engine).get_table_names() == ["alembic_version"]
