"""Which mail server takes the hub's mails, if any."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from taesan.core.values import parse_mail_address


class SmtpSettings(BaseSettings):
    smtp_host: str | None = Field(
        default=None, description="The mail server that takes persons' monthly reports; none: no e-mail is offered"
    )
    smtp_port: int | None = Field(default=None, gt=0, lt=2**16, description="587; 465 with tls, 25 with none")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`tls`: from the first byte on; `none`: for `local` only"
    )
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_password_file: Path | None = Field(default=None, description="Instead of the password itself")
    smtp_from: str | None = Field(default=None, description="From this address: reports@hub.example")
    mail_confirmations_hourly: int = Field(
        default=200, gt=0, description="Mails to addresses that nobody has confirmed yet: the hub sends no more of them"
    )

    @field_validator(
        "smtp_host", "smtp_port", "smtp_user", "smtp_password", "smtp_password_file", "smtp_from", mode="before"
    )
    @classmethod
    def _is_empty_or_something(cls, value: object) -> object:
        return value or None

    @field_validator("smtp_from")
    @classmethod
    def _is_mail_address(cls, address: str | None) -> str | None:
        return None if address is None else parse_mail_address(address)

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.smtp_host is None) != (self.smtp_from is None):
            raise ValueError("TAESAN_SMTP_HOST and TAESAN_SMTP_FROM go together")
        named = (self.smtp_password is not None) + (self.smtp_password_file is not None)
        if named != (self.smtp_user is not None):
            raise ValueError("TAESAN_SMTP_USER goes with one of TAESAN_SMTP_PASSWORD and TAESAN_SMTP_PASSWORD_FILE")
        return self

    @property
    def mail_port(self) -> int:
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.smtp_tls]
