"""Nothing that is kept of a person is forgotten when it is exported or erased."""

import ast
from importlib import import_module
from typing import Any

from sqlmodel import SQLModel

from taesan.insights import privacy
from taesan.insights.models import Erasure
from tests.support.source import modules


def _tables() -> set[Any]:
    """Of the insights."""
    for module in modules():
        classes = [node for node in module.nodes if isinstance(node, ast.ClassDef)]
        if module.domain == "insights" and any(k.arg == "table" for node in classes for k in node.keywords):
            import_module(module.name)
    mapped = {mapper.class_ for mapper in SQLModel._sa_registry.mappers}
    return {table for table in mapped if table.__module__.startswith("taesan.insights.")}


def test_each_table_with_an_owner_is_exported_and_erased() -> None:
    owned = {table for table in _tables() if "owner" in table.__table__.columns}
    assert owned - {Erasure} == set(privacy.PERSONAL)


def test_what_is_a_persons_is_found_by_an_index() -> None:
    indexed = {
        table for table in privacy.PERSONAL for index in table.__table__.indexes if index.columns.keys()[0] == "owner"
    }  # type: ignore[attr-defined]
    assert indexed == set(privacy.PERSONAL)
