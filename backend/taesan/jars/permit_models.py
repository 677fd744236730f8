"""What lets the standing orders move a payer's gift tokens, as long as one of her rules is alive."""

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from taesan.core.models import UtcDateTime


class GiftPermit(SQLModel, table=True):
    """A payer's newest EIP-2612 permit for the standing orders; it goes along with conversions while the allowance is too small. It is
    forgotten once it was used, when its time is over, and with her last rule's end."""

    __tablename__ = "gift_permit"

    payer: str = Field(primary_key=True)
    value: int = Field(sa_column=Column(BigInteger, nullable=False))
    deadline: int = Field(sa_column=Column(BigInteger, nullable=False))
    signature: str
    received_at: datetime = Field(sa_type=UtcDateTime)
