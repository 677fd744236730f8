"""Advice as it is told, and what of it somebody does not want to hear again."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.reasons import ReasonPublic
from taesan.core.values import Shape


class AdviceDismissed(SQLModel, table=True):
    """`advice`: the id of what is not told to the person any more."""

    __tablename__ = "advice_dismissed"
    __table_args__ = (Index("ix_advice_dismissed_owner", "owner", "advice", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    advice: str
    dismissed_at: datetime = Field(sa_type=UtcDateTime)


class AdvisedRule(Shape):
    """The body of a dry run: send it as it is to `dry_run`."""

    gather: str = ShapeField(examples=["round up to 500 KRW"])
    fires: str = ShapeField(examples=["monthly on day 1 at Asia/Seoul"])
    only: str = ShapeField(examples=["category coffee"])
    month: str = ShapeField(description="That the advice's figures are of", examples=["2026-10"])


class AdvicePublic(ReasonPublic):
    id: str = ShapeField(
        examples=["adv_9b1d3e4f506172819ac5b2f1"], description="The same as long as it is the same advice"
    )
    code: str = ShapeField(description="Stable", examples=["round-up-merchant"])
    title: str = ShapeField(description="In plain words, in the person's language")
    values: dict[str, str] = ShapeField(
        description="The figures that it rests on; amounts in minor units of `asset`",
        examples=[{"count": "14", "gathered": "12300", "asset": "KRW", "exponent": "0"}],
    )
    phrased: str | None = ShapeField(
        description="The same as the operator's language model puts it, if there is one; each of its numbers stands in `title`"
    )
    rule: AdvisedRule | None = ShapeField(description="That it would set; nothing is set by asking")
    dry_run: str | None = ShapeField(
        description="Where a POST of `rule` tells what it would have gathered",
        examples=["/v1/channels/0x5a5a5a5a/rules/dry-run"],
    )


class AdviceList(Shape):
    month: str = ShapeField(description="The last full one, in the person's time zone", examples=["2026-10"])
    items: list[AdvicePublic] = ShapeField(description="At most five, the most useful first")
