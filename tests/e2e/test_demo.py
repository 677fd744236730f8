"""The whole house, as a newcomer sees it: `taesan demo` in a process of its own, and what it leaves behind."""

import re
import sqlite3
from pathlib import Path

from tests.support.chain import free_port
from tests.support.commands import run

CUSTOMERS = 12


def test_real_purchases_become_gift_tokens_and_the_books_equal_the_chain_though_the_hub_is_killed(
    tmp_path: Path,
) -> None:
    folder, chain_port, port = tmp_path / "demo", free_port(), free_port()
    where = ["--folder", str(folder)]
    code, output = run(
        *("demo", "--customers", str(CUSTOMERS), "--exit", "--chain", "anvil", "--kill-midway"),
        *("--chain-port", str(chain_port), "--port", str(port)),
        *where,
        timeout_s=240,
    )
    assert code == 0, output
    assert re.search(r"books = chain:?\s+yes", output), output
    assert not _left_running(folder)

    rows = _rows(folder)
    assert _figure("payments", output) == rows("SELECT count(*) FROM payment") > CUSTOMERS
    assert _figure("batches", output) == rows("SELECT count(*) FROM batch WHERE state = 'posted'") > 0
    assert rows("SELECT count(*) FROM batch WHERE state != 'posted'") == 0
    assert rows("SELECT count(*) FROM payment WHERE batch_id IS NULL") == 0
    assert rows("SELECT count(*) FROM redemption WHERE state = 'confirmed'") > 0
    assert rows("SELECT count(*) FROM payout WHERE state = 'paid'") > 0
    # What was asked again after the kill was answered, and accepted once.
    assert rows("SELECT count(*) FROM payment") == rows("SELECT count(DISTINCT idempotency_key) FROM payment")

    code, output = run("audit", *where)
    assert code == 0, output
    assert "no differences: books = chain" in output
    assert not _left_running(folder)


def _figure(name: str, output: str) -> int:
    found = re.search(rf"^{name}\s+([\d,]+)", output, re.MULTILINE)
    assert found, output
    return int(found[1].replace(",", ""))


def _rows(folder: Path):  # type: ignore[no-untyped-def]
    def ask(sql: str) -> int:
        with sqlite3.connect(folder / "taesan.db") as raw:
            (value,) = raw.execute(sql).fetchone()
        raw.close()
        return int(value)

    return ask


def _left_running(folder: Path) -> list[str]:
    """The command lines of all processes that were started for the folder: chain, service, worker."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command + environment:
            found.append(command.replace(b"\0", b" ").decode())
    return found
