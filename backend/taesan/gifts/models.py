"""Gift links: gift tokens for whoever has the link."""

from datetime import datetime
from typing import Self

from pydantic import Field as ShapeField
from pydantic import model_validator
from sqlalchemy import BigInteger, Column, ForeignKey, Index
from sqlmodel import Field, SQLModel, col

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Shape, Signature, Text
from taesan.payments.token_models import TokenTransfer

MAX_MESSAGE, MAX_NAME = 280, 60  # characters
RETURN_LIFE_S = 366 * 86_400
"""So long after a link's end the signature is good that takes its tokens back."""
MOST_UNIX_S = 2**40


class Gift(SQLModel, table=True):
    """Gift tokens that wait at the address of a one-time key, which stands in the link's fragment: the hub never knows it.

    What has become of it is told by its transfers: `wrap_id` (sender → key), `claim_id` (key → whoever has the link),
    `return_id` (key → sender, after the link's end). The last one's signature is made with the link and kept here.
    `look_at`: when the worker looks at it next; None: it has come to its end.
    """

    __tablename__ = "gift"
    __table_args__ = (Index("ix_gift_sender", "sender", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    sender: str
    key_address: str = Field(unique=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    message: str
    sender_name: str
    made_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    return_nonce: str
    return_signature: str
    wrap_id: int = Field(sa_column=Column(BigInteger, ForeignKey(col(TokenTransfer.id)), nullable=False))
    claim_id: int | None = Field(default=None, sa_column=Column(BigInteger, ForeignKey(col(TokenTransfer.id))))
    return_id: int | None = Field(default=None, sa_column=Column(BigInteger, ForeignKey(col(TokenTransfer.id))))
    look_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


# ------------------------------------------------------------------- shapes


class Wrapping(Shape):
    """The sender's `TransferWithAuthorization` to the link's key, valid at once."""

    valid_before: AmountIn = ShapeField(description="Unix seconds")
    nonce: Bytes32
    signature: Signature


class TakingBack(Shape):
    """The link's key's `TransferWithAuthorization` to the sender: valid after `expires_at`, and before 366 days later."""

    nonce: Bytes32
    signature: Signature


class GiftCreate(Shape):
    sender: Address
    amount: AmountIn
    key_address: Address = ShapeField(description="Of a new key: the key itself stands in the link alone")
    expires_at: AmountIn = ShapeField(description="Unix seconds: the link can be used until then")
    wrapping: Wrapping
    taking_back: TakingBack
    message: Text = ShapeField(default="", max_length=MAX_MESSAGE)
    sender_name: Text = ShapeField(default="", max_length=MAX_NAME)

    @model_validator(mode="after")
    def _is_a_date(self) -> Self:
        if self.expires_at >= MOST_UNIX_S:
            raise ValueError("expires_at is in unix seconds")
        return self


class GiftClaim(Shape):
    """The link's key's `TransferWithAuthorization` to the recipient: valid after 0 and before the gift's `expires_at`."""

    recipient: Address
    nonce: Bytes32
    signature: Signature


class WayBack(Shape):
    """The link's key's `TransferWithAuthorization` to the gift's sender, with all its arguments: anybody can send it to the gift token
    once it is valid, with this hub or without."""

    sender: str
    recipient: str
    amount: AmountOut
    valid_after: AmountOut
    valid_before: AmountOut
    nonce: str
    signature: str


class GiftPublic(Shape):
    id: str = ShapeField(examples=["gift_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    state: str = ShapeField(
        description="`wrapping`: its tokens are on their way to the link's key; `open`; `claiming`, `claimed`; `expired`; "
        "`returning`, `returned`; or `failed`: the tokens never came"
    )
    sender: str
    sender_name: str
    message: str
    asset: str = ShapeField(description="CAIP-19: the gift token")
    amount: AmountOut
    exponent: int
    currency: str = ShapeField(description="ISO 4217: what a token stands for", examples=["USD"])
    key_address: str
    made_at: str
    expires_at: str
    claimed_at: str | None
    reason: str | None = ShapeField(description="Why it failed, or is late")
    transaction: str | None = ShapeField(description="That has brought it where it is")
    taking_back: WayBack
    url: str = ShapeField(description="The link, but for its key: `#` and the key's 32 bytes (base64url) go behind it")
