"""How often somebody may call: who shows an API key by that key, who is signed in by the wallet, strangers by where they call from."""

from ipaddress import IPv6Address, ip_address
from typing import Annotated

from fastapi import Depends, Request

from taesan.core.limits import RateLimit
from taesan.hub import HubDep
from taesan.identity import auth, keys
from taesan.settings import Settings

_BEARER = b"Bearer "
_KEY = _BEARER + keys.PREFIX.encode()


class Rates:
    """The limits of one process. Calls are counted for the merchant, whatever number of keys it has, and for the wallet, in
    however many browsers it is signed in; payments, which are many, for the key as it comes."""

    def __init__(self, settings: Settings) -> None:
        self._payments = RateLimit(settings.key_rate)
        self._key_calls = RateLimit(settings.key_call_rate)
        self._session_calls = RateLimit(settings.wallet_calls)
        self._address_calls = RateLimit(settings.stranger_rate)

    def count_payments(self, headers: dict[bytes, bytes], count: int) -> None:
        """Payments in a request, counted for its API key. That there is such a key is not looked up: without one, payments
        are limited by payer alone.

        :raises Problem: `rate-limited`
        """
        authorization = headers.get(b"authorization", b"")
        if authorization.startswith(_KEY):
            self._payments.check(str(hash(authorization)), count)  # in this process always the same, and no secret

    def count_reports(self, gateway_id: str, count: int) -> None:
        """What a gateway has signed, as many payments as it reports. :raises Problem: `rate-limited`"""
        self._payments.check(gateway_id, count)

    def count_call(self, address: str, *, merchant_id: str | None = None, wallet: str | None = None) -> None:
        """:param merchant_id: whose API key came along. :param wallet: whose session did. :raises Problem: `rate-limited`"""
        if merchant_id is not None:
            self._key_calls.check(merchant_id)
        elif wallet is not None:
            self._session_calls.check(wallet)
        else:
            self._address_calls.check(_network(address))


def _network(address: str) -> str:
    """The address; of IPv6 its /64, since one customer has so many of them."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(int(ip) >> 64) if isinstance(ip, IPv6Address) else address


def _rates(request: Request) -> Rates:
    rates: Rates = request.app.state.rates
    return rates


RatesDep = Annotated[Rates, Depends(_rates)]


def count_call(request: Request, hub: HubDep, rates: RatesDep) -> None:
    """For routes that cost the operator gas or work. :raises Problem: `rate-limited`, before anything is stored"""
    token = request.headers.get("authorization", "").removeprefix(_BEARER.decode())
    with hub.db.read() as session:
        key = keys.find(session, token)
        wallet = auth.find_address(session, token, hub.clock.now()) if key is None and token else None
    address = request.client.host if request.client else ""
    rates.count_call(address, merchant_id=key.merchant_id if key else None, wallet=wallet)


COUNTED = [Depends(count_call)]
