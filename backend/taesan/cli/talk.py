"""How every command talks: what a person can mend is one line, and exit 2."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from rich.console import Console

from taesan.settings import Settings

console = Console()
T = TypeVar("T")
RETRY_S = 2


def open_hub(settings: Settings, *, patient: bool = True):  # type: ignore[no-untyped-def]
    """Opens the hub; while the node is down says so once and tries again."""
    from taesan.backup import require_database
    from taesan.chain.rpc import NodeUnavailable
    from taesan.hub import open_hub as open_once

    if not patient:
        explaining(lambda: require_database(settings.database_url))
    told = False
    while True:
        try:
            return explaining(lambda: open_once(settings))
        except NodeUnavailable as error:
            if not patient:
                fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
            if not told:
                console.print(f"{error}; trying again every {RETRY_S} s. Start a chain with `taesan devnet`.")
            told = True
            time.sleep(RETRY_S)


def explaining(action: Callable[[], T]) -> T:
    """Turns what a person can mend into one line instead of a traceback."""
    from pydantic import ValidationError

    from taesan.backup import BackupRefused
    from taesan.chain.contracts import ArtifactsMissing
    from taesan.chain.deployment import WrongChain
    from taesan.chain.keystore import KeystoreError
    from taesan.chain.local import NotLocal
    from taesan.chain.signers import SignerUnavailable, UnsuitableKey, WrongSignature
    from taesan.core.db import UNAVAILABLE, brief
    from taesan.core.tracing import TracingUnavailable
    from taesan.demo.processes import DemoFailed

    here = (ArtifactsMissing, WrongChain, NotLocal, DemoFailed, TracingUnavailable)
    try:
        return action()
    except UNAVAILABLE as error:
        fail(f"the database at TAESAN_DATABASE_URL cannot be used: {brief(error)}")
    except ValidationError as error:
        faults = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        fail("; ".join(f"TAESAN_{name.upper()}: {told}" if name else told for name, told in faults))
    except (*here, BackupRefused, KeystoreError, UnsuitableKey, SignerUnavailable, WrongSignature) as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]taesan:[/] {message}", soft_wrap=True)
    sys.exit(2)


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
