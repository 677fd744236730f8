"""Route dependencies that tell who is asking."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from taesan.hub import HubDep
from taesan.identity import auth, keys
from taesan.identity.models import Merchant

_session = HTTPBearer(auto_error=False, scheme_name="wallet session", description="A token from POST /v1/auth/sessions")
_key = HTTPBearer(auto_error=False, scheme_name="merchant API key", description="`tsk_…`")


def _token(bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_session)]) -> str:
    return bearer.credentials if bearer else ""


SessionToken = Annotated[str, Depends(_token)]
"""What came along as a session's token, whether it is one or not."""


def _wallet(hub: HubDep, token: SessionToken) -> str:
    with hub.db.read() as session:
        return auth.address_of(session, token, hub.clock.now())


def _merchant(hub: HubDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_key)]) -> Merchant:
    with hub.db.read() as session:
        return keys.merchant_of(session, bearer.credentials if bearer else "")


CurrentWallet = Annotated[str, Depends(_wallet)]
"""The EIP-55 address that signed in; 401 without one."""
CurrentMerchant = Annotated[Merchant, Depends(_merchant)]
"""The merchant whose API key came along; 401 without one."""
