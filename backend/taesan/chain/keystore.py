"""Key files that are worth nothing without their password: Web3 Secret Storage, version 3."""

import json
import os
from pathlib import Path

from eth_account import Account
from pydantic import SecretStr

MAX_FILE_BYTES = 16_384
_OTHERS = 0o007


class KeystoreError(Exception):
    """A key file or its password cannot be used; the message tells a person why and what to do."""


def read(path: Path, password_file: Path) -> SecretStr:
    """The private key in a key file, 0x-hex.

    :raises KeystoreError: a file is missing, open to everybody, or no key file; the password is another's
    """
    content = _secret_file(path, "TAESAN_OPERATOR_KEYSTORE")
    password = read_password(password_file)
    try:
        key = Account.decrypt(json.loads(content), password.get_secret_value())
    except (
        AttributeError,
        KeyError,
        TypeError,
        NotImplementedError,  # eth-keyfile's answer to another version or cipher
        UnicodeDecodeError,
        json.JSONDecodeError,
    ) as error:
        raise KeystoreError(f"{path} is no key file of Web3 Secret Storage, version 3") from error
    except ValueError as error:
        raise KeystoreError(f"the password in {password_file} does not open {path}") from error
    return SecretStr("0x" + bytes(key).hex())


def read_password(path: Path) -> SecretStr:
    """What a file holds, without the end of its line.

    :raises KeystoreError: there is none, or everybody may read it
    """
    try:
        password = _secret_file(path, "TAESAN_OPERATOR_KEYSTORE_PASSWORD_FILE").decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise KeystoreError(f"{path} holds no text") from error
    if not password:
        raise KeystoreError(f"{path} is empty: an empty password protects nothing")
    return SecretStr(password)


def write(path: Path, key: SecretStr, password: SecretStr) -> str:
    """Makes a key file that its owner alone may read; returns the key's address.

    :raises KeystoreError: the file is there already: it may hold the only copy of a key. Or it is no key
    """
    try:
        account = Account.from_key(key.get_secret_value())
    except Exception as error:  # eth-keys and eth-utils have an error each for each way of not being a key
        raise KeystoreError("a private key is 0x and 64 hexadecimal digits") from error
    content = json.dumps(Account.encrypt(account.key, password.get_secret_value()))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeystoreError(f"{path} is there already: it may hold the only copy of a key, name another") from error
    with os.fdopen(file, "w") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    return str(account.address)


def new_key() -> SecretStr:
    return SecretStr("0x" + bytes(Account.create().key).hex())


def _secret_file(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise KeystoreError(f"{path} ({setting}) cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise KeystoreError(f"{path} ({setting}) is open to everybody on this machine: `chmod 600 {path}`")
    return content
