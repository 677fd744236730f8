"""Which column of a CSV means what, as a person has told it. Pure."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from taesan.core.values import Shape, Text
from taesan.insights.figures import CURRENCIES, DecimalSign, Order

MAX_HEADING = 100
MOST_NAMES = 3
MOST_WORDS, MAX_WORD = 20, 40

Column = Annotated[Text, Field(min_length=1, max_length=MAX_HEADING)]


class Mapping(Shape):
    """Columns are named by their headings."""

    date: Column
    time: Column | None = Field(default=None, description="If it stands in a column of its own")
    date_order: Order = Field(description="`ymd`, `dmy` or `mdy`")
    amount: Column | None = Field(default=None, description="Or `debit`, and perhaps `credit`")
    debit: Column | None = None
    credit: Column | None = None
    fee: Column | None = Field(default=None, description="What the bank took besides, whatever its sign")
    spending: Literal["positive", "negative"] = Field(
        default="positive", description="Which sign an amount has in the column `amount` or `debit` when money is spent"
    )
    incoming: Literal["refunded", "skipped"] = Field(
        description="What money that comes in is: given back (of a card), or no matter of spending (of an account)"
    )
    decimal: DecimalSign = Field(default=".", description="The decimal sign")
    currency: str = Field(description="ISO 4217, where no column tells it", examples=["KRW"])
    currency_column: Column | None = None
    names: list[Column] = Field(
        min_length=1, max_length=MOST_NAMES, description="Who was paid: the first of these that is filled"
    )
    type: Column | None = Field(
        default=None,
        description="What kind of movement it was, in the bank's words: transfers and bills are known by it",
    )
    skip_words: list[Annotated[Text, Field(min_length=1, max_length=MAX_WORD)]] = Field(
        default_factory=list,
        max_length=MOST_WORDS,
        description="A line counts for nothing if one of these stands in `type` or in one of `names`",
        examples=[["FBS출금", "김민지"]],
    )
    category: Column | None = Field(default=None, description="What kind of shop it was, in the bank's words")
    reference: Column | None = Field(default=None, description="The bank's own number of a line")
    balance: Column | None = Field(default=None, description="Tells equal lines apart")
    status: Column | None = Field(default=None, description="Tells by a word like 취소 what was cancelled")
    cancelled: Literal["refunded", "skipped"] = Field(
        default="refunded",
        description="Whether a cancelled line is a refund of its own, or marks a purchase that never was",
    )

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, code: str) -> str:
        if code not in CURRENCIES:
            raise ValueError("is no currency of ISO 4217")
        return code

    @model_validator(mode="after")
    def _has_an_amount(self) -> Self:
        if (self.amount is None) == (self.debit is None):
            raise ValueError("name either the column `amount`, or `debit` and perhaps `credit`")
        if self.credit is not None and self.debit is None:
            raise ValueError("`credit` needs `debit`")
        return self

    def columns(self) -> list[str]:
        """The headings that the file must have."""
        named = (
            self.date, self.time, self.amount, self.debit, self.credit, self.fee, self.currency_column,
            self.type, self.category, self.reference, self.balance, self.status, *self.names,
        )  # fmt: skip
        return [column for column in named if column is not None]
