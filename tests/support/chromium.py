"""A Chromium for the pages' tests and their benchmark, wherever this machine has one; with the same letters on every machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

KOREAN_FONT = Path(__file__).parents[2] / "node_modules" / "@expo-google-fonts" / "nanum-gothic"

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


class NoChromium(Exception):
    """None was found, or it does not start; says what to do."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Started, until the block's end. :raises NoChromium:"""
    found = executable()
    with tempfile.TemporaryDirectory(prefix="taesan-fonts-") as folder, sync_playwright() as playwright:
        surroundings = {**os.environ, **_libraries(found), **_fonts(found, Path(folder))}
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], env=surroundings)
        except Exception as error:
            raise NoChromium(f"{found} does not start; TAESAN_CHROMIUM may name another one.\n{error}") from error
        yield browser
        browser.close()


def executable() -> Path:
    """`TAESAN_CHROMIUM`, or on the PATH, or the one that npm's @sparticuz/chromium carries. :raises NoChromium:"""
    asked = os.environ.get("TAESAN_CHROMIUM")
    if asked:
        if not os.access(asked, os.X_OK):
            raise NoChromium(f"TAESAN_CHROMIUM names {asked}, which is no program")
        return Path(asked)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return _packaged()


def _packaged() -> Path:
    advice = "Set TAESAN_CHROMIUM, install `chromium`, or run `make setup` with Node.js 20 or newer."
    if shutil.which("node") is None:
        raise NoChromium(f"No Chromium, and no Node.js to unpack the one from npm. {advice}")
    script = Path(__file__).with_name("chromium_path.mjs")
    done = subprocess.run(["node", str(script)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise NoChromium(f"No Chromium, and the one from npm could not be unpacked: {done.stderr.strip()}\n{advice}")
    return Path(done.stdout.strip())


def _libraries(executable: Path) -> dict[str, str]:
    """Where to find the shared libraries that the machine lacks: the npm package brings its own."""
    spare = executable.parent / "al2023" / "lib"
    if not spare.is_dir() or shutil.which("ldd") is None:
        return {}
    needed = subprocess.run(["ldd", str(executable)], capture_output=True, text=True, timeout=30, check=False).stdout
    if "not found" not in needed:
        return {}
    return {"LD_LIBRARY_PATH": ":".join(filter(None, [str(spare), os.environ.get("LD_LIBRARY_PATH")]))}


def _fonts(executable: Path, home: Path) -> dict[str, str]:
    """For the packaged browser: Open Sans from its package, Korean if npm has it. :param home: for the list of them, and its cache"""
    own = executable.parent / "fonts" / "fonts"
    if not own.is_dir():
        return {}
    folders = [own, Path("/usr/share/fonts"), *([KOREAN_FONT] if KOREAN_FONT.is_dir() else [])]
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
