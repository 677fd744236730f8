"""What a client is answered: one form for all routes that take payments."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from fastapi import Response

from taesan.core.i18n import language_of, translate
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.payments.messages import Refusal, Result

_encode = msgspec.json.Encoder().encode


_JSON = ((b"content-type", b"application/json"),)
_REPLAYED = (*_JSON, (REPLAYED_HEADER.lower().encode(), b"true"))


class Answer(NamedTuple):
    """:ivar headers: as ASGI has them, without the content's length"""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = _JSON

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        return [*self.headers, (b"content-length", b"%d" % len(self.body))]

    def response(self) -> Response:
        response = Response(self.body, self.status)
        response.raw_headers = self.all_headers()
        return response


def single(result: Result) -> Answer:
    """:raises Problem: the result, if it is one"""
    if isinstance(result, Refusal):
        raise result.problem()
    return Answer(201, result.body, _REPLAYED if result.replayed else _JSON)


def bulk(results: Sequence[Result], accept_language: str | None) -> Answer:
    language = language_of(accept_language)
    return Answer(200, b'{"results":[' + b",".join([_item(r, language) for r in results]) + b"]}")


def _item(result: Result, language: str) -> bytes:
    """`BulkResult` as JSON."""
    if isinstance(result, Refusal):
        problem = result.problem()
        return _encode(
            {
                "status": result.status,
                "replayed": False,
                "payment": None,
                "problem": problem.body(translate(result.title, language)),
                "retry_after": problem.retry_after_s,
            }
        )
    replayed = b"true" if result.replayed else b"false"
    return (
        b'{"status":201,"replayed":' + replayed + b',"payment":' + result.body + b',"problem":null,"retry_after":null}'
    )
