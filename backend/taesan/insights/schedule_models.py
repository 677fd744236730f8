"""Where a person's report goes each month by itself: to a URL, or to a mail address that was confirmed."""

from datetime import date, datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Date, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import MailAddress, Shape, Text
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

    @property
    def is_monthly(self) -> bool:
        return True


class ReportMail(SQLModel, table=True):
    """`token`: in each mail's link to unsubscribe. Until `confirmed_at`, what is due is the mail with the code, of which the hash is kept
    until it is good no more; then the row goes.

    `month`, `tries`, `fault`, `sent_at`, `due_at`: as in `ReportSchedule`. `doubtful`: how many of the tries may have got there, as far as
    we know. `attempts`: wrong codes.
    """

    __tablename__ = "report_mail"
    __table_args__ = (Index("ix_report_mail_owner", "owner", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    address: str
    token: str = Field(unique=True)
    code_hash: str | None = None
    code_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    month: date = Field(sa_column=Column(Date, nullable=False))
    tries: int = 0
    doubtful: int = 0
    fault: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime = Field(sa_type=UtcDateTime, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)

    @property
    def is_monthly(self) -> bool:
        return self.confirmed_at is not None


class MailLimit(SQLModel, table=True):
    """How many mails with a code somebody has had sent, until when that counts. `key`: a hash of the address, of the wallet, or the hub."""

    __tablename__ = "report_mail_limit"

    key: str = Field(primary_key=True)
    count: int
    until: datetime = Field(sa_type=UtcDateTime, index=True)


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


class ScheduleTried(Shape):
    arrived: bool = ShapeField(description="Whether it was answered with 2xx")
    fault: str | None = ShapeField(description="Why not")


class MailTerms(Shape):
    address: MailAddress


class MailCode(Shape):
    code: Text = ShapeField(max_length=100, description="Out of the newest mail")


class MailPublic(Shape):
    offered: bool = ShapeField(description="False: this hub sends no e-mail")
    address: str | None = ShapeField(description="Null: there is none")
    confirmed: bool = ShapeField(description="Until then it is sent a code, and nothing else")
    month: str | None = ShapeField(description="The next whose report is sent", examples=["2026-11"])
    due_at: str | None = ShapeField(description="An hour after the month's end, or when it is tried again")
    sent_at: str | None = ShapeField(description="When our mail server took the last report")
    fault: str | None = ShapeField(description="Why the last try has failed, if it has")
