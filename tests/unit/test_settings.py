"""What an operator may set, and what the service refuses to start with."""

from typing import Any

import pytest
from pydantic import ValidationError

from taesan.settings import DEV_OPERATOR_KEY, Settings

OWN_KEY = "0x" + "17" * 32


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("TAESAN_")]:
        monkeypatch.delenv(name)


def test_the_known_key_is_for_local_use() -> None:
    assert Settings().operator_key.get_secret_value() == DEV_OPERATOR_KEY


KEYSTORE: dict[str, Any] = {"operator_keystore": "key.json", "operator_keystore_password_file": "password"}
REMOTE: dict[str, Any] = {
    "operator_signer_url": "http://user:s3cret@signer.example:9000",
    "operator_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
}


@pytest.mark.parametrize("environment", ["test-chain", "production"])
@pytest.mark.parametrize("key", [DEV_OPERATOR_KEY, OWN_KEY])
def test_a_plain_key_is_refused_elsewhere_with_what_to_do(environment: str, key: str) -> None:
    with pytest.raises(ValidationError, match=r"is a plain key.*`taesan keystore import`") as refused:
        Settings(environment=environment, operator_key=key)  # type: ignore[arg-type]
    assert key[2:] not in str(refused.value)


def test_a_plain_key_from_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAESAN_OPERATOR_KEY", OWN_KEY)
    monkeypatch.setenv("TAESAN_ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="is a plain key"):
        Settings(**KEYSTORE)


def test_leaving_the_key_out_is_no_way_round_either() -> None:
    with pytest.raises(ValidationError, match="name one key of the operator"):
        Settings(environment="production")


@pytest.mark.parametrize("environment", ["local", "test-chain", "production"])
@pytest.mark.parametrize("key", [KEYSTORE, REMOTE], ids=["keystore", "remote"])
def test_a_key_that_does_not_lie_open_is_taken_everywhere(environment: Any, key: dict[str, Any]) -> None:
    assert "s3cret" not in repr(Settings(environment=environment, **key))


@pytest.mark.parametrize(
    "keys",
    [
        KEYSTORE | REMOTE,
        KEYSTORE | {"operator_key": OWN_KEY},
        REMOTE | {"operator_key": OWN_KEY},
        {"operator_keystore": "key.json"},
        {"operator_keystore_password_file": "password"},
        {"operator_signer_url": "http://signer.example"},
        {"operator_address": REMOTE["operator_address"]},
        REMOTE | {"operator_signer_url": "signer.example:9000"},
        REMOTE | {"operator_signer_url": "file:///etc/passwd"},
        REMOTE | {"operator_address": "0x70997970c51812dc3A010C7d01b50e0d17dc79C8"},
    ],
    ids=str,
)
def test_half_a_key_and_two_keys_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**keys)


def test_an_own_key_is_taken_locally_and_never_shown() -> None:
    settings = Settings(operator_key=OWN_KEY)  # type: ignore[arg-type]
    assert settings.operator_key.get_secret_value() == OWN_KEY
    assert OWN_KEY[2:] not in repr(settings) + str(settings) + settings.model_dump_json()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAESAN_PORT", "9000")
    monkeypatch.setenv("TAESAN_BATCH_INTERVAL_S", "5")
    assert (Settings().port, Settings().batch_interval_s) == (9_000, 5)


def test_confirmation_takes_longer_where_money_is_real() -> None:
    assert Settings().depth == 2
    assert Settings(environment="test-chain", **KEYSTORE).depth == 12
    assert Settings(confirmation_depth_blocks=0).depth == 0


def test_strangers_can_spend_little_of_the_operators_gas_where_it_costs_money() -> None:
    there = Settings(environment="test-chain", **KEYSTORE)
    assert (there.stranger_rate, there.least_relayed) == ("30/minute", 1_000_000)
    assert (Settings().stranger_rate, Settings().least_relayed) == ("1000/second", 1)
    assert (there.wallet_calls, Settings().wallet_calls) == ("120/minute", "1000/second")
    assert Settings(session_rate="7/hour").wallet_calls == "7/hour"
    assert (Settings(address_rate="7/hour").stranger_rate, Settings(min_relayed=9).least_relayed) == ("7/hour", 9)


def test_a_hub_calls_its_own_machine_on_a_local_chain_alone() -> None:
    assert Settings().local_webhooks
    assert not Settings(webhook_local_receivers=False).local_webhooks
    assert not Settings(environment="test-chain", **KEYSTORE).local_webhooks
    for environment in ("test-chain", "production"):
        with pytest.raises(ValidationError, match="for local use alone"):
            Settings(environment=environment, webhook_local_receivers=True, **KEYSTORE)


@pytest.mark.parametrize(
    ("settings", "chain_id", "mode"),
    [
        ({}, 31_337, "test"),
        ({"environment": "test-chain", **KEYSTORE}, 84_532, "test"),
        ({"environment": "production", **KEYSTORE}, 84_532, "live"),
        ({"environment": "production", **KEYSTORE}, 31_337, "live"),
        ({"environment": "test-chain", **KEYSTORE}, 8_453, "live"),
        ({}, 1, "live"),
        ({"chain_mode": "test"}, 1, "test"),
        ({"chain_mode": "live"}, 31_337, "live"),
    ],
)
def test_in_doubt_money_is_real(settings: dict[str, Any], chain_id: int, mode: str) -> None:
    assert Settings(**settings).mode_on(chain_id) == mode


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": "staging"},
        {"chain_mode": "real"},
        {"confirmation_depth_blocks": -1},
        {"withdraw_delay_s": 899},
        {"withdraw_delay_s": 2_592_001},
        {"max_payment": 0},
        {"batch_interval_s": 0},
        {"batch_max_payments": 0},
        {"database_url": "mysql://localhost/taesan"},
        {"database_url": "postgresql+asyncpg://localhost/taesan"},
        {"payer_rate": "many"},
        {"key_rate": "2000"},
        {"key_call_rate": ""},
        {"session_rate": "often"},
        {"address_rate": "30/fortnight"},
        {"wallet_rate": "-1/second"},
        {"wallet_exposure": -1},
        {"min_relayed": 0},
        {"merchants_max": -1},
        {"database_url": "taesan.db"},
    ],
    ids=str,
)
def test_nonsense_is_refused_at_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


MAIL: dict[str, Any] = {"smtp_host": "mail.example", "smtp_from": "reports@hub.example"}
ELSEWHERE: dict[str, Any] = {"environment": "production", "public_url": "https://hub.example", **KEYSTORE}


def test_mail_is_sent_by_who_says_how_and_not_in_the_open() -> None:
    nothing = dict.fromkeys(("host", "port", "user", "password", "password_file", "from"), "")
    for told in ({}, {f"smtp_{name}": value for name, value in nothing.items()}):
        assert Settings(**told).smtp_host is None  # type: ignore[arg-type]
    ports = [Settings(**MAIL, smtp_tls=tls).mail_port for tls in ("starttls", "tls", "none")]  # type: ignore[arg-type]
    assert ports == [587, 465, 25]
    assert (Settings(**MAIL).smtp_tls, Settings(**MAIL, smtp_port=2525).mail_port) == ("starttls", 2525)
    shown = Settings(**MAIL, **ELSEWHERE, smtp_user="hub", smtp_password="s3cret")  # type: ignore[arg-type]
    assert "s3cret" not in repr(shown) + str(shown) + shown.model_dump_json()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"smtp_from": None}, "go together"),
        ({"smtp_host": None}, "go together"),
        ({"smtp_user": "hub"}, "goes with one of"),
        ({"smtp_password": "s3cret"}, "goes with one of"),
        ({"smtp_user": "hub", "smtp_password": "s3cret", "smtp_password_file": "file"}, "goes with one of"),
        ({"smtp_from": "Taesan <reports@hub.example>"}, "must be a plain address"),
        ({"smtp_from": "reports@hub.example\r\nBcc: x@hub.example"}, "must be a plain address"),
        ({"smtp_port": 65_536}, "less than"),
        ({**ELSEWHERE, "smtp_tls": "none"}, "in the open"),
        ({**ELSEWHERE, "public_url": "http://hub.example"}, "TAESAN_PUBLIC_URL has to be https"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_refused_at_start(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault) as refused:
        Settings(**MAIL | changes)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_postgresql_is_taken_by_any_of_its_names(scheme: str) -> None:
    settings = Settings(database_url=f"{scheme}://taesan@db.example:5433/taesan?sslmode=require")
    assert settings.database_url == "postgresql+psycopg://taesan@db.example:5433/taesan?sslmode=require"


def test_a_databases_password_is_shown_by_no_message() -> None:
    assert "s3cret" not in repr(Settings(database_url="postgresql://taesan:s3cret@db.example/taesan"))
    with pytest.raises(ValidationError) as refused:
        Settings(database_url="mysql://taesan:s3cret@db.example/taesan")
    assert "sqlite:///… or postgresql://…" in str(refused.value)
    assert "s3cret" not in str(refused.value)
