"""scripts/deploy.py: what `brownie run deploy` does."""

import json

import pytest
from brownie import TestDollar, accounts, chain

from scripts import deploy as script


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("TAESAN_ASSET", "TAESAN_ADMIN", "TAESAN_SETTLER", "TAESAN_DEPLOYMENT_FILE"):
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
    assert deployment.block_number == before + 1


def test_it_takes_an_existing_asset_and_other_roles(monkeypatch, stranger, relayer):
    existing = TestDollar.deploy({"from": stranger})
    monkeypatch.setenv("TAESAN_ASSET", existing.address)
    monkeypatch.setenv("TAESAN_ADMIN", stranger.address)
    monkeypatch.setenv("TAESAN_SETTLER", relayer.address)

    settlement = script.main().settlement

    assert settlement.asset() == existing
    assert settlement.defaultAdmin() == stranger
    assert settlement.hasRole(settlement.SETTLER_ROLE(), relayer)
    assert not settlement.hasRole(settlement.SETTLER_ROLE(), accounts[0])


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
        "block_number": deployment.block_number,
    }
    assert list(tmp_path.iterdir()) == [path]
