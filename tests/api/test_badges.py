"""Tiers of the hub's programme on chain: gathered, soul-bound, moved down too, and nobody holds up the others."""

from typing import Any

import pytest

from taesan.loyalty import badges
from tests.support.stage import CENT, OPERATOR_KEY, Merchant, Stage, StageFactory

WEEK = 7 * 86_400


@pytest.fixture
def club(open_stage: StageFactory) -> Stage:
    """A hub that has badges, and tiers for one payment and for two."""
    stage = open_stage(badge_gather_s=60)
    if not badges.has_badges(stage.hub):
        _deploy(stage)
    tiers = [{"name": "Bronze", "count": 1}, {"name": "Silver", "count": 2}]
    body = {"period": "week", "tiers": tiers}
    assert stage.client.put("/v1/operator/programme", json=body, headers=stage.operator()).status_code == 200
    return stage


def _deploy(stage: Stage) -> None:
    """As a deployment file that names the contract would have it."""
    operator = stage.hub.signer.address
    deployed = stage.chain.deploy("Badges", "ipfs://badges/{id}", operator, operator)
    for contracts in (stage.hub.contracts, stage.chain.contracts):
        object.__setattr__(contracts.deployment, "badges", deployed.address)
        contracts.__dict__["_contracts"]["badges"] = deployed


def _tier_of(stage: Stage, address: str) -> int:
    return int(stage.chain.read("badges", "tierOf", address))


def _membership(stage: Stage, payer: Any) -> Any:
    (found,) = stage.get("/v1/memberships", **stage.session_of(payer.wallet))["items"]
    return found


def _updates(stage: Stage) -> list[Any]:
    return stage.rows("SELECT state, count(*) FROM badge_update GROUP BY state ORDER BY state")


def test_tiers_go_on_chain_together_and_come_down_again(club: Stage) -> None:
    stage, cafe = club, club.merchant()
    people = [stage.payer() for _ in range(10)]
    for payer in people:
        payer.pay(CENT, cafe)
    people[0].pay(CENT, cafe)
    stage.confirm()
    assert _updates(stage) == [], "they wait for others"
    assert _membership(stage, people[0])["badge"] == 0
    stage.later(61)
    stage.confirm()
    assert [_tier_of(stage, payer.address) for payer in people] == [2] + [1] * 9
    assert _updates(stage) == [("confirmed", 2)], "eight accounts and two, in one transaction"
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'badges'") == [(1,)]
    assert _membership(stage, people[0])["badge"] == 2
    for _ in range(3):
        stage.later(WEEK)
        stage.confirm()
    stage.later(61)
    stage.confirm()
    assert [_tier_of(stage, payer.address) for payer in people] == [1] + [0] * 9
    assert stage.rows("SELECT count(*) FROM loyalty_member WHERE badge_due IS NOT NULL") == [(0,)]
    assert stage.audit().differences == []


def test_the_audit_holds_badges_against_the_chain(club: Stage) -> None:
    stage, cafe = club, club.merchant()
    anna, ben = stage.payer(), stage.payer()
    for payer in (anna, ben):
        payer.pay(CENT, cafe)
    stage.confirm()
    stage.later(61)
    stage.tick()
    assert _updates(stage) == [("sent", 1)]
    stage.chain.mine(1)
    assert [_tier_of(stage, payer.address) for payer in (anna, ben)] == [1, 1]
    assert stage.audit().differences == [], "what is mined and not deep enough is on its way"
    stage.confirm()
    stage.chain.send(OPERATOR_KEY, "badges", "setTier", anna.address, 2)
    stage.chain.send(ben.wallet.key, "badges", "renounceTier")
    report = stage.audit()
    assert [d.split(":")[0] for d in report.differences] == [f"the badge of {anna.address} on chain"]
    assert (report.counted["badges"], report.counted["badges refused or renounced"]) == (1, 1)
    with stage.undone():
        stage.write("UPDATE loyalty_member SET badge = 0 WHERE payer = :payer", payer=ben.address)
        assert [d for d in stage.audit().differences if f"{ben.address} is told for its tier" in d]


def test_a_badge_that_changes_on_its_way_is_told_again(club: Stage) -> None:
    stage, cafe, anna, ben = club, club.merchant(), club.payer(), club.payer()
    paid = anna.pay(CENT, cafe)["id"]
    stage.later(1)
    stage.tick()
    stage.later(61)
    stage.tick()
    assert _updates(stage) == [("sent", 1)]
    ben.pay(CENT, cafe)  # which pays for the refund
    assert cafe.refund(paid).status_code == 202
    stage.tick()
    assert _membership(stage, anna)["tier"] is None
    stage.confirm()
    assert _tier_of(stage, anna.address) == 1
    stage.later(61)
    stage.confirm()
    assert _tier_of(stage, anna.address) == 0
    assert _membership(stage, anna)["badge"] == 0


def test_what_the_contract_refuses_waits_for_another_time(club: Stage) -> None:
    stage, cafe, anna = club, club.merchant(), club.payer()
    role = stage.chain.read("badges", "SETTLER_ROLE")
    stage.chain.send(OPERATOR_KEY, "badges", "revokeRole", role, stage.hub.signer.address)
    anna.pay(CENT, cafe)
    stage.confirm()
    stage.later(61)
    stage.confirm()
    assert _updates(stage) == [("failed", 1)]
    ((reason,),) = stage.rows("SELECT reason FROM badge_update")
    assert "AccessControlUnauthorizedAccount" in reason
    stage.chain.send(OPERATOR_KEY, "badges", "grantRole", role, stage.hub.signer.address)
    stage.later(61)
    stage.confirm()
    assert _updates(stage) == [("failed", 1)]
    stage.later(3_600)
    stage.confirm()
    assert _tier_of(stage, anna.address) == 1


def test_a_hub_without_the_contract_keeps_its_tiers_to_itself(stage: Stage) -> None:
    cafe: Merchant = stage.merchant()
    if badges.has_badges(stage.hub):
        object.__setattr__(stage.hub.contracts.deployment, "badges", "")
    body = {"tiers": [{"name": "Bronze", "count": 1}]}
    stage.client.put("/v1/operator/programme", json=body, headers=stage.operator())
    anna = stage.payer()
    anna.pay(CENT, cafe)
    stage.later(3_600)
    stage.confirm()
    assert _membership(stage, anna)["tier"]["name"] == "Bronze"
    assert _updates(stage) == []
