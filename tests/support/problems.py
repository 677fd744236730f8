"""Looking closely at an error answer."""

import re
from typing import Any

import httpx

URN = "urn:taesan:problem:"


def assert_problem(answer: httpx.Response, type_: str, status: int) -> dict[str, Any]:
    """RFC 9457, with our type; returns its body."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"], answer.status_code) == (URN + type_, status, status), body
    language = answer.headers["content-language"]
    assert bool(re.search("[가-힣]", body["title"])) == (language == "ko"), body
    return body
