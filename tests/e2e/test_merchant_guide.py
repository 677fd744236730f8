"""docs/merchants.md, followed to the letter: each box in its order, against a chain and a hub of its own, and what one sees."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain import ROOT, free_port
from tests.support.guide import PATIENCE_S, Box, Seen, Terminal, Window, boxes

GUIDE = ROOT / "docs" / "merchants.md"
EXAMPLES = ROOT / "docs" / "examples"
LANGUAGES = {"python": ".py", "js": ".mjs"}
CHAIN, HUB, SHOP, RECEIVER = "8545", "8000", "4021", "4022"
DAY_S, TO_SEOUL_S = 86_400, 9 * 3_600


class Reader:
    """Somebody with a fresh checkout, who has run `make compile`."""

    def __init__(self, folder: Path) -> None:
        self._checkout = folder / "taesan"
        self._checkout.mkdir()
        (self._checkout / "var").mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in ("var", ".venv", ".git"):
                (self._checkout / entry.name).symlink_to(entry)
        (self._checkout / ".venv").symlink_to(sys.prefix)
        # Other programs may have the usual ports.
        self._ports = {usual: str(free_port()) for usual in (CHAIN, HUB, SHOP, RECEIVER)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TAESAN_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # with it each of the many small programs compiles all that it loads
        self._environment = kept | {"PYTHONPATH": f"{ROOT / 'backend'}:{ROOT}", "PYTHONUNBUFFERED": "1"}
        self._terminal = Terminal(self._checkout, self._environment)
        self.windows: list[Window] = []

    def follow(self, box: Box, seen: Seen | None) -> None:
        text = self._here(box.text)
        if box.manner == "stays":
            log = self._checkout.with_name(f"window{len(self.windows)}.log")
            self.windows.append(Window(text, self._checkout, self._environment, log))
            assert seen, f"line {box.line}: nothing tells when it is up"
            self.windows[-1].wait_for(seen)
        elif box.manner == "repeat":
            assert seen, f"line {box.line}: nothing tells when it is enough"
            self._repeat(text, seen)
        else:
            output = self._terminal.run(text)
            assert seen is None or seen.is_all_of(output), f"line {box.line} promises\n{seen.text}\nbut\n{output}"

    def seen(self, box: Box) -> Seen:
        return Seen(self._here(box.text))

    def _repeat(self, text: str, seen: Seen) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not seen.is_all_of(output := self._terminal.try_out(text)):
            assert time.monotonic() < deadline, f"{text}\npromises\n{seen.text}\nbut\n{output}"
            time.sleep(0.5)

    def _here(self, text: str) -> str:
        """With the ports that this reader has: the only thing that is changed."""
        options = f"--port {self._ports[CHAIN]} --hub-port {self._ports[HUB]}"
        text = text.replace("taesan devnet ", f"taesan devnet {options} ")
        for usual, port in self._ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}").replace(f"--port {usual}", f"--port {port}")
        return text

    def leave(self) -> None:
        with contextlib.ExitStack() as last_first:
            for window in self.windows:
                last_first.callback(window.close)
            last_first.callback(self._terminal.close)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


def test_whoever_follows_the_guide_sees_what_it_says(reader: Reader) -> None:
    _wait_for_a_day_that_is_long_enough()
    found = boxes(GUIDE.read_text())
    commands = [n for n, box in enumerate(found) if box.language == "sh"]
    for n in commands:
        promised = found[n + 1] if n + 1 < len(found) and found[n + 1].language == "text" else None
        reader.follow(found[n], reader.seen(promised) if promised else None)
    assert len(commands) > 25
    hub, _shop, receiver = reader.windows
    assert "Traceback" not in hub.output
    # No `payment.settled`: what is paid after the webhook was made may all go into the refund before it.
    for news in ("payout.paid {'id': 'out_", "webhook.test {'id': 'wh_"):
        receiver.wait_for(Seen(news))
    assert " 401 " not in receiver.output


def test_what_the_guide_shows_are_the_examples_and_each_is_run() -> None:
    found = boxes(GUIDE.read_text())
    assert {box.language for box in found} == {"sh", "text", *LANGUAGES}
    assert {box.manner for box in found} <= {"", "stays", "repeat"}
    follows_a_command = [found[n - 1].language == "sh" for n, box in enumerate(found) if box.language == "text"]
    assert all(follows_a_command)
    files = {path.name: path.read_text() for path in EXAMPLES.iterdir() if path.suffix in LANGUAGES.values()}
    shown = [box for box in found if box.language in LANGUAGES]
    assert sorted(box.text for box in shown) == sorted(files.values())
    commands = "\n".join(box.text for box in found if box.language == "sh")
    names = {f"docs/examples/{name}" for name in files}
    names -= {f"docs/examples/{name}.py" for name in ("shop", "webhooks")}
    assert [name for name in names if name not in commands] == []
    assert [app for app in ("shop:app", "webhooks:app") if f"--app-dir docs/examples {app}" not in commands] == []


def _wait_for_a_day_that_is_long_enough() -> None:
    """The guide closes the day on which it was followed."""
    left = DAY_S - (time.time() + TO_SEOUL_S) % DAY_S
    if left < 3 * PATIENCE_S:
        time.sleep(left + 1)
