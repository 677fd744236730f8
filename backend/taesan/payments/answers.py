"""What a client is answered: one form for all routes that take payments."""

from collections.abc import Sequence

import msgspec
from fastapi import Response

from taesan.core.i18n import language_of, translate
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.payments.messages import Refusal, Result

_encode = msgspec.json.Encoder().encode


def single(result: Result) -> Response:
    """:raises Problem: the result, if it is one"""
    if isinstance(result, Refusal):
        raise result.problem()
    headers = {REPLAYED_HEADER: "true"} if result.replayed else None
    return Response(result.body, 201, headers, "application/json")


def bulk(results: Sequence[Result], accept_language: str | None) -> Response:
    language = language_of(accept_language)
    body = b'{"results":[' + b",".join(_item(r, language) for r in results) + b"]}"
    return Response(body, 200, None, "application/json")


def _item(result: Result, language: str) -> bytes:
    """`BulkResult` as JSON."""
    if isinstance(result, Refusal):
        problem = result.problem().body(translate(result.title, language))
        return _encode({"status": result.status, "replayed": False, "payment": None, "problem": problem})
    replayed = b"true" if result.replayed else b"false"
    return b'{"status":201,"replayed":' + replayed + b',"payment":' + result.body + b',"problem":null}'
