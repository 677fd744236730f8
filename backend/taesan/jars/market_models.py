"""What rules can buy, as the standing orders' events tell it."""

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID


class ListedPool(SQLModel, table=True):
    """A token that rules can buy, and the pool that it is bought in: for good."""

    __tablename__ = "listed_pool"

    token: str = Field(primary_key=True)
    pool: str


class CollectibleOffer(SQLModel, table=True):
    """An offer of a collectible; the newest of each counts. `token`: its id as a rule names it. `price`: gift tokens, minor units; 0: it
    is not offered any more."""

    __tablename__ = "collectible_offer"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    event: str = Field(unique=True)
    token: str = Field(index=True)
    beneficiary: str
    price: int = Field(sa_column=Column(BigInteger, nullable=False))
