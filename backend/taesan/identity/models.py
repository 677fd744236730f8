"""Who is who: sign-in sessions of wallets, merchants and their API keys. Secrets are stored as hashes only."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Shape, Text
from taesan.identity.scopes import SCOPES, Scope


class SiweNonce(SQLModel, table=True):
    """A nonce given out for one sign-in; removed when it is used."""

    __tablename__ = "siwe_nonce"

    nonce: str = Field(primary_key=True)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class LoginSession(SQLModel, table=True):
    """A wallet that has signed in; the token itself is known to its holder only."""

    __tablename__ = "login_session"

    token_hash: str = Field(primary_key=True)
    address: str = Field(index=True)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)


class Merchant(SQLModel, table=True):
    """Who is paid. `address` receives payouts; one merchant for one address."""

    __tablename__ = "merchant"

    id: str = Field(primary_key=True)
    name: str
    address: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


class ApiKey(SQLModel, table=True):
    """A merchant's key; `hint` is its beginning, so that a person can tell keys apart.

    `scopes`: what it may do, with blanks between them; None: everything. `last_used_at`: give or take a minute.
    """

    __tablename__ = "api_key"

    key_hash: str = Field(primary_key=True)
    merchant_id: str = Field(foreign_key="merchant.id", index=True)
    hint: str
    name: str | None = None
    scopes: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OperatorAction(SQLModel, table=True):
    """What an operator did, by whichever way in. Never changed or removed; the database itself refuses it (see migrations).

    `operator`: the wallet that had signed in, or `cli`. `ref`: what it was done to, such as `qua_…`
    """

    __tablename__ = "operator_action"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    at: datetime = Field(sa_type=UtcDateTime)
    operator: str
    action: str
    ref: str
    detail: str


# ------------------------------------------------------------------- shapes


class NoncePublic(Shape):
    nonce: str
    expires_at: str


class SignIn(Shape):
    message: str = ShapeField(max_length=4_000, description="The EIP-4361 message, as it was signed")
    signature: str = ShapeField(pattern=r"^0x[0-9a-fA-F]{130}$")


class SessionPublic(Shape):
    token: str = ShapeField(description="Send it as `Authorization: Bearer …`; shown this once")
    address: str
    expires_at: str


class OperatorActionPublic(Shape):
    at: str
    operator: str = ShapeField(description="The wallet's address, or `cli`")
    action: str = ShapeField(examples=["quarantine.retry"])
    ref: str
    detail: str


class MerchantCreate(Shape):
    name: Text = ShapeField(min_length=1, max_length=80, examples=["Café Dust"])


class MerchantPublic(Shape):
    id: str
    name: str
    address: str


class ApiKeyCreate(Shape):
    name: Text | None = ShapeField(default=None, min_length=1, max_length=80, examples=["Till 2"])
    scopes: list[Scope] | None = ShapeField(
        default=None,
        min_length=1,
        max_length=len(SCOPES),
        description="What it may do; everything if left out. `…:write` includes `…:read`",
    )
    expires_in_s: int | None = ShapeField(
        default=None, ge=60, le=10 * 366 * 86_400, description="Seconds until it ends; never if left out"
    )


class ApiKeyRotate(Shape):
    overlap_s: int = ShapeField(
        ge=0, le=7 * 86_400, description="Seconds for which the old key is good beside the new one; 0: it ends at once"
    )


class ApiKeyPublic(Shape):
    id: str = ShapeField(examples=["key_6f0c2a9b1d3e4f50"])
    hint: str = ShapeField(description="The key's beginning", examples=["tsk_test_Kd3f"])
    name: str | None
    scopes: list[Scope] | None = ShapeField(description="null: everything")
    created_at: str
    expires_at: str | None
    last_used_at: str | None = ShapeField(description="Give or take a minute; payments that it came with are not uses")


class MerchantCreated(MerchantPublic):
    api_key: str = ShapeField(description="Shown this once: keep it safe")


class ApiKeyCreated(MerchantCreated):
    key: ApiKeyPublic
