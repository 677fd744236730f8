"""What an operator may set, and what the service refuses to start with."""

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


@pytest.mark.parametrize("environment", ["test-chain", "production"])
@pytest.mark.parametrize(
    "key", [DEV_OPERATOR_KEY, DEV_OPERATOR_KEY.removeprefix("0x"), "0x" + DEV_OPERATOR_KEY[2:].upper()]
)
def test_the_known_key_is_refused_elsewhere_however_it_is_written(environment: str, key: str) -> None:
    with pytest.raises(ValidationError, match="well-known development key"):
        Settings(environment=environment, operator_key=key)  # type: ignore[arg-type]


def test_leaving_the_key_out_is_no_way_round_either() -> None:
    with pytest.raises(ValidationError, match="TAESAN_OPERATOR_KEY"):
        Settings(environment="production")


def test_an_own_key_is_taken_and_never_shown() -> None:
    settings = Settings(environment="production", operator_key=OWN_KEY)  # type: ignore[arg-type]
    assert settings.operator_key.get_secret_value() == OWN_KEY
    assert OWN_KEY[2:] not in repr(settings) + str(settings) + settings.model_dump_json()


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAESAN_PORT", "9000")
    monkeypatch.setenv("TAESAN_BATCH_INTERVAL_S", "5")
    assert (Settings().port, Settings().batch_interval_s) == (9_000, 5)


def test_confirmation_takes_longer_where_money_is_real() -> None:
    assert Settings().depth == 2
    assert Settings(environment="test-chain", operator_key=OWN_KEY).depth == 12  # type: ignore[arg-type]
    assert Settings(confirmation_depth_blocks=0).depth == 0


def test_strangers_can_spend_little_of_the_operators_gas_where_it_costs_money() -> None:
    there = Settings(environment="test-chain", operator_key=OWN_KEY)  # type: ignore[arg-type]
    assert (there.stranger_rate, there.least_relayed) == ("30/minute", 1_000_000)
    assert (Settings().stranger_rate, Settings().least_relayed) == ("1000/second", 1)
    assert (Settings(address_rate="7/hour").stranger_rate, Settings(min_relayed=9).least_relayed) == ("7/hour", 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": "staging"},
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
        {"address_rate": "30/fortnight"},
        {"wallet_rate": "-1/second"},
        {"wallet_exposure": -1},
        {"min_relayed": 0},
        {"database_url": "taesan.db"},
    ],
    ids=str,
)
def test_nonsense_is_refused_at_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


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
