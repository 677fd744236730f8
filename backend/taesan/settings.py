"""Everything that an operator can set, read from `TAESAN_…` variables. Secrets have no default outside `local`."""

from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from limits import parse
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from taesan.core import crashpoints
from taesan.core.smtp_settings import SmtpSettings
from taesan.core.values import parse_address

# Hardhat's, anvil's and (by its mnemonic) our Ganache's first account: known to everyone.
DEV_OPERATOR_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

Mode = Literal["test", "live"]
"""Whether the money of a hub's chain is real."""
# Ethereum, OP, BNB, Gnosis, Polygon, Kaia, Base, Arbitrum, Avalanche, Linea.
MAIN_CHAINS = frozenset({1, 10, 56, 100, 137, 8_217, 8_453, 42_161, 43_114, 59_144})


class Settings(SmtpSettings):
    model_config = SettingsConfigDict(env_prefix="TAESAN_", extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: Literal["local", "test-chain", "production"] = "local"
    chain_mode: Mode | None = Field(
        default=None,
        description="Whether API keys are `tsk_test_…` or `tsk_live_…`; test where `environment` is local or test-chain "
        "and the chain is no well-known main chain",
    )
    # It may hold a password: not shown.
    database_url: str = Field(default="sqlite:///var/taesan.db", repr=False, description="Or postgresql://…")
    # Paths and users of endpoints are often keys: not shown.
    rpc_url: str = Field(
        default="http://127.0.0.1:8545",
        repr=False,
        description="Or several with commas between them, the preferred one first; they have to agree on what is final",
    )
    rpc_timeout_s: float = Field(default=8, gt=0, description="For one answer of the node")
    deployment_file: Path = Path("var/deployment.json")
    artifacts_dir: Path = Path("build/contracts")
    npm_dir: Path = Field(
        default=Path("node_modules"), description="Holds scripts of the API reference and the gift page"
    )
    # The operator's key signs settlements; it is the settler role and the channels' receiver authorizer.
    operator_key: SecretStr = Field(default=SecretStr(DEV_OPERATOR_KEY), description="Plain: for `local` only")
    operator_keystore: Path | None = Field(default=None, description="A key file; `taesan keystore` makes one")
    operator_keystore_password_file: Path | None = None
    operator_signer_url: SecretStr | None = Field(
        default=None, description="Signs by JSON-RPC's eth_signTransaction, such as web3signer"
    )
    operator_address: str | None = Field(default=None, description="Whose key the signer at the URL has")
    operators: str = Field(
        default="",
        description="Wallets that may act for the hub, separated by commas; if none, locally the operator's key",
    )
    host: str = "127.0.0.1"
    port: int = 8000
    connections_max: int = Field(default=1_000, gt=0, description="More are answered with 503")
    public_url: str = "http://127.0.0.1:8000"
    log_format: Literal["console", "json"] | None = Field(
        default=None, description="json; on a local hub's terminal console"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    worker_metrics_port: int | None = Field(
        default=None,
        gt=0,
        lt=2**16,
        description="Where a `taesan worker` of its own answers Prometheus, on 127.0.0.1 only",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="What /metrics wants as `Authorization: Bearer …`. Outside local, without one, there is no /metrics",
    )
    ready_silence_s: float = Field(
        default=60,
        gt=0,
        description="How long the node may be silent before /readyz says so. Payments go on for a quarter of the withdraw "
        "delay: raise it if a load balancer goes by /readyz and they should",
    )

    confirmation_depth_blocks: int | None = Field(default=None, ge=0, description="2 locally, 12 elsewhere")
    withdraw_delay_s: int = Field(default=86_400, ge=900, le=2_592_000)
    asset_currency: str = Field(default="USD", description="ISO 4217 currency that the reserve asset stands for")
    rate_krw: str | None = Field(
        default=None, description="Won for a dollar, exactly: 1385.2 or 6926/5. Invoices in the other currency need it"
    )
    max_payment: int = Field(default=5_000_000, gt=0, description="In the reserve asset's minor units: 5 dollars")
    payer_rate: str = Field(default="200/second", description="Payments of one payer that are taken in")
    key_rate: str = Field(default="2000/second", description="Payments with one API key")
    key_call_rate: str = Field(
        default="100/second", description="Calls of one merchant with a key that cost gas or work"
    )
    session_rate: str | None = Field(
        default=None,
        description="Such calls of one wallet that is signed in, its pages' own among them; 120/minute, locally 1000/second",
    )
    address_rate: str | None = Field(
        default=None, description="Such calls from one address with neither; 30/minute, locally 1000/second"
    )
    min_relayed: int | None = Field(
        default=None,
        gt=0,
        description="Least deposit, redemption, payout or conversion that the hub pays the gas for, and least transfer that it looks at: 1 "
        "dollar, locally 1 minor unit",
    )
    reward_min: int | None = Field(
        default=None,
        gt=0,
        description="Cashback that has gathered for a payer before it becomes gift tokens: 25 cents, locally 1 minor unit",
    )
    wallet_exposure: int = Field(
        default=5_000_000, ge=0, description="What a contract wallet's channel may have paid and not claimed: 5 dollars"
    )
    channel_exposure: int = Field(
        default=100_000_000, gt=0, description="What a channel may have paid and not been claimed for: 100 dollars"
    )
    wallet_rate: str = Field(default="20/second", description="Signatures of one channel that a contract is asked for")
    intake_verifiers: int = Field(default=2, ge=0, description="Processes that verify signatures; 0: the intake's own")
    intake_cache_mib: int = Field(default=256, gt=0, description="Of database pages in the intake's memory (SQLite)")
    intake_queue_max: int = Field(default=20_000, gt=0, description="Payments in the house before 503 is answered")

    x402_wait_s: int = Field(
        default=30, ge=0, description="How long an x402 payment waits for its deposit before it is told to ask again"
    )
    refund_every_s: int | None = Field(
        default=None,
        ge=0,
        description="So long a channel waits after a refund for the next; 6 hours, locally not at all",
    )
    exact_gather_s: int = Field(
        default=120,
        ge=0,
        description="How long an x402 payment by `exact` waits for others to share a transaction with",
    )
    exact_max_items: int = Field(default=100, gt=0, description="Such payments in one transaction")
    exact_exposure: int = Field(
        default=5_000_000,
        ge=0,
        description="What a payer may have authorised so that is not on the chain yet: 5 dollars",
    )
    exact_merchant_exposure: int = Field(
        default=100_000_000,
        ge=0,
        description="What a merchant that does not wait for the chain may be promised so: 100 dollars",
    )
    exact_min: int | None = Field(
        default=None,
        gt=0,
        description="Least payment by `exact` that the hub pays the gas for: 1 cent, locally 1 minor unit",
    )

    conversions_max_items: int = Field(
        default=20, gt=0, description="Of gift tokens by signed rules, in one transaction"
    )
    conversion_deadline_s: int = Field(
        default=600, gt=0, description="A conversion that is not mined by then is not carried out, and is tried again"
    )
    conversion_tried_days: float = Field(
        default=30,
        gt=0,
        description="What could not be converted for so long stays in the wallet, until its payer asks for another try",
    )
    token_gather_s: int = Field(
        default=15,
        ge=0,
        description="How long gift tokens that people send each other wait for others to share a transaction with",
    )
    gift_least_s: int = Field(default=600, gt=0, description="A gift link can be used for so long at least")
    gift_most_days: int = Field(default=366, gt=0, description="And for so long at most")
    gift_reminder_days: float = Field(
        default=7, gt=0, description="A gift link that nobody has used for so long is told to who gave it"
    )
    gift_return_days: float = Field(
        default=14, ge=0, description="What nobody has taken so long after its link's end goes back by itself"
    )
    idle_jar_days: float = Field(
        default=30, gt=0, description="What lies in a jar that nothing has come into for so long is told to its payer"
    )
    unclaimed_days: float = Field(
        default=7,
        gt=0,
        description="Gift tokens that are settled and not minted for so long are told to whose they are",
    )
    held_days: float = Field(
        default=1, gt=0, description="Gift tokens that a rule could not convert for so long are told to their payer"
    )
    unpaid_cashback_days: float = Field(
        default=30, gt=0, description="Cashback that has waited so long for enough to gather is told to its payer"
    )

    # It may hold a key: not shown.
    advice_llm_url: str | None = Field(
        default=None,
        repr=False,
        description="Base of an OpenAI-compatible API, such as http://127.0.0.1:11434/v1, whose model puts advice in other words; "
        "none: advice is told in the hub's own, and nothing of it leaves the machine",
    )
    advice_llm_model: str | None = None
    advice_llm_key: SecretStr | None = Field(default=None, description="Sent as `Authorization: Bearer …`")

    batch_interval_s: float = Field(default=60, gt=0)
    batch_max_payments: int = Field(default=20_000, gt=0)
    batch_max_channels: int = Field(
        default=1_000, gt=0, description="At most; fewer when 128 KiB or 2^24 gas (EIP-7825) hold no more"
    )
    relay_max_items: int = Field(default=40, gt=0, description="Deposits or redemptions in one transaction")
    badge_gather_s: int = Field(
        default=600, ge=0, description="How long new tiers wait for others, to go on chain together as badges"
    )
    worker_tick_s: float = Field(default=0.5, gt=0)
    worker_lease_s: float = Field(default=15, ge=1, description="After a worker's death another one waits so long")
    session_hours: int = Field(default=12, gt=0)
    webhook_local_receivers: bool | None = Field(
        default=None,
        description="Webhooks to this machine's own addresses, without TLS too: on a local hub so, else never",
    )
    merchants_max: int = Field(default=100_000, ge=0, description="Anybody may become one up to here; 0: nobody")
    max_fee_per_gas_gwei: int = Field(default=500, gt=0, description="No transaction of the hub offers more")
    fee_bump_after_s: float = Field(
        default=60, gt=0, description="A transaction that is not mined by then is offered at a higher fee"
    )
    signer_balance_min_gwei: int = Field(
        default=10_000_000, ge=0, description="With less for gas (0.01 ether) the operator's key signs nothing new"
    )
    sample_shop: str | None = Field(
        default=None,
        description="On a local chain: the wallet whose merchant sells sample goods at /wallet/shop; `taesan demo` and `devnet` set it",
    )
    crash_at: str | None = Field(
        default=None, description="For tests: where a process ends itself (core/crashpoints.py)"
    )

    @field_validator("database_url")
    @classmethod
    def _is_sqlite_or_postgresql(cls, url: str) -> str:
        for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        if not url.startswith("sqlite:///"):
            raise ValueError("a database is named by sqlite:///… or postgresql://…")
        return url

    @field_validator("operators")
    @classmethod
    def _are_addresses(cls, listed: str) -> str:
        return ",".join(parse_address(part.strip()) for part in listed.split(",") if part.strip())

    @field_validator("payer_rate", "wallet_rate", "key_rate", "key_call_rate", "session_rate", "address_rate")
    @classmethod
    def _is_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse(rate)  # raises ValueError, with what it expects
        return rate

    @field_validator("rate_krw")
    @classmethod
    def _is_fraction(cls, rate: str | None) -> str | None:
        if rate is not None and Fraction(rate) <= 0:  # raises ValueError, too
            raise ValueError("a rate is more than zero")
        return rate

    @field_validator("operator_address", "sample_shop")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        return None if address is None else parse_address(address)

    @field_validator("operator_signer_url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("a signer is named by http://… or https://…")
        return url

    @field_validator("advice_llm_url")
    @classmethod
    def _is_api(cls, url: str | None) -> str | None:
        parts = urlsplit(url) if url else None
        if parts and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("an API is named by http://… or https://…")
        return url or None

    @model_validator(mode="after")
    def _names_a_model(self) -> Self:
        if (self.advice_llm_url is None) != (self.advice_llm_model is None):
            raise ValueError("TAESAN_ADVICE_LLM_URL and TAESAN_ADVICE_LLM_MODEL go together")
        return self

    @model_validator(mode="after")
    def _mails_in_private(self) -> Self:
        if self.environment == "local" or self.smtp_host is None:
            return self
        if self.smtp_tls == "none":
            raise ValueError(f"TAESAN_SMTP_TLS=none sends in the open: for local use alone, not for {self.environment}")
        if not self.public_url.startswith("https://"):
            raise ValueError("mails have a link to unsubscribe (RFC 8058): TAESAN_PUBLIC_URL has to be https://…")
        return self

    @model_validator(mode="after")
    def _one_key_and_none_that_lies_open(self) -> Self:
        if (self.operator_keystore is None) != (self.operator_keystore_password_file is None):
            raise ValueError("TAESAN_OPERATOR_KEYSTORE and TAESAN_OPERATOR_KEYSTORE_PASSWORD_FILE go together")
        if (self.operator_signer_url is None) != (self.operator_address is None):
            raise ValueError("TAESAN_OPERATOR_SIGNER_URL and TAESAN_OPERATOR_ADDRESS go together")
        plain = "operator_key" in self.model_fields_set
        if self.environment != "local" and plain:
            raise ValueError(
                f"TAESAN_OPERATOR_KEY is a plain key, which is for local use: for {self.environment} put one into a key "
                "file with `taesan keystore new` or `taesan keystore import`, and name that"
            )
        named = plain + (self.operator_keystore is not None) + (self.operator_signer_url is not None)
        if named > 1 or (not named and self.environment != "local"):
            raise ValueError(
                "name one key of the operator: TAESAN_OPERATOR_KEYSTORE with TAESAN_OPERATOR_KEYSTORE_PASSWORD_FILE, or "
                "TAESAN_OPERATOR_SIGNER_URL with TAESAN_OPERATOR_ADDRESS" + ("" if named else f" ({self.environment})")
            )
        return self

    @model_validator(mode="after")
    def _refuse_to_call_itself(self) -> Self:
        if self.webhook_local_receivers and self.environment != "local":
            raise ValueError(
                "TAESAN_WEBHOOK_LOCAL_RECEIVERS lets merchants have the hub call its own machine: for local use alone, "
                f"not for {self.environment}"
            )
        return self

    @model_validator(mode="after")
    def _refuse_to_crash(self) -> Self:
        if self.crash_at:
            crashpoints.parse(self.crash_at)  # raises ValueError, with the points that there are
            if self.environment != "local":
                raise ValueError(f"{crashpoints.VARIABLE} ends processes: for tests alone, not for {self.environment}")
        return self

    def mode_on(self, chain_id: int) -> Mode:
        """In doubt money is real."""
        if self.chain_mode is not None:
            return self.chain_mode
        return "live" if self.environment == "production" or chain_id in MAIN_CHAINS else "test"

    @property
    def local_webhooks(self) -> bool:
        return self.environment == "local" if self.webhook_local_receivers is None else self.webhook_local_receivers

    @property
    def operator_addresses(self) -> frozenset[str]:
        """EIP-55."""
        return frozenset(filter(None, self.operators.split(",")))

    @property
    def won_for_a_dollar(self) -> Fraction | None:
        return None if self.rate_krw is None else Fraction(self.rate_krw)

    @cached_property
    def depth(self) -> int:
        """Blocks on top of a block before it counts."""
        if self.confirmation_depth_blocks is not None:
            return self.confirmation_depth_blocks
        return 2 if self.environment == "local" else 12

    @property
    def stranger_rate(self) -> str:
        """What one address may call; locally a demo's hundreds of payers come from one."""
        return self.address_rate or ("1000/second" if self.environment == "local" else "30/minute")

    @property
    def wallet_calls(self) -> str:
        """What one signed-in wallet may call."""
        return self.session_rate or ("1000/second" if self.environment == "local" else "120/minute")

    @property
    def least_relayed(self) -> int:
        """In the reserve asset's minor units."""
        return self.min_relayed or (1 if self.environment == "local" else 1_000_000)

    @property
    def least_reward(self) -> int:
        """In the reserve asset's minor units."""
        return self.reward_min or (1 if self.environment == "local" else 250_000)

    @property
    def refund_pause_s(self) -> int:
        if self.refund_every_s is not None:
            return self.refund_every_s
        return 0 if self.environment == "local" else 21_600

    @property
    def least_exact(self) -> int:
        """In the reserve asset's minor units."""
        return self.exact_min or (1 if self.environment == "local" else 10_000)

    @property
    def least_final(self) -> int:
        """In the reserve asset's minor units: who waits for the chain shares a transaction with nobody."""
        return max(self.least_exact, self.least_relayed)
