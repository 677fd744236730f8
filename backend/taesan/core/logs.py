"""Structured logs on standard error: JSON lines, or readable ones. Ours and those of the libraries come out alike, and no
secret comes out at all."""

import json
import logging
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TextIO
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import structlog
from pydantic import SecretStr

from taesan.core.tracing import name_trace
from taesan.settings import Settings

# At `debug` these would tell every request with its URL, or every statement with its values.
TALKATIVE = ("alembic", "asyncio", "httpcore", "httpx", "hpack", "requests", "sqlalchemy", "urllib3", "web3")
HIDDEN = "[hidden]"

# Secrets that are not ours to know beforehand: what callers authenticate with, and whatever stands in a URL before its host.
_FORMS = (
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',\\]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\btsk_[\w-]+"), HIDDEN),
    (re.compile(r"\bwhsec_[\w+/=-]+"), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@\"'\\]+(?=@)"), HIDDEN),
)


class Logs(NamedTuple):
    """How a process logs; crosses to the intake's.

    :ivar secrets: texts that must not come out, however they are written
    """

    format: Literal["console", "json"]
    level: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Logs({self.format}, {self.level})"


def logs_of(settings: Settings, fields: Collection[str] | None = None) -> Logs:
    """:param fields: the settings that the process is given: it can tell no other secrets, and need not know them. None: all"""
    format_ = settings.log_format
    if format_ is None:
        format_ = "console" if settings.environment == "local" and sys.stderr.isatty() else "json"
    return Logs(format_, settings.log_level, tuple(sorted(secrets_of(settings, fields))))


def set_up_logs(logs: Logs, stream: TextIO | None = None) -> None:
    """For the whole process. :param stream: default: standard error"""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[logs.level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if logs.format == "console"
        else structlog.processors.JSONRenderer()
    )
    hide = _Hiding(logs.secrets)
    structlog.configure(
        processors=[*shared, renderer, hide],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, hide],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


# ------------------------------------------------------------------ what is hidden


class _Hiding:
    """Last in the chain: on the line as it would come out, whatever it was put together from."""

    def __init__(self, secrets: Iterable[str]) -> None:
        written = sorted({form for secret in secrets for form in _written(secret)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, written)), re.IGNORECASE) if written else None

    def __call__(self, _logger: object, _method: str, line: Any) -> Any:
        if self._known is not None:
            line = self._known.sub(HIDDEN, line)
        for form, instead in _FORMS:
            line = form.sub(instead, line)
        return line


def secrets_of(settings: Settings, fields: Collection[str] | None = None) -> set[str]:
    """Every `SecretStr`, and what is secret in each URL: providers of nodes put their keys into the path or the query."""
    found: set[str] = set()
    for name in type(settings).model_fields if fields is None else fields:
        for value in _values(getattr(settings, name)):
            if isinstance(value, SecretStr):
                found.add(value.get_secret_value())
            elif "://" in value:
                for url in (value, *value.split(",")):  # several nodes may be named
                    found |= _secrets_in_url(url)
    return found - {""}


def _values(value: object) -> Iterator[str | SecretStr]:
    if isinstance(value, str | SecretStr):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _values(each)


KEY_LENGTH = 12
"""Characters from which a part of a node's path is taken for a key: `mainnet` is none."""


def _secrets_in_url(url: str) -> set[str]:
    parts = urlsplit(url)
    found = {unquote(parts.password)} if parts.password else set()
    if parts.scheme.startswith(("http", "ws")):
        found |= {part for part in parts.path.split("/") if len(part) >= KEY_LENGTH}
        found |= {value for _, value in parse_qsl(parts.query)}
        if parts.username and not parts.password:
            found.add(unquote(parts.username))  # a key instead of a name
    return found


def _written(secret: str) -> set[str]:
    """A secret as it may be written: as it is, without 0x, within JSON, within a URL, as Python shows a text."""
    bare = secret.removeprefix("0x")
    forms = {secret, bare, json.dumps(secret)[1:-1], quote(secret, safe=""), repr(secret)[1:-1]}
    return {form for form in forms if len(form) > 3}  # shorter ones would hide half of everything
