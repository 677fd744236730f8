"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the first answer is kept with its effect and given again."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import insert
from sqlmodel import Session

from taesan.core import models
from taesan.core.crashpoints import reach
from taesan.core.db import Database, retried
from taesan.core.problems import Problem
from taesan.core.values import canonical_json

MAX_KEY = 128
_FORM: dict[str, Any] = {"min_length": 1, "max_length": MAX_KEY, "pattern": r"^[\x21-\x7e]+$"}
IdempotencyKey = Annotated[str, Field(**_FORM, examples=["order-1177"])]
IdempotencyKeyHeader = Annotated[
    str,
    Header(
        **_FORM,
        alias="Idempotency-Key",
        description="Chosen by the client, new for each intended effect, the same for each retry",
    ),
]
REPLAYED_HEADER = "Idempotent-Replayed"


def fingerprint(body: Any) -> str:
    """What makes two requests the same: their parsed body."""
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


def key_reused() -> Problem:
    return Problem(
        "idempotency-key-reused",
        422,
        "This Idempotency-Key was used for a different request.",
        "Send a new key for a new request; the same key only to repeat the very same one.",
    )


def replay(session: Session, scope: str, key: str, print_: str) -> models.IdempotencyKey | None:
    """The first answer to this key, or None if it is new.

    :raises Problem: `idempotency-key-reused` if the key came with another body before
    """
    known = session.get(models.IdempotencyKey, (scope, key))
    if known is not None and known.fingerprint != print_:
        raise key_reused()
    return known


def is_known(session: Session, scope: str, key: str) -> bool:
    """Whether it came before, with whatever body."""
    return session.get(models.IdempotencyKey, (scope, key)) is not None


def remember(
    session: Session, scope: str, key: str, print_: str, status: int, body: dict[str, Any], now: datetime
) -> None:
    """Keeps the answer; to be called in the transaction of the effect."""
    session.execute(
        insert(models.IdempotencyKey).values(
            scope=scope, key=key, fingerprint=print_, status=status, body=body, created_at=now
        )
    )


@retried
def once(
    db: Database,
    scope: str,
    key: str,
    request: BaseModel,
    now: datetime,
    effect: Callable[[Session], BaseModel],
    *,
    closed: Callable[[Session], Problem | None],
    check: Callable[[], None] = lambda: None,
    status: int = 201,
) -> JSONResponse:
    """Does a money request's effect once, in one transaction with its kept answer; a repetition gets that answer.

    :param scope: whose keys these are, such as a channel id: two clients may choose the same key
    :param closed: why nothing new is done at the moment, if so
    :param check: what is costly or asks the node; done for new requests only, outside the writing transaction
    :raises Problem: as `check` and `effect`, `closed`, or `idempotency-key-reused`; nothing is stored then
    """
    print_ = fingerprint(request.model_dump(mode="json"))
    with db.read() as session:
        known = replay(session, scope, key, print_)
        if known is None and (problem := closed(session)):
            raise problem
    if known is not None:
        return _again(known)
    check()
    with taking(db) as session:
        known = replay(session, scope, key, print_)  # another request may have been faster
        if known is not None:
            return _again(known)
        if problem := closed(session):
            raise problem
        body = effect(session).model_dump(mode="json")
        remember(session, scope, key, print_, status, body, now)
    return JSONResponse(body, status)


@contextmanager
def taking(db: Database) -> Iterator[Session]:
    """The transaction of a money request's effect."""
    with db.write() as session:
        yield session
        reach("request.before_commit")
    reach("request.after_commit")


def _again(known: models.IdempotencyKey) -> JSONResponse:
    return JSONResponse(known.body, known.status, {REPLAYED_HEADER: "true"})
