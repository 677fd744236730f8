"""Route dependencies that tell who is asking."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from taesan.hub import HubDep
from taesan.identity import auth, keys
from taesan.identity.models import ApiKey, Merchant
from taesan.identity.scopes import Scope

_session = HTTPBearer(auto_error=False, scheme_name="wallet session", description="A token from POST /v1/auth/sessions")
_key = HTTPBearer(
    auto_error=False,
    scheme_name="merchant API key",
    description="`tsk_test_…` or `tsk_live_…`, as `mode` in `GET /v1/hub` says; or the session of the merchant's own wallet, which "
    "may do everything",
)


def _token(bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_session)]) -> str:
    return bearer.credentials if bearer else ""


SessionToken = Annotated[str, Depends(_token)]
"""What came along as a session's token, whether it is one or not."""


def _wallet(hub: HubDep, token: SessionToken) -> str:
    with hub.db.read() as session:
        return auth.address_of(session, token, hub.clock.now())


class Caller(NamedTuple):
    """:ivar key: what came along; None: the merchant's own wallet has signed in, who could make itself any key"""

    merchant: Merchant
    key: ApiKey | None


def _caller(hub: HubDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_key)]) -> Iterator[Caller]:
    now = hub.clock.now()
    token = bearer.credentials if bearer else ""
    with hub.db.read() as session:
        wallet = None if token.startswith(keys.PREFIX) else auth.find_address(session, token, now)
        if wallet is not None:
            caller = Caller(keys.merchant_of_wallet(session, wallet), None)
        else:
            key = keys.authenticate(session, token, hub.mode, now)
            caller = Caller(session.get_one(Merchant, key.merchant_id), key)
    try:
        yield caller
    finally:
        if caller.key is not None:
            keys.note_use(hub.db, caller.key, now)  # when the answer is out: nobody waits for it


@dataclass(frozen=True)
class Needs:
    """The merchant whose API key, or whose own wallet's session, came along: 401 without either, 403 if the key has not the scope or the
    wallet is no merchant's."""

    scope: Scope

    def __call__(self, caller: Annotated[Caller, Depends(_caller)]) -> Merchant:
        if caller.key is not None:
            keys.require(caller.key, self.scope)
        return caller.merchant


def _merchant(caller: Annotated[Caller, Depends(_caller)]) -> Merchant:
    return caller.merchant


CurrentWallet = Annotated[str, Depends(_wallet)]
"""The EIP-55 address that signed in; 401 without one."""
CurrentMerchant = Annotated[Merchant, Depends(_merchant)]
"""The merchant whose API key, whatever its scopes, or whose own wallet's session came along; 401 without either, 403 if the wallet is no
merchant's."""
