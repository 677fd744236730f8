"""Persons who have asked where their small money goes."""

from datetime import UTC, date, datetime
from typing import Any

import httpx

from taesan.insights import keeping
from taesan.insights.models import MovementRow, PersonWallet
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


def number_of(stage: Stage, wallet: str) -> int:
    """The `owner` of what is kept of the wallet's person."""
    with stage.hub.db.read() as session:
        return session.get_one(PersonWallet, wallet).owner


def pays(stage: Stage, owner: int, merchant: str, paid: list[tuple[date, int]], **changes: Any) -> None:
    """As a statement tells it; then the worker looks. :param changes: of the movements"""
    with stage.hub.db.write() as session:
        for day, amount in paid:
            told = {
                "owner": owner,
                "key": f"{merchant}:{day}:{amount}",
                "source": "statement",
                "kind": "spent",
                "at": datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
                "day": day,
                "merchant": merchant,
                "name": merchant.upper(),
                "category": "",
                "asset": "KRW",
                "exponent": 0,
                "amount": amount,
            }
            session.add(MovementRow(**told | changes))
    look_for_standing_costs(stage)


def look_for_standing_costs(stage: Stage) -> None:
    """The worker does."""
    while keeping.look_step(stage.hub):
        pass
