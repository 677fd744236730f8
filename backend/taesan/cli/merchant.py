"""`taesan merchant`: a merchant's account and API keys, for which its wallet has to sign."""

import os
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from taesan.cli.playground import duration_s
from taesan.cli.talk import fail

if TYPE_CHECKING:
    from taesan.client.merchant import MerchantWallet

WALLET_KEY = "WALLET_KEY"
PATIENCE_S = 5.0
T = TypeVar("T")
app = typer.Typer(
    no_args_is_help=True,
    help="A merchant's account and API keys. The wallet that signs is the one that is paid out to; its key is read from "
    f"{WALLET_KEY}, or asked for and not shown.",
)

_Hub = Annotated[str, typer.Option(envvar="HUB", help="The hub's address")]
_HERE = "http://127.0.0.1:8000"
_KeyId = Annotated[str, typer.Argument(help="As `taesan merchant keys` lists it, such as key_6f0c2a9b1d3e4f50")]


@app.command()
def create(name: Annotated[str, typer.Argument(help="As payers see it")], hub: _Hub = _HERE) -> None:
    """Make the wallet a merchant; prints its id and its first API key, which may do everything."""
    made = _asked(hub, lambda wallet: wallet.create(name))
    _print(MERCHANT=made["id"], API_KEY=made["api_key"])


@app.command()
def key(
    name: Annotated[str | None, typer.Option(help="Your own note, such as which till has it")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Such as invoices:write; may be repeated; default: everything")
    ] = None,
    ends_in: Annotated[str | None, typer.Option(metavar="DURATION", help="Such as 90d; default: never")] = None,
    hub: _Hub = _HERE,
) -> None:
    """Make a further API key; prints it."""
    ends_in_s = duration_s(ends_in) if ends_in else None
    _print(API_KEY=_asked(hub, lambda wallet: wallet.add_key(name, scope, ends_in_s))["api_key"])


@app.command()
def keys(hub: _Hub = _HERE) -> None:
    """List the API keys, without their secrets."""
    rows = [["id", "begins with", "name", "may", "ends", "last used"]]
    for listed in _asked(hub, lambda wallet: wallet.list_keys()):
        may = "everything" if listed["scopes"] is None else ",".join(listed["scopes"])
        ends, used = (listed[when] or "never" for when in ("expires_at", "last_used_at"))
        rows.append([listed["id"], listed["hint"], listed["name"] or "-", may, ends, used])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:  # whole lines, however narrow the terminal is: for other programs, too
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())


@app.command()
def rotate(
    key_id: _KeyId,
    overlap: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the old key is good beside the new one")
    ] = "1h",
    hub: _Hub = _HERE,
) -> None:
    """Make an API key in place of another, with its name, scopes and end; prints it."""
    overlap_s = duration_s(overlap)
    _print(API_KEY=_asked(hub, lambda wallet: wallet.rotate_key(key_id, overlap_s))["api_key"])


@app.command()
def revoke(key_id: _KeyId, hub: _Hub = _HERE) -> None:
    """End an API key at once."""
    _asked(hub, lambda wallet: wallet.revoke_key(key_id))


def _asked(hub: str, question: Callable[["MerchantWallet"], T]) -> T:
    from taesan.client import PlainHttp, Refused, Unanswered
    from taesan.client.merchant import MerchantWallet

    secret = os.environ.get(WALLET_KEY) or typer.prompt("The wallet's private key", hide_input=True)
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", secret):
        fail(f"{WALLET_KEY} has to be a private key: 0x and 64 hexadecimal digits")
    try:
        return question(MerchantWallet(hub, secret, PATIENCE_S))
    except (PlainHttp, Refused, Unanswered) as error:
        fail(f"{hub}: {error}")


def _print(**values: str) -> None:
    """For a file that a shell can read."""
    for name, value in values.items():
        typer.echo(f"{name}={shlex.quote(value)}")
