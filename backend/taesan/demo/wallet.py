"""The demo's people. Their keys follow from their names, so they are for demos only."""

from collections.abc import Callable
from datetime import datetime

import httpx

from taesan.client import AsyncClient, HubFacts, LocalKey, State, signing
from taesan.client.steps import Send, Wait
from taesan.core.crypto import keccak

PATIENCE_S = 90
SALT = "0x" + "00" * 32


def key_of(name: str) -> LocalKey:
    """Whoever knows the name has the key."""
    return LocalKey(keccak(name.encode()))


class Payer(AsyncClient):
    """A customer with a wallet, and a hot key that can spend what is in the channel and nothing else.

    :param on_trouble: called when no answer comes; raises if there is no sense in trying on
    :ivar fired: what became gift tokens, minor units
    """

    def __init__(
        self, number: int, site: str, state: State, http: httpx.AsyncClient, on_trouble: Callable[[], None]
    ) -> None:
        name = f"taesan demo customer {number:05}"
        self.number, self.wallet, self.fired = number, key_of(name), 0
        self._on_trouble = on_trouble
        hot_key = key_of(f"{name} hot key")
        super().__init__(
            site, self.wallet, state, hot_key=hot_key, patience_s=PATIENCE_S, plain_http=True, http=http
        )  # everybody has these keys anyway

    async def _do(self, step: Send | Wait) -> httpx.Response | None:
        answer = await super()._do(step)
        if answer is None and isinstance(step, Send):
            self._on_trouble()
        return answer

    def redemption(self, facts: HubFacts, merchant_address: str, amount: int, now: datetime) -> signing.Json:
        """`POST /v1/redemptions`: gift tokens signed over to one merchant."""
        return signing.redemption(facts, self.wallet, merchant_address, amount, SALT, now)
