"""Alembic's entry. `Database.migrate` passes its connection."""

import pkgutil
from importlib import import_module
from typing import Any

from alembic import context
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import taesan
from taesan.core.models import UtcDateTime

for module in pkgutil.walk_packages(taesan.__path__, "taesan."):
    if module.name.endswith(".models"):
        import_module(module.name)


def render_item(type_: str, item: Any, _context: Any) -> Any:
    """Migrations name the database's own types, so that they keep working when our Python types move."""
    if type_ == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if type_ == "type" and isinstance(item, AutoString):
        return "sa.String()"
    return False


context.configure(
    connection=context.config.attributes["connection"], target_metadata=SQLModel.metadata, render_item=render_item
)
with context.begin_transaction():
    context.run_migrations()
