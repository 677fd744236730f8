"""Spans by OpenTelemetry, switched on by its own variables: `OTEL_EXPORTER_OTLP_ENDPOINT=http://…`, or
`OTEL_TRACES_EXPORTER=otlp` (or `console`). The others hold too: `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`,
`OTEL_EXPORTER_OTLP_HEADERS`, …; `OTEL_SDK_DISABLED=true` switches all off.

Off, as it is without them, nothing of the SDK is loaded and a span costs a comparison. What a span tells is named here and
where it is made: no header, no body, no query, and of an exception its type alone, for its text may hold a URL with a key.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

Attributes = Mapping[str, str | int]

_OFF: AbstractContextManager[None] = nullcontext()
_tracer: Any = None
_provider: Any = None


class TracingUnavailable(Exception):
    """The environment switches tracing on, and this installation cannot do it."""


def set_up_tracing(service: str) -> None:
    """:param service: this process's name, unless `OTEL_SERVICE_NAME` gives another

    :raises TracingUnavailable: with what to install or to set
    """
    wanted = _exporter_wanted()
    if wanted is None:
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(wanted)
    except ImportError as error:
        raise TracingUnavailable(
            "OTEL_… variables switch tracing on, and OpenTelemetry is not installed: "
            "install `taesan[tracing]` (`uv sync --extra tracing`), or unset them"
        ) from error
    is_named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if is_named else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_with(provider)


def trace_with(provider: Any) -> None:
    """:param provider: OpenTelemetry's `TracerProvider`; None switches off"""
    global _tracer, _provider  # of the process, as the environment is
    _provider, _tracer = provider, provider and provider.get_tracer("taesan")


def shut_down() -> None:
    """Sends what has not been sent yet."""
    if _provider is not None:
        _provider.shutdown()


def is_on() -> bool:
    return _tracer is not None


def _exporter_wanted() -> str | None:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    named = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if named:
        return None if named == "none" else named
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(os.environ.get(name) for name in endpoints) else None


def _exporter(name: str) -> Any:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name == "otlp":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    raise TracingUnavailable(f"OTEL_TRACES_EXPORTER is {name!r}; here it may be otlp (over HTTP), console or none")


# ------------------------------------------------------------------- spans


def span(
    name: str, attributes: Attributes | None = None, *, kind: str = "internal", parent: str | None = None
) -> AbstractContextManager[Any]:
    """For a `with`; its target is the span, or None while tracing is off.

    :param kind: `server` for what somebody else asks of us, `client` for what we ask
    :param parent: a W3C traceparent, such as `carried` gave in another process; None: the span around this one
    """
    return _OFF if _tracer is None else _entered(name, attributes, kind, parent)


@contextmanager
def _entered(name: str, attributes: Attributes | None, kind: str, parent: str | None) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = None if parent is None else TraceContextTextMapPropagator().extract({"traceparent": parent})
    with _tracer.start_as_current_span(
        name,
        context,
        SpanKind[kind.upper()],
        attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as entered:
        try:
            yield entered
        except BaseException as error:
            entered.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def detached(name: str, attributes: Attributes, causes: Sequence[Any]) -> Any:
    """A span that is not around anything, to be ended by its `end()`; None while tracing is off.

    :param causes: spans (`current`) that it serves: it is part of the first one's trace, and linked with the others'
    """
    if _tracer is None:
        return None
    from opentelemetry.trace import Link, set_span_in_context

    first, *others = causes
    links = [Link(cause.get_span_context()) for cause in others]
    return _tracer.start_span(name, set_span_in_context(first), attributes=attributes, links=links)


def current() -> Any:
    """The span around this line, if there is one."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    return get_current_span()


def carried(begun: Any) -> str | None:
    """A span as another process knows it (W3C traceparent)."""
    if begun is None:
        return None
    context = begun.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def name_trace(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: a line within a span names its trace."""
    if _tracer is not None:
        context = current().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
    return event
