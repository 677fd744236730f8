"""`taesan keystore`: key files for the operator's key, so that it lies nowhere in plain."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from taesan.cli.talk import console, fail

app = typer.Typer(no_args_is_help=True, help="Encrypted key files (Web3 Secret Storage v3) for the operator's key.")
LEAST_PASSWORD = 12  # characters: the file may be copied, and guessed at without end

_Out = Annotated[Path, typer.Argument(help="The key file to make; never one that is there")]
_PasswordFile = Annotated[
    Path | None, typer.Option(help="Holds the password; default: it is asked for, and not shown", allow_dash=True)
]


@app.command()
def new(out: _Out, password_file: _PasswordFile = None) -> None:
    """Make a new key and its key file."""
    from taesan.chain import keystore

    _write(out, keystore.new_key(), password_file)


@app.command("import")
def import_key(
    out: _Out,
    password_file: _PasswordFile = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Holds the key; - is standard input; default: it is asked for", allow_dash=True)
    ] = None,
) -> None:
    """Put a key that you have (0x and 64 hexadecimal digits) into a key file."""
    if key_file is None:
        key = typer.prompt("Private key", hide_input=True)
    else:
        key = sys.stdin.readline() if str(key_file) == "-" else key_file.read_text()
    _write(out, SecretStr(key.strip()), password_file)


def _write(out: Path, key: SecretStr, password_file: Path | None) -> None:
    from taesan.chain import keystore

    try:
        if password_file is None:
            password = SecretStr(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
        else:
            password = keystore.read_password(password_file)
        if len(password.get_secret_value()) < LEAST_PASSWORD:
            raise keystore.KeystoreError(f"a password has {LEAST_PASSWORD} characters at least")
        address = keystore.write(out, key, password)
    except keystore.KeystoreError as error:
        fail(str(error))
    console.print(f"{address} in {out}", soft_wrap=True, highlight=False)
    console.print(
        f"Serve with TAESAN_OPERATOR_KEYSTORE={out} and TAESAN_OPERATOR_KEYSTORE_PASSWORD_FILE=…; keep a copy of both "
        "apart from each other.",
        soft_wrap=True,
        highlight=False,
    )
