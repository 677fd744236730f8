"""Where a person's report goes each month by itself."""

from datetime import date, datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Date, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Shape
from taesan.webhooks.models import Url


class ReportSchedule(SQLModel, table=True):
    """`month`: the next whose report is sent, at `due_at`; `tries`: of that, that have begun. `fault`: of the last try, if it has failed."""

    __tablename__ = "report_schedule"
    __table_args__ = (Index("ix_report_schedule_owner", "owner", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    url: str
    secret: str
    month: date = Field(sa_column=Column(Date, nullable=False))
    tries: int = 0
    fault: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes


class ScheduleTerms(Shape):
    url: Url


class SchedulePublic(Shape):
    url: str
    month: str = ShapeField(description="The next whose report is sent", examples=["2026-11"])
    due_at: str = ShapeField(description="An hour after the month's end, or when it is tried again")
    sent_at: str | None = ShapeField(description="When the last one arrived")
    fault: str | None = ShapeField(description="Why the last try has failed, if it has")


class ScheduleCreated(SchedulePublic):
    secret: str = ShapeField(description="`whsec_…`, for verifying signatures; shown this once")
