"""Imported statements: which files, which of their lines, how their columns are read, and what a person has said of duplicates."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field as ShapeField
from pydantic import model_validator
from sqlalchemy import JSON, BigInteger, Column, Date, ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel, col

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.problems import Problem
from taesan.core.reasons import ReasonPublic
from taesan.core.values import AmountOut, Shape, Text
from taesan.insights import tables
from taesan.insights.lines import MAX_FIELD, Kind, shown
from taesan.insights.mappings import Mapping
from taesan.insights.models import MovementPublic
from taesan.insights.tables import MAX_CELLS

MAX_LABEL = 60  # characters of what a person calls an account, or a file

Verdict = Literal["suspected", "confirmed", "dismissed"]


class StatementImport(SQLModel, table=True):
    """A file that was imported. `digest`: of its bytes and how they were read; `fingerprint`: of a CSV's headings.

    `lines`: that count, of which `added` were not known before. `skipped`: that count for nothing.
    """

    __tablename__ = "statement_import"
    __table_args__ = (
        UniqueConstraint("owner", "digest"),
        Index("ix_statement_import_owner", "owner", "id"),
        Index("ix_statement_import_fingerprint", "owner", "fingerprint"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    format: str
    name: str
    account: str
    digest: str
    fingerprint: str | None = None
    lines: int
    added: int
    skipped: int
    first_day: date | None = Field(default=None, sa_column=Column(Date))
    last_day: date | None = Field(default=None, sa_column=Column(Date))
    imported_at: datetime = Field(sa_type=UtcDateTime)


class StatementLine(SQLModel, table=True):
    """That a file has a line, known by its key: a line is kept as long as any file has it."""

    __tablename__ = "statement_line"
    __table_args__ = (
        Index("ix_statement_line_owner", "owner", "key", "import_id", unique=True),
        Index("ix_statement_line_import", "import_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    import_id: int = Field(sa_column=Column(BigInteger, ForeignKey(col(StatementImport.id)), nullable=False))
    key: str


class StatementMapping(SQLModel, table=True):
    """What a person has said that the columns under some headings mean (`mappings.Mapping`)."""

    __tablename__ = "statement_mapping"
    __table_args__ = (Index("ix_statement_mapping_owner", "owner", "fingerprint", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    fingerprint: str
    mapping: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    set_at: datetime = Field(sa_type=UtcDateTime)


class DuplicateVerdict(SQLModel, table=True):
    """What a person has said of two movements, by what their sources call them: it outlives the rows of a file that is removed and
    imported again. `line`, `other`: such as `statement/spent/…`; if both are one, it is left out of the sums (`exclusions.py`)."""

    __tablename__ = "duplicate_verdict"
    __table_args__ = (Index("ix_duplicate_verdict_owner", "owner", "line", "other", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    line: str
    other: str
    verdict: str
    said_at: datetime = Field(sa_type=UtcDateTime)


class DuplicateCursor(SQLModel, table=True):
    """The last movement that was compared with statements; one row, from the first import on."""

    __tablename__ = "duplicate_cursor"

    id: int = Field(default=1, primary_key=True)
    movement_id: int = Field(sa_column=Column(BigInteger, nullable=False))


# ------------------------------------------------------------------- shapes


class ImportPublic(Shape):
    id: str = ShapeField(examples=["imp_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    format: Literal["ofx", "csv"]
    name: str = ShapeField(description="What the person called the file")
    account: str = ShapeField(description="What the person called the account")
    lines: int = ShapeField(description="Of the file, that count")
    added: int = ShapeField(description="Of these, what no import before has had")
    skipped: int = ShapeField(description="Lines that count for nothing; the preview tells why")
    first_day: str | None
    last_day: str | None
    imported_at: str


class FaultPublic(Shape):
    line: int
    reason: ReasonPublic


class LinePublic(Shape):
    line: int = ShapeField(description="In the file, from 1")
    day: str
    kind: Kind
    name: str = ShapeField(description="As the bank writes it")
    merchant: str = ShapeField(description="The name that is the same in all sources")
    category: str = ShapeField(description="As the bank writes it")
    asset: str
    exponent: int
    amount: AmountOut
    known: bool = ShapeField(description="An import before has had it")
    duplicate_of: str | None = ShapeField(description="The movement that it seems to be: it would be in no sum")


class PreviewPublic(Shape):
    """What an import would do. `mapping` is what the columns are taken for: remembered, or guessed and to be confirmed."""

    format: Literal["ofx", "csv"]
    fingerprint: str | None = ShapeField(description="Of a CSV's headings: what its mapping is set by")
    headings: list[str]
    mapping: Mapping | None
    draft: dict[str, Any] | None = ShapeField(
        description="Where `mapping` is null, what could be guessed of one: fill in what is empty"
    )
    questions: list[ReasonPublic] = ShapeField(
        description="What only you can say: what is missing, or may be otherwise"
    )
    confirmed: bool = ShapeField(description="False: set the mapping before the import")
    lines: int
    added: int
    duplicates: int
    first_lines: list[LinePublic]
    skipped: list[FaultPublic] = ShapeField(description="The first of those lines that count for nothing, and why")
    skipped_count: int
    faults: list[FaultPublic] = ShapeField(description="What cannot be read by this mapping: nothing would be imported")


class MappingTerms(Mapping):
    """`headings`: with them it is told at once, and not by the first import, that the file has no column of that name."""

    headings: list[Annotated[Text, ShapeField(max_length=MAX_FIELD)]] | None = ShapeField(
        default=None, max_length=MAX_CELLS, description="As the preview tells them"
    )

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        missing = [column for column in self.columns() if column not in (self.headings or self.columns())]
        if missing:
            raise ValueError(f"the file has no column {shown(missing[0])}")
        return self

    def of_file(self, fingerprint: str) -> Mapping:
        """:raises Problem: `other-headings`: these are not the headings that the fingerprint is of"""
        # A line of headings may end in empty cells.
        told = self.headings or []
        ends = range(MAX_CELLS - len(told) + 1)
        if self.headings is not None and all(tables.fingerprint(told + n * [""]) != fingerprint for n in ends):
            raise Problem("other-headings", 422, "The fingerprint is of other headings than these.")
        return Mapping.model_validate(self.model_dump(exclude={"headings"}))


class MappingPublic(Shape):
    fingerprint: str
    mapping: Mapping
    set_at: str


class DuplicatePublic(Shape):
    """Two movements that seem to be one, by the sources that tell them."""

    movement: MovementPublic = ShapeField(description="In no sum, unless the verdict is `dismissed`")
    original: MovementPublic | None = ShapeField(description="None: it was dismissed, and is a movement of its own")
    verdict: Verdict = ShapeField(description="suspected, until the person has confirmed or dismissed it")
