"""Who signs the operator's transactions: a key here, out of a key file or (locally) a setting, or a signer elsewhere.

`sender` alone asks a signer to sign, and sends what it has signed.
"""

import json
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from pydantic import SecretStr
from requests.exceptions import RequestException
from web3 import Web3

from taesan.chain import keystore
from taesan.core.crypto import keccak
from taesan.core.values import hex_of
from taesan.core.worker import TransientError
from taesan.settings import DEV_OPERATOR_KEY, Settings

log = structlog.get_logger()

REMOTE_TIMEOUT_S = 3
REST_S = 10
MAX_ANSWER_BYTES = 1_000_000  # of the largest transaction, twice, in hexadecimal digits
_SECP256K1_HALF_N = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Signer(Protocol):
    """Signs with the operator's key, and shows it to nobody."""

    @property
    def address(self) -> str:
        """EIP-55."""
        ...

    def sign(self, transaction: dict[str, Any]) -> tuple[bytes, str]:
        """The raw bytes and the hash of a signed EIP-1559 transaction."""
        ...


class SignerUnavailable(TransientError):
    """The remote signer did not answer, or would not sign: nothing was signed that we know of."""


class WrongSignature(Exception):
    """The remote signer's answer is not what was asked for. It is stored and sent by nobody."""


class UnsuitableKey(Exception):
    """Not a key to run a hub with; the message tells a person what to do."""


def open_signer(settings: Settings) -> Signer:
    """The signer that the settings name.

    :raises KeystoreError: its key file cannot be used
    :raises UnsuitableKey: the well-known development key, outside `local`
    """
    if settings.operator_signer_url is not None:
        assert settings.operator_address is not None  # the settings demand it
        url = settings.operator_signer_url.get_secret_value()
        signer: Signer = RemoteSigner(url, Web3.to_checksum_address(settings.operator_address))
    elif settings.operator_keystore is not None:
        assert settings.operator_keystore_password_file is not None
        signer = KeySigner(keystore.read(settings.operator_keystore, settings.operator_keystore_password_file))
    else:
        return KeySigner(settings.operator_key)  # locally only
    if settings.environment != "local" and signer.address == KeySigner(SecretStr(DEV_OPERATOR_KEY)).address:
        raise UnsuitableKey(
            f"the operator's key is the well-known development key; make one for {settings.environment} "
            "with `taesan keystore new`"
        )
    return signer


class KeySigner:
    """A key in this process's memory."""

    def __init__(self, key: SecretStr) -> None:
        self._account: LocalAccount = Account.from_key(key.get_secret_value())
        self.address: str = self._account.address

    def __repr__(self) -> str:
        return f"KeySigner({self.address})"

    def sign(self, transaction: dict[str, Any]) -> tuple[bytes, str]:
        signed = self._account.sign_transaction(transaction)
        return bytes(signed.raw_transaction), hex_of(signed.hash)


class RemoteSigner:
    """A signer that keeps the key to itself and speaks JSON-RPC's `eth_signTransaction`, such as web3signer, or geth in
    front of clef. It is taken at its word in nothing: each answer is decoded and compared with what was asked.

    It is asked while a transaction of the database is open, which holds up all other writers: so it is given little time,
    and after a failure left alone for a while.

    :param url: may hold a password: not shown
    """

    def __init__(self, url: str, address: str) -> None:
        self._url, self.address = url, address
        parts = urlsplit(url)
        self._name = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._rests_until = 0.0

    def __repr__(self) -> str:
        return f"RemoteSigner({self.address} at {self._name})"

    def sign(self, transaction: dict[str, Any]) -> tuple[bytes, str]:
        """:raises SignerUnavailable: try again later. :raises WrongSignature: it answers with something else"""
        if time.monotonic() < self._rests_until:
            raise SignerUnavailable(f"the signer at {self._name} has failed just now; it is asked again soon")
        try:
            raw = self._ask(_as_json_rpc(transaction, self.address))
        except SignerUnavailable:
            self._rests_until = time.monotonic() + REST_S
            raise
        _require_honest(raw, transaction, self.address)
        return raw, hex_of(keccak(raw))

    def _ask(self, transaction: dict[str, str]) -> bytes:
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_signTransaction", "params": [transaction]}
        try:
            with requests.post(
                self._url, json=question, timeout=REMOTE_TIMEOUT_S, allow_redirects=False, stream=True
            ) as response:
                content = response.raw.read(MAX_ANSWER_BYTES, decode_content=True)
                status = response.status_code
        except (RequestException, OSError) as error:
            raise SignerUnavailable(f"no answer from the signer at {self._name}: {type(error).__name__}") from error
        try:
            answer = json.loads(content)
            result = answer["result"]
            signed = result["raw"] if isinstance(result, dict) else result
            return bytes.fromhex(signed.removeprefix("0x"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning(
                "signer.refused", signer=self._name, status=status, answer=content[:300].decode(errors="replace")
            )
            raise SignerUnavailable(f"the signer at {self._name} has not signed (status {status})") from error


def _as_json_rpc(transaction: dict[str, Any], sender: str) -> dict[str, str]:
    """Numbers as JSON-RPC has them; fields that are texts stay."""
    return {"from": sender} | {
        name: hex(value) if isinstance(value, int) else value for name, value in transaction.items()
    }


def _require_honest(raw: bytes, asked: dict[str, Any], address: str) -> None:
    """:raises WrongSignature: these bytes are not the transaction that was asked for, signed by the address"""
    try:
        decoded = TypedTransaction.from_bytes(HexBytes(raw))
        fields = decoded.as_dict()
        signer = Account.recover_transaction(raw)
        exact = decoded.encode() == raw
    except Exception as error:  # rlp, eth-account and eth-keys have their own, and nothing may get past them
        raise WrongSignature(f"the signer's answer is no signed transaction: {type(error).__name__}") from error
    differing = [name for name, value in asked.items() if not _is_same(fields.get(name), value)]
    if fields.get("accessList") or ("to" in fields and "to" not in asked and fields["to"]):
        differing.append("accessList" if fields.get("accessList") else "to")
    if differing:
        raise WrongSignature(f"the signer has signed another transaction: {', '.join(differing)} differ")
    if signer != address:
        raise WrongSignature(f"the signer has signed as {signer}, not as {address}")
    if not exact or fields["s"] > _SECP256K1_HALF_N:
        raise WrongSignature("the signer's answer is not written as nodes take it")


def _is_same(found: Any, asked: Any) -> bool:
    if isinstance(asked, str):  # an address or call data
        return isinstance(found, (bytes, str)) and bytes(HexBytes(found)) == bytes(HexBytes(asked))
    return type(found) is type(asked) and found == asked
