"""The hub's payment route as a competent newcomer would write it in an afternoon: FastAPI, pydantic, SQLModel, eth-account.
`python -m tests.bench.peer_straightforward DATABASE_FILE PORT CHANNELS [--native]`

It takes the same requests as ours and keeps the same promise: a 201 is on the disk, once. One transaction a payment.
Nothing is slow on purpose: uvicorn finds uvloop and httptools, SQLite is in WAL mode, writers take turns, indexes are few.

eth-keys picks coincurve up wherever it is installed, as it is here. `pip install eth-account` alone does not bring it:
then keys are recovered in pure Python, which `--native` chooses.
"""

import os
import sys
import threading
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

import uvicorn
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from pydantic import Field as BodyField
from sqlalchemy import Engine, event
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select

from taesan.core.crypto import keccak
from tests.bench.payers import DEPOSIT, MERCHANTS, Facts, Payer


def _address_of(role: str) -> str:
    return to_checksum_address(keccak(role.encode())[12:])


FACTS = Facts(
    chain_id=31337,
    channels=_address_of("channels"),
    settlement=_address_of("settlement"),
    operator=_address_of("operator"),
    asset="usd",
    asset_address=_address_of("asset"),
    delay_s=900,
    merchant_ids=[f"merchant-{number}" for number in range(MERCHANTS)],
)
DOMAIN = {
    "name": "x402 Batch Settlement",
    "version": "1",
    "chainId": FACTS.chain_id,
    "verifyingContract": FACTS.channels,
}
TYPES = {"Voucher": [{"name": "channelId", "type": "bytes32"}, {"name": "maxClaimableAmount", "type": "uint128"}]}


# -------------------------------------------------------------------- what is sent


class VoucherIn(BaseModel):
    channel_id: Annotated[str, BodyField(pattern="^0x[0-9a-f]{64}$")]
    max_claimable_amount: Annotated[str, BodyField(pattern="^[0-9]{1,30}$")]
    signature: Annotated[str, BodyField(pattern="^0x[0-9a-fA-F]{130}$")]


class Money(BaseModel):
    value: Annotated[str, BodyField(pattern="^[1-9][0-9]{0,29}$")]
    asset: str
    exponent: int


class ToJar(BaseModel):
    type: Literal["jar"]


class ToMerchant(BaseModel):
    type: Literal["merchant"]
    merchant_id: str


class PaymentIn(BaseModel):
    voucher: VoucherIn
    amount: Money
    destination: Annotated[ToJar | ToMerchant, BodyField(discriminator="type")]


# -------------------------------------------------------------------- what is kept


class Row(SQLModel, registry=registry()):
    """Tables of the same names as the hub's, which is in this process too: so a registry of their own."""


class Channel(Row, table=True):
    """Amounts in minor units."""

    id: str = Field(primary_key=True)
    payer: str
    deposit: int
    charged: int = 0


class Balance(Row, table=True):
    """What a jar or a merchant has been paid, in minor units."""

    owner: str = Field(primary_key=True)
    amount: int = 0


class Payment(Row, table=True):
    id: str = Field(primary_key=True, default_factory=lambda: uuid4().hex)
    idempotency_key: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id")
    amount: int
    cumulative: int
    signature: str
    owner: str = Field(foreign_key="balance.owner")
    accepted_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class PaymentOut(BaseModel):
    id: str
    channel_id: str
    amount: Money
    charged_cumulative: str
    accepted_at: datetime


def open_database(file: str) -> Engine:
    """SQLite as SQLAlchemy's documentation advises for concurrent writers: each transaction takes the lock as it begins."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    Row.metadata.create_all(engine)
    return engine


def move_in(engine: Engine, count: int) -> None:
    """A funded channel and a jar for each payer, and the merchants."""
    with Session(engine) as session:
        for number in range(count):
            payer = Payer(FACTS, number)
            session.add(Channel(id=payer.channel_id, payer=payer.address, deposit=DEPOSIT))
            session.add(Balance(owner=f"jar {payer.channel_id}"))
        session.add_all(Balance(owner=merchant_id) for merchant_id in FACTS.merchant_ids)
        session.commit()


# ----------------------------------------------------------------------- the route


def signer_of(voucher: VoucherIn) -> str:
    message = {
        "channelId": bytes.fromhex(voucher.channel_id[2:]),
        "maxClaimableAmount": int(voucher.max_claimable_amount),
    }
    signable = encode_typed_data(DOMAIN, TYPES, message)
    return str(Account.recover_message(signable, signature=voucher.signature))


def accept(session: Session, payment: PaymentIn, key: str, signer: str) -> Payment:
    """Books it, or finds what was booked under this key before. :raises HTTPException: it cannot be accepted"""
    voucher, to = payment.voucher, payment.destination
    owner = to.merchant_id if isinstance(to, ToMerchant) else f"jar {voucher.channel_id}"
    amount, cumulative = int(payment.amount.value), int(voucher.max_claimable_amount)
    known = session.exec(select(Payment).where(Payment.idempotency_key == key)).first()
    if known:
        same = (voucher.channel_id, amount, cumulative, voucher.signature, owner)
        if (known.channel_id, known.amount, known.cumulative, known.signature, known.owner) != same:
            raise HTTPException(409, "This Idempotency-Key was used for another payment.")
        return known
    channel, balance = session.get(Channel, voucher.channel_id), session.get(Balance, owner)
    if channel is None or balance is None:
        raise HTTPException(404, "There is no such channel or merchant.")
    if signer != channel.payer:
        raise HTTPException(403, "The signature is not the payer's.")
    if cumulative != channel.charged + amount:
        raise HTTPException(409, f"The voucher must be for {channel.charged + amount}.")
    if cumulative > channel.deposit:
        raise HTTPException(402, "The deposit does not cover this.")
    channel.charged = cumulative
    balance.amount += amount
    booked = Payment(
        idempotency_key=key,
        channel_id=channel.id,
        amount=amount,
        cumulative=cumulative,
        signature=voucher.signature,
        owner=owner,
    )
    session.add(booked)
    session.add(channel)
    session.add(balance)
    session.commit()
    return booked


def create_app(engine: Engine) -> FastAPI:
    app, writing = FastAPI(), threading.Lock()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/payments", status_code=201)
    def create_payment(payment: PaymentIn, idempotency_key: Annotated[str, Header(max_length=255)]) -> PaymentOut:
        if (payment.amount.asset, payment.amount.exponent) != (FACTS.asset, 6):
            raise HTTPException(422, f"Pay in {FACTS.asset}, with exponent 6.")
        signer = signer_of(payment.voucher)
        # As a dependency, the session would be closed only when a thread of the pool is free: all may wait for it. And a
        # lock of Python's wakes the next writer at once, where SQLite's makes it sleep and try again.
        with writing, Session(engine, expire_on_commit=False) as session:
            booked = accept(session, payment, idempotency_key, signer)
        return PaymentOut(
            id=booked.id,
            channel_id=booked.channel_id,
            amount=payment.amount,
            charged_cumulative=str(booked.cumulative),
            accepted_at=booked.accepted_at,
        )

    return app


if __name__ == "__main__":
    file, port, channels = sys.argv[1:4]
    if "--native" in sys.argv[4:]:
        os.environ["ECC_BACKEND_CLASS"] = "eth_keys.backends.NativeECCBackend"
    engine = open_database(file)
    move_in(engine, int(channels))
    uvicorn.run(create_app(engine), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
