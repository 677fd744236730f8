"""The files that pages fetch: where each lies, and which modules a page's script imports, so that a page can ask for all at once.

Without their list a browser learns of a module from the one that imports it, and waits for the hub once for each step of the way."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

STATIC = Path(__file__).parent / "static"
_IMPORT = re.compile(r"""(?:^|[;}\n])\s*(?:import|export)\b(?:[^"'();]*?\bfrom)?\s*["']([^"']+)["']""")


def folders(npm: Path) -> dict[str, Path]:
    """Paths and what is served below them, the longer ones first. :param npm: `node_modules`"""
    return {
        "/static/swagger": npm / "swagger-ui-dist",
        "/static/noble/hashes": npm / "@noble" / "hashes",  # as they are: its modules import nothing but each other
        "/static/noble/secp256k1": npm / "@noble" / "secp256k1",
        "/static/lit": npm / "lit-html",
        "/static/uplot": npm / "uplot" / "dist",
        "/static/qr": npm / "qr",
        "/static": STATIC,
    }


@cache
def imported(npm: Path, script: str) -> tuple[str, ...]:
    """The paths of all modules without which a script does not begin: what it imports, and they in turn."""
    found: dict[str, None] = {}
    waiting = [script]
    while waiting:
        path = waiting.pop(0)
        new = [module for module in _imports_of(npm, path) if module not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return tuple(found)


def imports_in(source: str) -> list[str]:
    """As they stand there; what is imported by a call, later or perhaps, is none."""
    return _IMPORT.findall(source)


def _imports_of(npm: Path, path: str) -> list[str]:
    above, folder = next((above, folder) for above, folder in folders(npm).items() if path.startswith(above + "/"))
    file = folder / path.removeprefix(above + "/")
    if not file.is_file():  # without npm's packages
        return []
    return [urljoin(path, module) for module in imports_in(file.read_text("utf-8"))]
