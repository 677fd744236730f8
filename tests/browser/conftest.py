"""A Chromium for the tests of the pages, wherever this machine has one, and a `visit` that watches what a page does.

The hub comes from `live_hub` in `tests/conftest.py`: an object with `.url` and `.pay_once()`.
"""

import os
import shutil
import subprocess
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser_wallet import Extension

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "reports" / "screenshots"
KOREAN_FONT = ROOT / "node_modules" / "@expo-google-fonts" / "nanum-gothic"
SERIOUS = ("serious", "critical")
SCREENS = {360: 780, 1280: 800}

Visit = Callable[..., Page]

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  {folders}
  <cachedir>{cache}</cachedir>
  {preferences}
</fontconfig>
"""
_PREFER = """<match target="pattern">
    <test name="family"><string>{asked}</string></test>
    <edit name="family" mode="prepend" binding="strong">{given}</edit>
  </match>"""

_PLAIN = ("Open Sans", "NanumGothic")
_FAMILIES = {
    "sans": _PLAIN,
    "sans-serif": _PLAIN,
    "system-ui": _PLAIN,
    "monospace": ("DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono"),
}
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


@pytest.fixture(scope="session")
def browser_executable() -> Path:
    """Chromium: `TAESAN_CHROMIUM`, or on the PATH, or the one that npm's @sparticuz/chromium carries."""
    asked = os.environ.get("TAESAN_CHROMIUM")
    if asked:
        if not os.access(asked, os.X_OK):
            pytest.fail(f"TAESAN_CHROMIUM names {asked}, which is no program")
        return Path(asked)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return _packaged_chromium()


def _packaged_chromium() -> Path:
    advice = "Set TAESAN_CHROMIUM, install `chromium`, or run `make setup` with Node.js 20 or newer."
    if shutil.which("node") is None:
        pytest.fail(f"No Chromium, and no Node.js to unpack the one from npm. {advice}")
    script = Path(__file__).with_name("chromium_path.mjs")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.fail(f"No Chromium, and the one from npm could not be unpacked: {done.stderr.strip()}\n{advice}")
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def browser(browser_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    surroundings = {**os.environ, **_libraries(browser_executable), **_fonts(browser_executable, tmp_path_factory)}
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=browser_executable, args=["--no-sandbox"], env=surroundings
            )
        except Exception as error:
            pytest.fail(f"{browser_executable} does not start; TAESAN_CHROMIUM may name another one.\n{error}")
        yield started
        started.close()


def _libraries(executable: Path) -> dict[str, str]:
    """Where to find the shared libraries that the machine lacks: the npm package brings its own."""
    spare = executable.parent / "al2023" / "lib"
    if not spare.is_dir() or shutil.which("ldd") is None:
        return {}
    needed = subprocess.run(["ldd", str(executable)], capture_output=True, text=True, timeout=30, check=False).stdout
    if "not found" not in needed:
        return {}
    return {"LD_LIBRARY_PATH": ":".join(filter(None, [str(spare), os.environ.get("LD_LIBRARY_PATH")]))}


def _fonts(executable: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same letters on every machine, for the packaged browser: Open Sans from its package, Korean if npm has it."""
    own = executable.parent / "fonts" / "fonts"
    if not own.is_dir():
        return {}
    folders = [own, Path("/usr/share/fonts"), *([KOREAN_FONT] if KOREAN_FONT.is_dir() else [])]
    home = tmp_path_factory.mktemp("fonts")
    config = home / "fonts.conf"
    config.write_text(
        _FONTS.format(
            folders="\n  ".join(f"<dir>{folder}</dir>" for folder in folders),
            cache=home / "cache",
            preferences="\n  ".join(
                _PREFER.format(asked=asked, given="".join(f"<string>{family}</string>" for family in families))
                for asked, families in _FAMILIES.items()
            ),
        )
    )
    return {"FONTCONFIG_FILE": str(config)}


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
        context.set_default_timeout(15_000)
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
