"""Runs slither over the contracts and compares what it finds with what docs/security.md has answered: `make slither`.

Fails for a finding without an answer there, and for an answer without a finding. Run by the contracts' own Python.
"""

import logging
import os
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
ANSWERS = ROOT / "docs" / "security.md"
sys.path.remove(str(Path(__file__).parent))  # before slither's own imports

from crytic_compile import CryticCompile  # noqa: E402
from crytic_compile.platform.solc_standard_json import SolcStandardJson  # noqa: E402
from slither import Slither  # noqa: E402
from slither.detectors import all_detectors  # noqa: E402
from slither.detectors.abstract_detector import AbstractDetector  # noqa: E402


def main() -> int:
    os.chdir(ROOT)
    logging.disable(logging.WARNING)
    slither = Slither(CryticCompile(_compiler_input(), solc=str(ROOT / "scripts" / "solc" / "solc-v0.8.37")))
    detectors = [d for d in vars(all_detectors).values() if isinstance(d, type) and issubclass(d, AbstractDetector)]
    for detector in detectors:
        slither.register_detector(detector)
    found = defaultdict(list)
    for results in slither.run_detectors():
        for result in results:
            if place := _place(result):
                found[f"{result['check']} · {place}"].append(result["description"].strip())
    answered = set(re.findall(r"^\| `([\w-]+ · [\w.]+)` \|", ANSWERS.read_text(), re.MULTILINE))
    for name in sorted(found.keys() - answered):
        print(f"✗ {name}\n    " + "\n    ".join(found[name][0].splitlines()[:4]))
    for name in sorted(answered - found.keys()):
        print(f"✗ {name}: answered, but found no more")
    findings = sum(map(len, found.values()))
    print(f"slither: {len(detectors)} detectors, {findings} findings in {len(found)} places, {len(answered)} answered")
    return 0 if found.keys() == answered else 1


def _compiler_input() -> SolcStandardJson:
    """Brownie's settings, without the mocks; but slither looks at no bytecode, so what makes it good is left out."""
    compiler = SolcStandardJson()
    for source in sorted((ROOT / "contracts").rglob("*.sol")):
        if "mocks" not in source.parts:
            compiler.add_source_file(str(source.relative_to(ROOT)))
    compiler.add_remapping("@openzeppelin=node_modules/@openzeppelin")
    settings = compiler.to_dict()["settings"]
    settings |= {"evmVersion": "shanghai", "optimizer": {"enabled": False}}
    return compiler


def _place(result: dict) -> str | None:
    """`Contract.function` of a finding, `Contract` or the file's name; None for a library's."""
    for element in result["elements"]:
        if not element["source_mapping"]["filename_relative"].startswith("contracts/"):
            continue
        parent = element.get("type_specific_fields", {}).get("parent", {})
        if element["type"] == "function":
            return f"{parent['name']}.{element['name']}"
        if element["type"] == "contract":
            return element["name"]
        if element["type"] in ("variable", "node", "event", "struct") and parent:
            outer = parent.get("type_specific_fields", {}).get("parent", {})
            return f"{outer['name']}.{parent['name']}" if outer and parent["type"] == "function" else parent["name"]
        return Path(element["source_mapping"]["filename_relative"]).name
    return None


if __name__ == "__main__":
    sys.exit(main())
