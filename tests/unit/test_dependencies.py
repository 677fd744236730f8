"""What we depend on is what was locked, byte for byte, under licences that we know. Known vulnerabilities: `make audit-deps`."""

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = (".venv", ".venv-contracts")
ALLOWED = {
    "0BSD",
    "AFL-2.1",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CC-BY-4.0",
    "CNRI-Python",
    "HPND",
    "ISC",
    "LGPL-3.0-only",  # psycopg: used as it is
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "OFL-1.1",
    "PSF-2.0",
    "Python-2.0",
    "TCL",
    "Unlicense",
    "Zlib",
}
"""Of what we use, by SPDX's names: none asks anything of who runs or changes the hub."""
TOOLS = {"crytic-compile", "slither-analyzer", "solc-select"}
"""AGPL. Programs for whoever works on the contracts; nothing of theirs is part of what we give away."""
DEX = {
    "@uniswap/lib": "GPL-3.0-or-later",
    "@uniswap/v2-core": "GPL-3.0-or-later",
    "@uniswap/v3-core": "BUSL-1.1",  # GPL-2.0-or-later since its change date, 2023-04-01
    "@uniswap/v3-periphery": "GPL-2.0-or-later",
    "canonical-weth": "GPL-3.0",
}
"""Contracts as they were published, put on local chains for who develops and tests; nothing of theirs is part of what we give
away. On other chains they stand already."""
SILENT = {"memorystream": "MIT"}
"""Those whose package says nothing that a program could read; their repositories do."""
UNSTATED = {"pyrevm"}
"""Neither package nor repository names a licence; PyPI's terms let it be fetched and run. Only the simulation does, and
nothing of it is part of what we give away (the revm inside is MIT)."""
# How packages of before PEP 639 say it.
OTHER_NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "CC0-1.0",
    "Python Software Foundation License": "PSF-2.0",
}


def _lock() -> Any:
    return tomllib.loads((ROOT / "uv.lock").read_text())["package"]


def _npm() -> dict[str, Any]:
    packages: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return {path.rpartition("node_modules/")[2]: package for path, package in packages.items() if path}


def _installed() -> Iterator[Distribution]:
    for environment in ENVIRONMENTS:
        (site,) = (ROOT / environment).glob("lib/python3*/site-packages")
        yield from distributions(path=[str(site)])


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def is_allowed(licence: str) -> bool:
    """An SPDX expression without brackets but around all: `AND` demands all, `OR` one."""
    inner = licence[1:-1] if licence.startswith("(") else licence
    return any(
        all(OTHER_NAMES.get(part.strip(), part.strip()) in ALLOWED for part in choice.split(" AND "))
        for choice in inner.split(" OR ")
    )


def _licences(package: Distribution) -> list[str]:
    """What its metadata says: SPDX, a line, or classifiers."""
    told = package.metadata
    classifiers = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier", []) if c.startswith("License ::")]
    line = (told.get("License") or SILENT.get(told["Name"], "")).strip()
    if expression := told.get("License-Expression"):
        return [expression]
    return [line] if line and is_allowed(line) else classifiers or [line]


def test_every_python_package_is_locked_with_its_hash() -> None:
    files = 0
    for package in _lock():
        if package["source"] == {"editable": "."}:
            continue
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]:
            files += 1
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file["url"]
            assert file["url"].startswith("https://files.pythonhosted.org/"), file["url"]
    assert files > 500


def test_every_npm_package_is_locked_with_its_hash() -> None:
    apart = {name: p for name, p in _npm().items() if not p.get("inBundle")}  # the others are part of another's file
    loose = [name for name, package in apart.items() if not str(package.get("integrity")).startswith("sha512-")]
    assert loose == []
    assert len(_npm()) > 50


def test_every_licence_is_one_that_we_know() -> None:
    unknown = {
        d.metadata["Name"]: _licences(d)
        for d in _installed()
        if _name(d.metadata["Name"]) not in TOOLS | UNSTATED
        and not all(is_allowed(licence) for licence in _licences(d))
    }
    assert unknown == {}


def test_what_names_no_licence_is_for_tests_only() -> None:
    locked = {package["name"]: package for package in _lock()}
    given, more = set(), ["taesan"]
    while more:
        name = more.pop()
        if name in given:
            continue
        given.add(name)
        package = locked[name]
        more += [d["name"] for d in package.get("dependencies", [])]
        more += [d["name"] for extra in package.get("optional-dependencies", {}).values() for d in extra]
    assert not given & (UNSTATED | TOOLS)


def test_every_licence_of_npms_is_one_that_we_know() -> None:
    unknown = {
        name: p.get("license") for name, p in _npm().items() if not is_allowed(p.get("license") or SILENT.get(name, ""))
    }
    assert unknown == DEX
    assert all(_npm()[name]["dev"] for name in DEX)


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("(MIT OR GPL-3.0-only)", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only", False),
        ("Other/Proprietary License", False),
        ("", False),
    ],
)
def test_a_licence_is_read_as_spdx_means_it(licence: str, *, allowed: bool) -> None:
    assert is_allowed(licence) == allowed
