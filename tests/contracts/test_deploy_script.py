"""scripts/deploy.py: what `brownie run deploy` does."""

import json

import pytest
from brownie import TestDollar, accounts, chain

from scripts import deploy as script
from support import ZERO_ADDRESS
from support.clock import DAY


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("TAESAN_ASSET", "TAESAN_ADMIN", "TAESAN_SETTLER", "TAESAN_BADGES_URI", "TAESAN_DEPLOYMENT_FILE", "TAESAN_DEX_FACTORY"):
        monkeypatch.delenv(name, raising=False)


def test_it_deploys_everything_with_the_first_account_as_admin_and_settler():
    before = chain.height

    deployment = script.main()

    settlement = deployment.settlement
    assert settlement.asset() == deployment.asset
    assert settlement.channels() == deployment.collector.channels() == deployment.channels
    assert settlement.token() == deployment.gift_token
    assert settlement.defaultAdmin() == accounts[0]
    assert settlement.hasRole(settlement.SETTLER_ROLE(), accounts[0])
    assert deployment.vault.asset() == deployment.gift_token
    assert deployment.vault.dripDuration() == 30 * DAY
    assert (deployment.vault.name(), deployment.vault.symbol()) == ("Taesan Savings", "sGIFT")
    assert deployment.badges.defaultAdmin() == accounts[0]
    assert deployment.badges.hasRole(deployment.badges.SETTLER_ROLE(), accounts[0])
    assert deployment.badges.uri(1) == ""
    orders = deployment.standing_orders
    assert orders.settlement() == settlement
    assert orders.badges() == deployment.badges
    assert deployment.badges.hasRole(deployment.badges.SETTLER_ROLE(), orders)
    assert (orders.factory(), orders.window()) == (ZERO_ADDRESS, 1_800)
    assert deployment.block_number == before + 1


def test_it_prints_all_addresses(capsys):
    deployment = script.main()
    printed = capsys.readouterr().out
    for contract in (*deployment[:5], deployment.vault, deployment.badges, deployment.standing_orders):
        assert contract.address in printed


def test_it_takes_an_existing_asset_and_other_roles(monkeypatch, stranger, relayer):
    existing = TestDollar.deploy({"from": stranger})
    monkeypatch.setenv("TAESAN_ASSET", existing.address)
    monkeypatch.setenv("TAESAN_ADMIN", stranger.address)
    monkeypatch.setenv("TAESAN_SETTLER", relayer.address)

    monkeypatch.setenv("TAESAN_BADGES_URI", "https://example.org/{id}.json")

    deployment = script.main()

    assert deployment.settlement.asset() == existing
    for contract in (deployment.settlement, deployment.badges):
        assert contract.defaultAdmin() == stranger
        assert contract.hasRole(contract.SETTLER_ROLE(), relayer)
        assert not contract.hasRole(contract.SETTLER_ROLE(), accounts[0])
        assert not contract.hasRole(contract.SETTLER_ROLE(), deployment.standing_orders)
    assert deployment.badges.uri(1) == "https://example.org/{id}.json"


def test_it_writes_the_addresses_where_it_is_told_to(monkeypatch, tmp_path):
    path = tmp_path / "deployment.json"
    monkeypatch.setenv("TAESAN_DEPLOYMENT_FILE", str(path))

    deployment = script.main()

    assert json.loads(path.read_text()) == {
        "chain_id": chain.id,
        "asset": deployment.asset.address,
        "channels": deployment.channels.address,
        "collector": deployment.collector.address,
        "settlement": deployment.settlement.address,
        "gift_token": deployment.gift_token.address,
        "vault": deployment.vault.address,
        "badges": deployment.badges.address,
        "standing_orders": deployment.standing_orders.address,
        "block_number": deployment.block_number,
    }
    assert list(tmp_path.iterdir()) == [path]
