"""What a client does before and after it waits: flows, which `blocking.py` and `asynchronous.py` run."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from taesan.client.change import Change
from taesan.client.flows import Flows
from taesan.client.signing import Json, LocalKey, Signer
from taesan.client.sites import require_https
from taesan.client.state import Limits, State
from taesan.client.steps import Flow, Send
from taesan.core.clock import utc_now

NO_LIMITS = Limits()
PATIENCE_S, TIMEOUT_S = 60.0, 30.0
ONE_CHANNEL = "0x" + "00" * 32
A_MONTH = timedelta(days=30)


class BaseClient:
    """What both have in common.

    :param hub: its address, such as `https://hub.example`
    :param key: of the wallet that deposits: its secret as 0x-hex, or a `Signer`
    :param state: a file that remembers what was paid, or a `State`; without it all is forgotten at the end
    :param limits: what is paid at most
    :param hot_key: signs payments instead of the wallet; made, and kept in the state, if left out
    :param patience_s: how long an answer is asked for again before `Unanswered`
    :param salt: 32 bytes as 0x-hex: another one is another channel
    :param plain_http: whether hub and merchants outside this machine may do without https
    :param now: the clock that signatures go by
    :raises PlainHttp:
    """

    def __init__(
        self,
        hub: str,
        key: Signer | str,
        state: State | Path | str = ":memory:",
        limits: Limits = NO_LIMITS,
        hot_key: Signer | str | None = None,
        patience_s: float = PATIENCE_S,
        salt: str = ONE_CHANNEL,
        plain_http: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        require_https(hub, plain_http)
        wallet = LocalKey(key) if isinstance(key, str) else key
        self.state = state if isinstance(state, State) else State(state)
        self._owns_state = not isinstance(state, State)
        if hot_key is None:
            hot_key = self.state.hot_key(wallet.address)
        hot = LocalKey(hot_key) if isinstance(hot_key, str) else hot_key
        self._flows = Flows(hub.rstrip("/"), wallet, hot, self.state, limits, patience_s, salt, plain_http)
        self._flows.now = now
        self._change = Change(self._flows)

    @property
    def address(self) -> str:
        """The wallet's, EIP-55."""
        return self._flows.wallet.address

    @property
    def why_nothing(self) -> str | None:
        """Why the last `add_change` has put nothing into the jar; None: it has."""
        return self._change.why_nothing

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return self._flows.retries

    def _pay(
        self, amount: int, to: str | None, purchase: Json | None, reference: str | None, key: str | None
    ) -> Flow[Json]:
        destination = {"type": "jar"} if to is None else {"type": "merchant", "merchant_id": to}
        if to is not None and to.startswith("0x"):
            destination = {"type": "person", "address": to}
        elif to is not None and to.startswith("rul_"):
            destination = {"type": "jar", "rule_id": to}
        extra = {"purchase": purchase, "reference": reference}
        return self._flows.pay(amount, destination, {k: v for k, v in extra.items() if v is not None}, key)

    def _fetch(
        self, method: str, url: str, headers: dict[str, str] | None, content: bytes | None
    ) -> Flow[httpx.Response]:
        return self._flows.fetch(Send(method, url, None, headers or {}, content))

    def _channel(self) -> Flow[Json]:
        channel: Json = yield from self._flows.as_wallet("GET", f"/v1/channels/{(yield from self._flows.channel())}")
        return channel
