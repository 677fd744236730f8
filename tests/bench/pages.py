"""How soon the pages are there: `python -m tests.bench.pages [--rounds N] [--write FILE]`.

Opens each of them in Chromium at a live hub: in a new profile, in one that knows it, and in a new one over a slow network.
Ends with 1 if a first visit fetches more than it may.
"""

import argparse
import os
import platform
import re
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from eth_account import Account
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.support.browser_wallet import Extension, with_channel, with_key
from tests.support.chromium import chromium
from tests.support.live import LiveHub
from tests.support.stage import OPERATOR_KEY

PAYMENTS = 100
ROUNDS = 7
FETCHED_MAX_BYTES = 150_000
READY_MAX_MS = 1_000
SLOW_LATENCY_MS, SLOW_MBIT = 100, 10
SCREEN = {"width": 1280, "height": 800}
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks" / "pages.md"

NOTES_WHEN_READY = """(() => {
  const isSeen = (element) => element.checkVisibility();
  const isWaiting = (body) => isSeen(body) && (body.childElementCount === 0 || body.querySelector(".skeleton"));
  const isDrawn = () => [...document.querySelectorAll(DRAWN)].some(isSeen) && ![...document.querySelectorAll(".body")].some(isWaiting);
  const look = () => requestAnimationFrame(isDrawn() ? () => performance.mark("ready") : look);
  look();
})()"""
NOTED = """() => {
  const [ready] = performance.getEntriesByName("ready");
  const [painted] = performance.getEntriesByName("first-contentful-paint");
  return ready && painted && [painted.startTime, ready.startTime];
}"""


class Target(NamedTuple):
    """A page. :ivar drawn: a selector of the last that it draws. :ivar person: who has signed in before, if anybody"""

    name: str
    path: str
    drawn: str
    person: str = ""


def targets(payment: str) -> list[Target]:
    return [
        Target("overview", "/", "#mountain [data-specks] *"),
        Target("wallet, to sign in", "/wallet", ".wallets li > button"),
        Target("wallet, to sign in, in Korean", "/wallet?lang=ko", ".wallets li > button"),
        Target("wallet", "/wallet", "#jar .jar-picture", "payer"),
        Target("shop", "/wallet/shop", "#goods [data-good]", "payer"),
        Target("activity", "/wallet/activity", "#activity .body", "payer"),
        Target("insights, in Korean", "/wallet/insights?lang=ko", "#begin *", "payer"),
        Target("merchant", "/merchant", "#payments li", "merchant"),
        Target("merchant's insights", "/merchant/insights", "#cohorts .body > *", "merchant"),
        Target("operator", "/operator", "#gas canvas", "operator"),
        Target("a payment", f"/payments/{payment}", "#batch .pill"),
    ]


class Opening(NamedTuple):
    """One visit. :ivar painted_ms: when anything was seen. :ivar ready_ms: when nothing was waited for any more"""

    fetched_bytes: int
    requests: int
    painted_ms: float
    ready_ms: float


@dataclass
class Openings:
    """Of one page."""

    cold: list[Opening] = field(default_factory=list)
    warm: list[Opening] = field(default_factory=list)
    slow: list[Opening] = field(default_factory=list)


# -------------------------------------------------------------------- measuring


class Wire:
    """What a page's visits fetch, as the browser's network tells it, with heads."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.on("Network.requestWillBeSent", self._asked)
        self._session.on("Network.loadingFinished", self._answered)
        self._session.send("Network.enable")
        self.forget()

    def forget(self) -> None:
        self.requests, self.fetched_bytes = 0, 0

    def slow_down(self) -> None:
        rate = SLOW_MBIT * 1e6 / 8
        conditions = {"latency": SLOW_LATENCY_MS, "downloadThroughput": rate, "uploadThroughput": rate}
        self._session.send("Network.emulateNetworkConditions", {"offline": False} | conditions)

    def _asked(self, event: dict[str, Any]) -> None:
        self.requests += event["request"]["url"].startswith("http")

    def _answered(self, event: dict[str, Any]) -> None:
        self.fetched_bytes += int(event["encodedDataLength"])


def _open(page: Page, wire: Wire, url: str) -> Opening:
    wire.forget()
    page.goto(url)
    painted_ms, ready_ms = page.wait_for_function(NOTED, polling=50).json_value()
    page.wait_for_load_state("networkidle")  # with what comes after
    return Opening(wire.fetched_bytes, wire.requests, painted_ms, ready_ms)


@contextmanager
def _new_profile(browser: Browser, target: Target, states: dict[str, Any]) -> Iterator[Page]:
    """With an empty cache, and what the person's browser has stored."""
    context = browser.new_context(viewport=SCREEN, locale="en", storage_state=states.get(target.person))  # type: ignore[arg-type]
    context.add_init_script(NOTES_WHEN_READY.replace("DRAWN", repr(target.drawn)))
    yield context.new_page()
    context.close()


def measure(browser: Browser, hub: LiveHub, rounds: int) -> dict[Target, Openings]:
    """Round by round, so that what else the machine does is shared by all pages. The first round is to warm up the hub."""
    found: dict[Target, Openings] = defaultdict(Openings)
    with hub.at_work():
        states = _states(browser, hub)
        payment = [hub.pay_once(to_merchant=n % 2 == 0)["id"] for n in range(PAYMENTS)][-1]
        hub.wait_until(lambda o: o["counts"]["payments_waiting"] == 0 and o["batches"][0]["state"] == "posted")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    pages = targets(payment)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("visits", total=3 * len(pages) * (rounds + 1))
        for number in range(rounds + 1):
            for target in pages:
                url = hub.url + target.path
                with _new_profile(browser, target, states) as page:
                    wire = Wire(page)
                    cold, warm = _open(page, wire, url), _open(page, wire, url)
                with _new_profile(browser, target, states) as page:
                    wire = Wire(page)
                    wire.slow_down()
                    slow = _open(page, wire, url)
                if number:
                    found[target].cold.append(cold)
                    found[target].warm.append(warm)
                    found[target].slow.append(slow)
                progress.advance(task, 3)
    return found


def _states(browser: Browser, hub: LiveHub) -> dict[str, Any]:
    """Person → what a browser has stored in which she signed in; the payer has opened a channel too."""

    def visit(url: str, extension: Extension | None = None, **_: object) -> Page:
        context = browser.new_context(viewport=SCREEN, locale="en")
        if extension:
            extension.install(context)
        page = context.new_page()
        page.goto(url)
        return page

    def state_of(context: BrowserContext) -> Any:
        state = context.storage_state()
        context.close()
        return state

    payer, _ = with_channel(hub, visit, "9.00")
    people = {"payer": payer}
    for app, account in (("merchant", hub.merchant_wallet.key), ("operator", Account.from_key(OPERATOR_KEY))):
        people[app] = visit(f"{hub.url}/{app}")
        with_key(people[app], account)
    return {name: state_of(page.context) for name, page in people.items()}


# ---------------------------------------------------------------------- telling


def too_large(found: dict[Target, Openings]) -> list[str]:
    return [target.name for target, openings in found.items() if _fetched(openings) > FETCHED_MAX_BYTES]


def _fetched(openings: Openings) -> int:
    return max(opening.fetched_bytes for opening in openings.cold)


def _ms(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} / {max(values):,.0f}"


def _row(target: Target, openings: Openings) -> str:
    cold, warm, slow = openings.cold, openings.warm, openings.slow
    cells = [
        f"{target.name}, `{re.sub('pay_.*', '{id}', target.path)}`",
        f"{_fetched(openings) / 1e3:,.0f}",
        f"{max(opening.requests for opening in cold)}",
        _ms([opening.painted_ms for opening in cold]),
        f"**{statistics.median(opening.ready_ms for opening in cold):,.0f}** / {max(o.ready_ms for o in cold):,.0f}",
        _ms([opening.painted_ms for opening in warm]),
        _ms([opening.ready_ms for opening in warm]),
        _ms([opening.ready_ms for opening in slow]),
    ]
    return "| " + " | ".join(cells) + " |"


def document(found: dict[Target, Openings], browser: str, loads: tuple[float, float]) -> str:
    """:param browser: its version. :param loads: of the machine, before and after"""
    first = next(iter(found.values()))
    slowest = max(statistics.median(opening.ready_ms for opening in openings.cold) for openings in found.values())
    largest = max(_fetched(openings) for openings in found.values())
    rows = "\n".join(_row(target, openings) for target, openings in found.items())
    return f"""# How soon the pages are there

<!-- Written by `make bench-pages`; edit tests/bench/pages.py instead. -->

First visits: at most **{largest / 1e3:,.0f} KB** are fetched (the target is {FETCHED_MAX_BYTES / 1e3:,.0f}), and the slowest page
is ready after **{slowest:,.0f} ms** in the median (the target is {READY_MAX_MS:,}).

| page | KB fetched | requests | first visit: painted, ms | first visit: ready, ms | again: painted, ms | again: ready, ms | slow network: ready, ms |
|---|---:|---:|---:|---:|---:|---:|---:|
{rows}

Median / most of {len(first.cold)} visits, all in milliseconds since the address was
asked for. A page is **painted** when the browser has drawn anything of it (first contentful paint), and **ready** when the next
frame after that shows what the page is for: no part that is seen waits or is empty, and the last thing that the page draws
stands there. Fetched is what came over the wire until the network was idle, packed and with heads, the most of all visits.

A first visit is in a new profile with an empty cache; pages behind the door find a wallet there that has signed in before. “Again”
is the same page in the same profile, with the service worker, which asks the hub anew whether each file has changed. The slow
network answers each request {SLOW_LATENCY_MS} ms later and carries {SLOW_MBIT} Mbit/s, in a new profile.

{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), which the browser, the hub (one process, SQLite) and the
measurement share; Chromium {browser} without a graphics card, Python {platform.python_version()}. The hub has {PAYMENTS} payments and more; its
worker rests meanwhile. How busy the machine was (load average): {loads[0]:.1f} at first, {loads[1]:.1f} at last.
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", type=Path, default=DOCS)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    with tempfile.TemporaryDirectory(prefix="taesan-pages-") as folder, chromium() as browser:
        hub = LiveHub(Path(folder))
        try:
            before = os.getloadavg()[0]
            found = measure(browser, hub, chosen.rounds)
            loads = before, os.getloadavg()[0]
        finally:
            hub.stop()
        content = document(found, browser.version, loads)
    chosen.write.write_text(content)
    print(content)
    return 1 if too_large(found) else 0


if __name__ == "__main__":
    sys.exit(main())
