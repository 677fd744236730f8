"""Asks OSV (by `uv audit`) and npm which known vulnerabilities our locked dependencies have: `make audit-deps`.

Exit code 0: none; 1: there are some; 2: somebody could not be asked, which is no answer.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = ROOT / ".tools" / "bin" / "uv"
TIMEOUT_S = 120
CLEAN, VULNERABLE, NOT_ASKED = range(3)
# What `uv audit` locks for. Brownie's environment and the service's exclude each other, so they are asked about apart.
PYTHON = {
    "the service's Python packages": ["--locked"],
    "Brownie's Python packages": ["--locked", "--only-group", "contracts"],
}


def main() -> int:
    """The worst of all answers: something vulnerable is told before something that nobody answered."""
    answers = [_python(what, arguments) for what, arguments in PYTHON.items()]
    answers.append(_npm())
    return VULNERABLE if VULNERABLE in answers else max(answers)


def _python(what: str, arguments: list[str]) -> int:
    code, out, errors = _run([str(UV), "audit", "--preview", *arguments, "--output-format", "json"])
    try:
        found = json.loads(out)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return _not_asked(what, "OSV", errors or out)
    return _tell(what, [json.dumps(vulnerability)[:300] for vulnerability in found], code)


def _npm() -> int:
    what = "npm's packages"
    npm = shutil.which("npm")
    if npm is None:
        return _not_asked(what, "npm's registry", "npm is not installed")
    code, out, errors = _run([npm, "audit", "--json"])
    try:
        found = json.loads(out)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return _not_asked(what, "npm's registry", errors or out)
    return _tell(what, [f"{name}: {v['severity']}, {v['range']}" for name, v in found.items()], code)


def _run(command: list[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return 1, "", f"no answer in {TIMEOUT_S} s"
    return done.returncode, done.stdout, done.stderr


def _tell(what: str, found: list[str], code: int) -> int:
    if not found and code:
        return _not_asked(what, "the database", f"exit code {code} without a finding")
    for line in found:
        print(f"✗ {what}: {line}")
    if not found:
        print(f"✓ {what}: no known vulnerability")
    return VULNERABLE if found else CLEAN


def _not_asked(what: str, whom: str, why: str) -> int:
    lines = [line for line in why.strip().splitlines() if line.strip()] or ["no answer"]
    print(f"? {what}: could not ask {whom}: {lines[-1].strip()[:300]}")
    return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main())
