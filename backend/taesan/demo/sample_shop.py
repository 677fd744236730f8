"""The merchant of the sample shop at /wallet/shop, for local chains: who is paid there."""

import httpx

from taesan.client import signing
from taesan.core.clock import utc_now
from taesan.demo.processes import DemoFailed
from taesan.demo.wallet import key_of

KEY = key_of("taesan sample shop")
NAME = "Ridge & Co. (sample)"
PROGRAMME = {
    "period": "month",
    "time_zone": "UTC",
    "window": 3,
    "tiers": [{"name": "Walker", "count": 1}, {"name": "Climber", "count": 4}],
    "points": {"per": "100000", "valid_days": 365, "notice_days": 30},
}


def open_at(site: str) -> str:
    """Registers it, once; returns its wallet. :param site: a hub whose `TAESAN_SAMPLE_SHOP` this is. :raises DemoFailed:"""
    with httpx.Client(base_url=site, timeout=30, trust_env=False) as http:
        network = _told(http.get("/v1/hub"))["network"]
        nonce = _told(http.post("/v1/auth/nonces", json={}))["nonce"]
        chain_id = int(network.removeprefix("eip155:"))
        body = signing.sign_in(KEY, site, chain_id, nonce, "Sign in to the Taesan demo.", utc_now())
        token = _told(http.post("/v1/auth/sessions", json=body))["token"]
        made = http.post("/v1/merchants", json={"name": NAME}, headers={"Authorization": f"Bearer {token}"})
        if made.status_code != httpx.codes.CONFLICT:  # there already
            merchant = {"Authorization": f"Bearer {_told(made)['api_key']}"}
            _told(http.put("/v1/programme", json=PROGRAMME, headers=merchant))
    return KEY.address


def _told(answer: httpx.Response) -> signing.Json:
    if answer.is_error:
        raise DemoFailed(f"the sample shop was refused: {answer.status_code} {answer.text[:500]}")
    result: signing.Json = answer.json()
    return result
