"""The hub as a paywall sees it: three questions over HTTP."""

import asyncio
import time
from typing import Any

import httpx

from taesan.paywall.terms import Json

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
    """:param hub: its URL, with or without `/x402`. :param client: to ask by; of httpx, made here if left out
    :param key: the merchant's API key: without one the hub counts what it is asked by the address that it is asked from"""

    def __init__(self, hub: str, client: httpx.AsyncClient | None = None, key: str | None = None) -> None:
        self._hub = hub.rstrip("/").removesuffix("/x402")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client = client or httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE_S, connect=5))
        self._kinds: dict[str, Json] = {}
        self._payees: dict[str, str] = {}
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def kinds(self) -> dict[str, Json]:
        """Scheme → what the hub settles, and its terms; kept for a while, and if the hub is silent for longer.

        :raises Unknown: the hub was never heard
        """
        async with self._reading:
            if not self._kinds or time.monotonic() - self._read_at > FACTS_FOR_S:
                try:
                    answer = await self._ask("GET", "/x402/supported")
                    self._kinds = {kind["scheme"]: kind for kind in answer["kinds"]}
                    self._read_at = time.monotonic()
                except (Unknown, Refused):
                    if not self._kinds:
                        raise
                    self._read_at = time.monotonic() - FACTS_FOR_S + AGAIN_AFTER_S  # they will have stayed as they were
            return self._kinds

    async def payee(self, merchant: str) -> str:
        """The merchant's payout address, which never changes. :raises Unknown, Refused: see there"""
        if merchant not in self._payees:
            self._payees[merchant] = (await self._ask("GET", f"/v1/merchants/{merchant}"))["address"]
        return self._payees[merchant]

    async def verify(self, payment: Json, wanted: Json) -> Json:
        """:raises Unknown, Refused: see there"""
        return await self._ask("POST", "/x402/verify", _asked(payment, wanted))

    async def settle(self, payment: Json, wanted: Json) -> Json:
        """:raises Unknown, Refused: see there"""
        return await self._ask("POST", "/x402/settle", _asked(payment, wanted))

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = await self._client.request(method, self._hub + path, json=body, headers=self._headers)
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
