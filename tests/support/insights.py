"""Persons who have asked where their small money goes."""

from typing import Any

import httpx

from tests.support.stage import Stage
from tests.support.wallet import Json, Wallet

SEOUL = {"zone": "Asia/Seoul", "language": "ko"}


def ask_for_insights(stage: Stage, headers: Json, **changes: str) -> Any:
    """:param headers: of a wallet's session"""
    answer = stage.client.put("/v1/insights/me", json=SEOUL | changes, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def link_wallet(stage: Stage, headers: Json, wallet: Wallet) -> httpx.Response:
    nonce = stage.client.post("/v1/auth/nonces").json()["nonce"]
    body = wallet.sign_in(nonce, stage.clock.now())
    return stage.client.post("/v1/insights/me/wallets", json=body, headers=headers)


def read_all(stage: Stage, headers: Json) -> None:
    """The worker reads what there is."""
    for _ in range(10):
        stage.tick()
        if stage.get("/v1/insights/me", **headers)["complete"]:
            return
    raise AssertionError("what there was is never read")
