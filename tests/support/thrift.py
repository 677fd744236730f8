"""What a process has once, and each test's hub would make anew: compiled statements, an event loop, the authorities."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import sqlalchemy
from anyio.from_thread import BlockingPortal, start_blocking_portal
from httpx._transports import default
from sqlalchemy import Engine

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

STATEMENTS = 4_000  # there are some hundreds of different ones
_portals: list[BlockingPortal] = []


@contextmanager
def compiled_once() -> Iterator[None]:
    """Meanwhile all engines of one kind of database are one in what they know of statements and types."""
    firsts: dict[str, Engine] = {}

    @functools.wraps(sqlalchemy.create_engine)
    def create_engine(url: str, **options: Any) -> Engine:
        engine = sqlalchemy.create_engine(url, query_cache_size=STATEMENTS, **options)
        first = firsts.setdefault(engine.name, engine)
        engine.dialect = engine.pool._dialect = first.dialect
        engine._compiled_cache = first._compiled_cache
        return engine

    with mock.patch("taesan.core.db.create_engine", create_engine):
        yield


@contextmanager
def one_list_of_authorities() -> Iterator[None]:
    """Meanwhile httpx reads the world's certificate authorities once, not for each client, which takes 30 ms."""
    context = functools.cache(default.create_ssl_context)
    with mock.patch.object(default, "create_ssl_context", context):
        yield


@contextmanager
def one_loop() -> Iterator[None]:
    """Meanwhile there is one for `client_of`."""
    with start_blocking_portal() as portal:
        _portals[:] = [portal]
        yield


def client_of(app: "FastAPI", **options: Any) -> "TestClient":
    """Its requests run on one loop, with its threads, as a server's do; TestClient alone makes a loop for each."""
    from fastapi.testclient import TestClient

    client = TestClient(app, **options)
    client.portal = _portals[0]
    return client
