"""The books' tables. Entries and postings are never changed or removed; the database itself refuses it (see migrations)."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime


class Account(SQLModel, table=True):
    """An account. `side` is +1 for debit-normal and −1 for credit-normal accounts (liabilities)."""

    __tablename__ = "account"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    name: str = Field(unique=True)
    kind: str = Field(index=True)
    asset: str
    side: int


class Balance(SQLModel, table=True):
    """What is in an account, on its own side; the database itself refuses an overdrawn one.

    Apart from `Account`, whose rows are long: each payment changes two balances, and hundreds of these fit on a page.
    """

    __tablename__ = "balance"
    __table_args__ = (CheckConstraint("amount BETWEEN 0 AND 9223372036854775807", name="not_overdrawn"),)

    account_id: int = Field(sa_column=Column(BIG_ID, primary_key=True, autoincrement=False))
    amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class JournalEntry(SQLModel, table=True):
    """One event in the books. `hash` covers the entry, its postings and the hash before it."""

    __tablename__ = "journal_entry"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    ref: str = Field(unique=True)
    kind: str
    posted_at: datetime = Field(sa_type=UtcDateTime)
    hash: bytes


class Posting(SQLModel, table=True):
    """One line of an entry: `amount` minor units, a debit if positive, a credit if negative."""

    __tablename__ = "posting"
    __table_args__ = {"sqlite_with_rowid": False}

    entry_id: int = Field(sa_column=Column(BigInteger, primary_key=True))
    line: int = Field(primary_key=True)
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))


class Turnover(SQLModel, table=True):
    """What the entries of a kind have moved in all, by the kind of account: sums over `posting`, kept as it grows."""

    __tablename__ = "turnover"

    entry_kind: str = Field(primary_key=True)
    account_kind: str = Field(primary_key=True)
    asset: str = Field(primary_key=True)
    debit: int = Field(sa_column=Column(BigInteger, nullable=False))
    credit: int = Field(sa_column=Column(BigInteger, nullable=False))
