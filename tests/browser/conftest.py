"""A Chromium for the tests of the pages, and a `visit` that watches what a page does.

The hub comes from `live_hub` in `tests/conftest.py`: an object with `.url` and `.pay_once()`.
"""

import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser_wallet import Extension
from tests.support.chromium import NoChromium, chromium

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "reports" / "screenshots"
SERIOUS = ("serious", "critical")
SCREENS = {360: 780, 1280: 800}

Visit = Callable[..., Page]
PATIENCE_MS = 15_000  # of a machine with other things to do
expect.set_options(timeout=PATIENCE_MS)

_DRAWS_KOREAN = """() => {
    const drawn = text => {
        const pen = document.createElement("canvas").getContext("2d");
        pen.font = "40px sans-serif";
        pen.fillText(text, 0, 60);
        return pen.getImageData(0, 0, 80, 80).data.join();
    };
    return drawn("티") !== drawn("끌");
}"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--one-size`, of a journey that is made in several sizes and languages, one: by its name, so that all are seen somewhere."""
    if not config.getoption("--one-size"):
        return
    shapes: dict[str, list[pytest.Item]] = {}
    for item in items:
        callspec = getattr(item, "callspec", None)
        if item.path.parent == Path(__file__).parent and callspec and callspec.params.keys() & {"width", "language"}:
            shapes.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = {
        item
        for name, same in shapes.items()
        for at, item in enumerate(same)
        if at != zlib.crc32(name.encode()) % len(same)
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed before its worker has other tests: as long as it is open, Playwright's loop counts as running, and asyncio has no other."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(chromium())
        except NoChromium as error:
            pytest.fail(str(error))
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a page. At the end no page may have logged an error (a breach of its CSP is one), asked another host, or asked a wallet for
    what it has not got."""
    trouble: list[str] = []
    extensions: list[Extension] = []

    def watch(page: Page, url: str, forgive: str | None) -> None:
        home = urlsplit(url).netloc
        page.on("pageerror", lambda error: trouble.append(f"{url}: {error}"))
        page.on(
            "console",
            lambda message: (
                trouble.append(f"{url}: {message.text}")
                if message.type == "error" and not (forgive and forgive in message.text)
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                trouble.append(f"{url} asks another host: {request.url}")
                if urlsplit(request.url).netloc not in {home, ""}
                else None
            ),
        )

    def open_page(
        url: str,
        *,
        width: int = 1280,
        language: str = "en",
        scheme: str = "light",
        forgive: str | None = None,
        extension: Extension | None = None,
        **options: object,
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": SCREENS.get(width, 800)},
            locale=language,
            color_scheme=scheme,  # type: ignore[arg-type]
            **{"service_workers": "block"} | options,  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE_MS)
        if extension:
            extension.install(context)
            extensions.append(extension)
        page = context.new_page()
        watch(page, url, forgive)
        page.goto(url)
        if language == "ko" and options.get("java_script_enabled", True) and not page.evaluate(_DRAWS_KOREAN):
            warnings.warn(
                "no font here has Korean letters: pages in Korean are measured and pictured without them "
                "(npm's @expo-google-fonts/nanum-gothic or Debian's fonts-nanum would do)",
                stacklevel=2,
            )
        return page

    yield open_page
    for context in browser.contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.close()
    trouble += [text for extension in extensions for text in extension.trouble]
    assert not trouble, "\n".join(trouble)


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, the accessibility rules of WCAG as a script."""
    return (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def screenshot(axe: str) -> Callable[[Page, str], None]:
    """Leaves a picture of the whole page for people to look at, and holds the page to axe: nothing serious may be found."""

    def take(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        if page.locator("#mountain").count():
            page.wait_for_timeout(1_800)  # it has been poured and the figures stand still
        page.evaluate("scrollTo(0, 0)")  # what stands still while one scrolls stands at the top
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        serious = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] in SERIOUS]
        assert serious == [], name

    return take
