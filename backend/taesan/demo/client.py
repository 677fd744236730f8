"""What the demo asks the hub beside payments, which `taesan.client` makes: as a shop would, and patient."""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from taesan.client import signing
from taesan.client.signing import Signer
from taesan.core.clock import utc_now
from taesan.demo.processes import DemoFailed

PATIENCE_S = 90
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
JSON = dict[str, Any]


class Refused(DemoFailed):
    """The hub answered a request with a problem."""


class HubClient:
    """:param site: the hub's address
    :ivar http: for payers too. :param on_trouble: called before each new attempt; raises if there is no sense in trying on
    """

    def __init__(self, site: str, on_trouble: Callable[[], None] = lambda: None) -> None:
        self.site, self.on_trouble = site, on_trouble
        self.retries = 0
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self.http = httpx.AsyncClient(base_url=site, timeout=30, limits=limits, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def get(self, path: str, token: str | None = None) -> JSON:
        return await self._send("GET", path, None, {}, token)

    async def post(
        self, path: str, body: Mapping[str, Any], *, key: str | None = None, token: str | None = None
    ) -> JSON:
        """:param key: the `Idempotency-Key`: with it a lost answer is asked for again, and nothing happens twice"""
        return await self._send("POST", path, body, {"Idempotency-Key": key} if key else {}, token)

    async def put(self, path: str, body: Mapping[str, Any], token: str) -> JSON:
        return await self._send("PUT", path, body, {}, token)

    async def sign_in(self, key: Signer, chain_id: int) -> str:
        """Sign-in with Ethereum; returns the session's token."""
        nonce = (await self.post("/v1/auth/nonces", {}))["nonce"]
        body = signing.sign_in(key, self.site, chain_id, nonce, "Sign in to the Taesan demo.", utc_now())
        return str((await self.post("/v1/auth/sessions", body))["token"])

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: dict[str, str], token: str | None
    ) -> JSON:
        """Tries again while the hub does not answer or says 503; the same request with the same key.

        :raises Refused: it answered with a problem; :raises DemoFailed: it was away for too long
        """
        if token:
            headers["Authorization"] = f"Bearer {token}"
        deadline, pause = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S
        while True:
            try:
                answer = await self.http.request(method, path, json=body, headers=headers)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                trouble = "it answers 503"
            except httpx.TransportError as error:
                trouble = type(error).__name__
            self.on_trouble()
            if time.monotonic() > deadline:
                raise DemoFailed(f"the hub at {self.site} was away for {PATIENCE_S} s: {trouble}")
            self.retries += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        if answer.is_error:
            raise Refused(f"{method} {path} was refused: {answer.status_code} {answer.text[:500]}")
        result: JSON = answer.json()
        return result
