"""A merchant's wallet towards its hub: it makes the account and its API keys, which do all the rest.

cafe = MerchantWallet("https://hub.example", key="0x…")
made = cafe.create("Café Dust")     # its id, and the first API key, shown this once
cafe.add_key("Till 2", scopes=["invoices:write", "refunds:write"])
"""

from collections.abc import Sequence
from typing import Any

import httpx

from taesan.client.base import PATIENCE_S
from taesan.client.blocking import Client
from taesan.client.signing import Json, Signer


class MerchantWallet:
    """What it raises: `Refused`, such as `merchant-exists`, and `Unanswered`.

    :param hub: its address, such as `https://hub.example`
    :param key: of the wallet that is paid out to: its secret as 0x-hex, or a `Signer`
    :param patience_s: how long an answer is asked for again
    :param plain_http: whether a hub outside this machine may do without https
    """

    def __init__(
        self,
        hub: str,
        key: Signer | str,
        patience_s: float = PATIENCE_S,
        http: httpx.Client | None = None,
        plain_http: bool = False,
    ) -> None:
        self._client = Client(hub, key, patience_s=patience_s, http=http, plain_http=plain_http)

    @property
    def address(self) -> str:
        """The wallet's, EIP-55."""
        return self._client.address

    def create(self, name: str) -> Json:
        """Makes the wallet a merchant: `id`, and `api_key`, which may do everything and is shown this once."""
        return dict(self._asked("POST", "/v1/merchants", {"name": name}))

    def list_keys(self) -> list[Json]:
        """Its API keys, oldest first, without their secrets."""
        return list(self._asked("GET", "/v1/merchants/me/keys"))

    def add_key(
        self, name: str | None = None, scopes: Sequence[str] | None = None, expires_in_s: int | None = None
    ) -> Json:
        """A further `api_key`. :param scopes: what it may do; None: everything. :param expires_in_s: None: never"""
        wanted = {"name": name, "scopes": list(scopes) if scopes else None, "expires_in_s": expires_in_s}
        return dict(self._asked("POST", "/v1/merchants/me/keys", wanted))

    def rotate_key(self, key_id: str, overlap_s: int) -> Json:
        """A new `api_key` in place of one (`key_…`), which is good for `overlap_s` seconds more."""
        return dict(self._asked("POST", f"/v1/merchants/me/keys/{key_id}/rotate", {"overlap_s": overlap_s}))

    def revoke_key(self, key_id: str) -> None:
        """Ends a key (`key_…`) at once."""
        self._asked("DELETE", f"/v1/merchants/me/keys/{key_id}")

    def _asked(self, method: str, path: str, body: Json | None = None) -> Any:
        return self._client.as_wallet(method, path, body)
