"""The hub as a paywall sees it: three questions over HTTP."""

import asyncio
import time
from typing import Any

import httpx

from taesan.paywall.terms import SCHEME, Json

PATIENCE_S = 75  # the hub waits for a deposit at most as long as an offer allows
FACTS_FOR_S, AGAIN_AFTER_S = 300, 10


class Unknown(Exception):
    """What became of a payment, nobody can tell now: neither paid nor refused. :ivar retry_after_s: when to ask again"""

    def __init__(self, why: str, retry_after_s: int = 2) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The hub does not look at this payment, such as for a name that was used twice. :ivar problem: RFC 9457"""

    def __init__(self, problem: Json, status: int, headers: dict[str, str]) -> None:
        super().__init__(problem.get("title", ""))
        self.problem, self.status, self.headers = problem, status, headers


class Facilitator:
    """:param hub: its URL, with or without `/x402`. :param client: to ask by; of httpx, made here if left out"""

    def __init__(self, hub: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = hub.rstrip("/").removesuffix("/x402") + "/x402"
        self._client = client or httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE_S, connect=5))
        self._kind: Json | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def kind(self) -> Json:
        """What the hub settles, and its terms; kept for a while, and if the hub is silent for longer.

        :raises Unknown: the hub was never heard
        """
        async with self._reading:
            if self._kind is None or time.monotonic() - self._read_at > FACTS_FOR_S:
                try:
                    answer = await self._ask("GET", "/supported")
                    self._kind = next(kind for kind in answer["kinds"] if kind["scheme"] == SCHEME)
                    self._read_at = time.monotonic()
                except (Unknown, Refused):
                    if self._kind is None:
                        raise
                    self._read_at = time.monotonic() - FACTS_FOR_S + AGAIN_AFTER_S  # they will have stayed as they were
            return self._kind

    async def verify(self, payment: Json, wanted: Json) -> Json:
        """:raises Unknown, Refused: see there"""
        return await self._ask("POST", "/verify", _asked(payment, wanted))

    async def settle(self, payment: Json, wanted: Json) -> Json:
        """:raises Unknown, Refused: see there"""
        return await self._ask("POST", "/settle", _asked(payment, wanted))

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = await self._client.request(method, self._url + path, json=body)
            told: Any = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unknown(f"the hub does not answer {path}: {error!r}") from error
        if answer.status_code == httpx.codes.OK and isinstance(told, dict):
            return told
        wait = answer.headers.get("retry-after", "")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or not isinstance(told, dict):
            raise Unknown(f"the hub answers {path} with {answer.status_code}", int(wait) if wait.isdigit() else 2)
        raise Refused(told, answer.status_code, {"retry-after": wait} if wait else {})


def _asked(payment: Json, wanted: Json) -> Json:
    return {"x402Version": 2, "paymentPayload": payment, "paymentRequirements": wanted}
