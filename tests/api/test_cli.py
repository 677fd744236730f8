"""The commands: audit's verdict as an exit code, a service that waits for its node, messages for persons."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import databases
from tests.support.chain import Chain, free_port
from tests.support.commands import Running, run, run_here
from tests.support.stage import CENT, DOLLAR, Stage, key
from tests.support.wallet import Wallet


def test_audit_says_by_its_exit_code_whether_the_books_equal_the_chain(stage: Stage) -> None:
    anna = stage.payer()
    anna.pay(DOLLAR)
    stage.settle()
    code, output = run_here("audit", environment=stage.environment)
    assert (code, "no differences: books = chain" in output) == (0, True), output
    databases.execute(
        stage.settings.database_url,
        "UPDATE balance SET amount = amount + 1 WHERE account_id IN (SELECT id FROM account WHERE kind = 'jar')",
    )
    code, output = run("audit", environment=stage.environment)
    assert code == 1, output
    assert f"balance of jar:{anna.id}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "key", "said"),
    [
        (["create", "Café Dust"], "0x12", "WALLET_KEY has to be a private key: 0x and 64 hexadecimal digits"),
        (["key", "--ends-in", "soon"], "0x" + "11" * 32, "'soon' is not a duration such as 90s, 15m, 2h or 3d"),
    ],
)
def test_a_merchant_is_told_what_is_wrong(arguments: list[str], key: str, said: str) -> None:
    code, output = run_here("merchant", *arguments, environment={"WALLET_KEY": key, "HUB": "http://127.0.0.1:1"})
    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_a_merchants_command_waits_for_no_hub_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taesan.cli.merchant.PATIENCE_S", 0.1)
    environment = {"WALLET_KEY": "0x" + "11" * 32, "HUB": "http://127.0.0.1:1"}
    code, output = run_here("merchant", "keys", environment=environment)
    assert code == 2
    assert "127.0.0.1 does not answer" in output


def test_audit_without_a_database_says_so(stage: Stage) -> None:
    code, output = run_here(
        "audit", environment=stage.environment | {"TAESAN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    )
    assert code == 2
    assert "the database at TAESAN_DATABASE_URL cannot be used: connection" in output


def test_audit_without_a_node_says_what_to_do(stage: Stage) -> None:
    code, output = run_here("audit", environment=stage.environment | {"TAESAN_RPC_URL": "http://127.0.0.1:1"})
    assert code == 2
    assert "no answer from the node at http://127.0.0.1:1" in output
    assert "Start one with `taesan devnet`" in output


def test_without_contracts_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "hub.db").touch()
    where = {
        "TAESAN_DATABASE_URL": f"sqlite:///{tmp_path}/hub.db",
        "TAESAN_DEPLOYMENT_FILE": str(tmp_path / "none.json"),
    }
    code, output = run_here("audit", environment=where)
    assert code == 2
    assert "run `taesan deploy` first" in output


def test_on_the_wrong_chain_it_says_what_differs(stage: Stage) -> None:
    deployment = json.loads(stage.settings.deployment_file.read_text()) | {"chain_id": 1}
    stage.settings.deployment_file.write_text(json.dumps(deployment))
    code, output = run_here("audit", environment=stage.environment)
    assert code == 2
    assert "is on chain 31337, the deployment file names chain 1" in output


def test_deploy_writes_where_the_contracts_are(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "new" / "deployment.json"
    code, output = run_here("deploy", environment=stage.environment | {"TAESAN_DEPLOYMENT_FILE": str(file)})
    assert code == 0, output
    written = json.loads(file.read_text())
    for role in ("asset", "channels", "collector", "settlement", "gift_token"):
        assert written[role] in output
        assert stage.chain.web3.eth.get_code(written[role])


# ----------------------------------------------------------------- a chain that restarts


@pytest.fixture(scope="module")
def lasting_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain that keeps its state when it is stopped."""
    folder = tmp_path_factory.mktemp("lasting")
    chain = Chain(
        folder, f"--state={folder / 'anvil.json'}", "--timestamp=1700000000", "--block-time=1", "--mixed-mining"
    )
    yield chain
    chain.stop()


def test_a_service_waits_for_its_node_and_works_when_it_comes_up(lasting_chain: Chain, tmp_path: Path) -> None:
    chain, port = lasting_chain, free_port()
    url = f"http://127.0.0.1:{port}"
    chain.give_dollars(Wallet("anna").address, 10 * DOLLAR)
    chain.stop()
    environment = {
        "TAESAN_DATABASE_URL": f"sqlite:///{tmp_path / 'taesan.db'}",
        "TAESAN_RPC_URL": chain.url,
        "TAESAN_DEPLOYMENT_FILE": str(chain.save_deployment(tmp_path)),
        "TAESAN_PORT": str(port),
        "TAESAN_PUBLIC_URL": url,
        "TAESAN_CONFIRMATION_DEPTH_BLOCKS": "1",
        "TAESAN_BATCH_INTERVAL_S": "0.5",
        "TAESAN_WORKER_TICK_S": "0.1",
    }
    with Running("serve", environment=environment, log=tmp_path / "serve.log") as service:
        service.wait_until(lambda: "no answer from the node at" in service.output)
        assert "trying again every 2 s. Start a chain with `taesan devnet`" in " ".join(service.output.split())
        assert not (tmp_path / "taesan.db").exists()
        chain.start()
        service.wait_until(lambda: _answers(url))
        assert service.output.count("no answer from the node") == 1, "it says so once"
        _pay_a_dollar(url)
        service.wait_until(lambda: _overview(url)["money"]["minted"] == str(DOLLAR))
        assert service.interrupt() == 0, service.output
    assert "Traceback" not in service.output
    code, output = run_here("audit", environment=environment)
    assert code == 0, output


def test_a_service_that_is_killed_goes_on_where_it_was(stage: Stage, tmp_path: Path) -> None:
    """kill -9 right after the answer: what was accepted is there."""
    anna = stage.payer()
    stage.close()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = stage.environment | {"TAESAN_PORT": str(port), "TAESAN_BATCH_INTERVAL_S": "3600"}
    with Running("serve", environment=environment, log=tmp_path / "1.log") as service:
        service.wait_until(lambda: _answers(url))
        body = anna.payment(30 * CENT)
        accepted = httpx.post(f"{url}/v1/payments", json=body, headers={"Idempotency-Key": "x"})
        assert accepted.status_code == 201
        service.kill()
    with Running("serve", environment=environment, log=tmp_path / "2.log") as service:
        service.wait_until(lambda: _answers(url))
        again = httpx.post(f"{url}/v1/payments", json=body, headers={"Idempotency-Key": "x"})
        assert (again.status_code, again.json()) == (201, accepted.json())
        assert again.headers["Idempotent-Replayed"] == "true"
        assert service.interrupt(signal.SIGTERM) == 0, service.output
    code, output = run_here("audit", environment=environment)
    assert code == 0, output


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _overview(url: str) -> dict[str, dict[str, str]]:
    return dict(httpx.get(f"{url}/v1/overview").json())


def _pay_a_dollar(url: str) -> None:
    """A new payer's deposit and first payment, from outside."""
    anna = Wallet("anna")
    with httpx.Client(base_url=url) as client:
        facts = client.get("/v1/hub").json()
        config = anna.channel_config(facts)
        body = {"config": config, "deposit": anna.deposit(facts, config, 5 * DOLLAR)}
        channel = client.post("/v1/channels", json=body, headers=key()).json()
        deposit = f"/v1/deposits/{channel['deposit']['id']}"
        while (state := client.get(deposit).json()["state"]) != "confirmed":
            assert state in ("received", "sent")
            time.sleep(0.05)
        id_ = channel["channel"]["id"]
        payment = {
            "voucher": {
                "channel_id": id_,
                "max_claimable_amount": str(DOLLAR),
                "signature": anna.voucher(facts, id_, DOLLAR),
            },
            "amount": {"value": str(DOLLAR), "asset": facts["asset"]},
            "destination": {"type": "jar"},
        }
        assert client.post("/v1/payments", json=payment, headers=key()).status_code == 201
