"""What a client is answered: one form for all routes that take payments."""

from collections.abc import Sequence

import msgspec
from fastapi import Response

from taesan.core.i18n import language_of, translate
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.core.problems import Problem
from taesan.payments.intake import Outcome

_encode = msgspec.json.Encoder().encode


def single(result: Outcome | Problem) -> Response:
    """:raises Problem: the result, if it is one"""
    if isinstance(result, Problem):
        raise result
    headers = {REPLAYED_HEADER: "true"} if result.replayed else None
    return Response(_encode(result.body), 201, headers, "application/json")


def bulk(results: Sequence[Outcome | Problem], accept_language: str | None) -> Response:
    language = language_of(accept_language)
    return Response(_encode({"results": [_item(r, language) for r in results]}), 200, None, "application/json")


def _item(result: Outcome | Problem, language: str) -> dict[str, object]:
    if isinstance(result, Problem):
        body = result.body(translate(result.title, language))
        return {"status": result.status, "replayed": False, "payment": None, "problem": body}
    return {"status": 201, "replayed": result.replayed, "payment": result.body, "problem": None}
