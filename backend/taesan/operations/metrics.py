"""Everything for Prometheus: what this process has counted, what the database tells, the process itself.

Each process tells of itself what it counts (requests, payments, its intake's groups, its worker's steps): they are added up
there. What the database tells is the same from all of them: there, take the maximum.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import accumulate

import structlog
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from taesan import __version__
from taesan.chain.errors import RequestRefused
from taesan.core import meters
from taesan.core.db import UNAVAILABLE, brief
from taesan.core.meters import Counter, Histogram
from taesan.core.worker import TransientError
from taesan.hub import Hub
from taesan.operations.figures import Figure, figures
from taesan.payments.lanes import Lanes

log = structlog.get_logger()

BALANCE_EVERY_S = 30
HEARD_WITHIN_S = 60


def registry_of(hub: Hub, lanes: Lanes) -> CollectorRegistry:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(Counted())
    registry.register(_Intake(lanes))
    registry.register(_Told(hub))
    return registry


def serve_worker(port: int) -> None:
    """What a worker's own process counts, over HTTP to this machine only; in a thread that ends with the process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Counted())
    start_http_server(port, "127.0.0.1", registry)


class Counted(Collector):
    """The meters of this process."""

    def collect(self) -> Iterator[Metric]:
        for meter in list(meters.EVERY):
            yield _counter(meter) if isinstance(meter, Counter) else _histogram(meter)


def _counter(meter: Counter) -> Metric:
    family = CounterMetricFamily(meter.name, meter.help, labels=meter.labels)
    for labels, value in list(meter.values.items()):
        family.add_metric(labels, value)
    if not meter.labels and not meter.values:
        family.add_metric((), 0)
    return family


def _histogram(meter: Histogram) -> Metric:
    family = HistogramMetricFamily(meter.name, meter.help, labels=meter.labels)
    bounds = [*map(floatToGoString, meter.bounds), "+Inf"]
    for labels, series in list(meter.series.items()):
        buckets = list(zip(bounds, accumulate(series.counts), strict=True))
        family.add_metric(labels, buckets, series.total)
    return family


class _Intake(Collector):
    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    def collect(self) -> Iterator[Metric]:
        help_ = "Payments that this process has taken and not answered yet."
        yield GaugeMetricFamily("taesan_intake_queue_payments", help_, value=self._lanes.waiting)


class _Told(Collector):
    """What the database tells, and the node of the operator's balance."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._balance = hub, _Balance(hub)
        self._head, self._head_moved_at = 0, time.monotonic()

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("taesan_build_info", "1; what runs here.", labels=("version", "environment"))
        build.add_metric((__version__, self._hub.settings.environment), 1)
        yield build
        told: list[Figure] = []
        try:
            with self._hub.db.read() as session:
                told = list(figures(session, self._hub))
        except UNAVAILABLE as error:
            log.error("metrics.no_database", reason=brief(error))
        yield GaugeMetricFamily("taesan_database_up", "1 if the database can be read.", value=float(bool(told)))
        yield from map(_family, told)
        by_name = {figure.name: figure.values.get((), 0) for figure in told}
        if told:
            yield from self._head_age(int(by_name["taesan_chain_head_block"]))
        if told and by_name["taesan_node_silence_seconds"] < HEARD_WITHIN_S:
            yield from self._balance.collect()

    def _head_age(self, head: int) -> Iterable[Metric]:
        now = time.monotonic()
        if head != self._head:
            self._head, self._head_moved_at = head, now
        help_ = "Since this process has seen the chain's head move."
        yield GaugeMetricFamily("taesan_chain_head_age_seconds", help_, value=now - self._head_moved_at)


class _Balance:
    """The one figure that a node is asked for, not at every look: it may take its time to answer."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._asked_at = -float(BALANCE_EVERY_S)
        self._wei: int | None = None

    def collect(self) -> Iterator[Metric]:
        if time.monotonic() - self._asked_at >= BALANCE_EVERY_S:
            self._asked_at = time.monotonic()
            self._wei = self._ask()
        if self._wei is not None:
            help_ = "What the operator's key has for gas."
            yield GaugeMetricFamily("taesan_signer_balance_wei", help_, value=self._wei)

    def _ask(self) -> int | None:
        try:
            return int(str(self._hub.node.request("eth_getBalance", self._hub.signer.address, "latest")), 16)
        except (TransientError, RequestRefused, ValueError) as error:
            log.warning("metrics.no_balance", reason=str(error))
            return None


def _family(figure: Figure) -> Metric:
    kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    family = kind(figure.name, figure.help, labels=figure.labels)
    for labels, value in figure.values.items():
        family.add_metric(labels, value)
    return family
