"""The operator's key: in a file that is worth nothing without its password, or with a signer that is believed in nothing."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from pydantic import SecretStr
from typer.testing import CliRunner

from taesan.chain import keystore, signers
from taesan.chain.keystore import KeystoreError
from taesan.chain.signers import (
    KeySigner,
    RemoteSigner,
    SignerUnavailable,
    UnsuitableKey,
    WrongSignature,
    open_signer,
)
from taesan.cli import app
from taesan.core.crypto import keccak
from taesan.core.values import hex_of
from taesan.settings import DEV_OPERATOR_KEY, Settings

KEY = SecretStr("0x" + "17" * 32)
ADDRESS = Account.from_key(KEY.get_secret_value()).address
PASSWORD = "correct horse battery"
TO, OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
TRANSACTION: dict[str, Any] = {
    "type": 2,
    "chainId": 31337,
    "nonce": 7,
    "to": TO,
    "value": 0,
    "data": "0xdeadbeef",
    "gas": 90_000,
    "maxFeePerGas": 3_000_000_000,
    "maxPriorityFeePerGas": 1_000_000_000,
}


@pytest.fixture(autouse=True)
def _quick_and_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes guessing a password slow would make the tests so."""
    for name in [name for name in os.environ if name.startswith("TAESAN_")]:
        monkeypatch.delenv(name)
    slow = Account.encrypt
    monkeypatch.setattr(Account, "encrypt", lambda key, password: slow(key, password, "pbkdf2", 2))


def _password_file(folder: Path, content: str = PASSWORD + "\n", mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_a_signer_shows_its_address_and_not_its_key() -> None:
    signer = KeySigner(KEY)
    assert repr(signer) == f"KeySigner({ADDRESS})"
    assert KEY.get_secret_value()[2:] not in repr(signer) + str(vars(signer))


# ------------------------------------------------------------------- key files


def test_a_key_comes_back_out_of_its_file(tmp_path: Path) -> None:
    assert keystore.write(tmp_path / "deep" / "key.json", KEY, SecretStr(PASSWORD)) == ADDRESS
    settings = Settings(
        environment="production",
        operator_keystore=tmp_path / "deep" / "key.json",
        operator_keystore_password_file=_password_file(tmp_path),
    )
    signer = open_signer(settings)
    assert signer.address == ADDRESS
    assert signer.sign(TRANSACTION) == KeySigner(KEY).sign(TRANSACTION)


def test_the_file_is_its_owners_alone_and_holds_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    keystore.write(path, KEY, SecretStr(PASSWORD))
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_text()
    assert json.loads(content)["version"] == 3
    assert KEY.get_secret_value()[2:] not in content
    assert PASSWORD not in content


def test_as_it_is_made_it_is_slow_to_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = Account.encrypt(KEY.get_secret_value(), PASSWORD)["crypto"]
    assert (made["kdf"], made["kdfparams"]["n"]) == ("scrypt", 262_144)


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("precious")
    with pytest.raises(KeystoreError, match="is there already"):
        keystore.write(path, KEY, SecretStr(PASSWORD))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("content", ["another password\n", PASSWORD + " ", PASSWORD.upper()])
def test_another_password_does_not_open_it(tmp_path: Path, content: str) -> None:
    keystore.write(tmp_path / "key.json", KEY, SecretStr(PASSWORD))
    with pytest.raises(KeystoreError, match="does not open") as refused:
        keystore.read(tmp_path / "key.json", _password_file(tmp_path, content))
    assert content.strip() not in str(refused.value)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666, 0o777])
@pytest.mark.parametrize("which", ["key.json", "password"])
def test_files_that_are_open_to_everybody_are_refused(tmp_path: Path, which: str, mode: int) -> None:
    keystore.write(tmp_path / "key.json", KEY, SecretStr(PASSWORD))
    password = _password_file(tmp_path)
    (tmp_path / which).chmod(mode)
    with pytest.raises(KeystoreError, match=f"chmod 600 .*{which}"):
        keystore.read(tmp_path / "key.json", password)


def test_a_group_may_read_them(tmp_path: Path) -> None:
    """As secrets of containers are mounted."""
    keystore.write(tmp_path / "key.json", KEY, SecretStr(PASSWORD))
    (tmp_path / "key.json").chmod(0o640)
    assert keystore.read(tmp_path / "key.json", _password_file(tmp_path, mode=0o440)) == KEY


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "no json", '{"version": 1, "crypto": {}}', "\x00\xff"])
def test_what_is_no_key_file_is_told_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeystoreError, match="is no key file"):
        keystore.read(path, _password_file(tmp_path))


def test_missing_files_and_empty_passwords_are_told(tmp_path: Path) -> None:
    keystore.write(tmp_path / "key.json", KEY, SecretStr(PASSWORD))
    with pytest.raises(KeystoreError, match="cannot be read: No such file"):
        keystore.read(tmp_path / "none.json", _password_file(tmp_path))
    with pytest.raises(KeystoreError, match=r"PASSWORD_FILE.*cannot be read"):
        keystore.read(tmp_path / "key.json", tmp_path / "none")
    with pytest.raises(KeystoreError, match="protects nothing"):
        keystore.read(tmp_path / "key.json", _password_file(tmp_path, "\n"))


def test_the_known_key_is_refused_in_a_file_too(tmp_path: Path) -> None:
    keystore.write(tmp_path / "key.json", SecretStr(DEV_OPERATOR_KEY), SecretStr(PASSWORD))
    named: dict[str, Any] = {
        "operator_keystore": tmp_path / "key.json",
        "operator_keystore_password_file": _password_file(tmp_path),
    }
    with pytest.raises(UnsuitableKey, match="well-known development key"):
        open_signer(Settings(environment="test-chain", **named))
    assert open_signer(Settings(**named)).address == KeySigner(SecretStr(DEV_OPERATOR_KEY)).address


# -------------------------------------------------------------------- commands


def _run(*arguments: str, given: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["keystore", *arguments], input=given)
    return done.exit_code, done.output


def test_a_key_is_imported_without_being_shown(tmp_path: Path) -> None:
    plain = KEY.get_secret_value()
    code, output = _run("import", str(tmp_path / "key.json"), given=f"{plain}\n{PASSWORD}\n{PASSWORD}\n")
    assert code == 0, output
    assert ADDRESS in output
    assert plain not in output
    assert PASSWORD not in output
    assert keystore.read(tmp_path / "key.json", _password_file(tmp_path)) == KEY


def test_a_key_comes_from_standard_input_and_its_password_from_a_file(tmp_path: Path) -> None:
    password = str(_password_file(tmp_path))
    arguments = ("import", str(tmp_path / "key.json"), "--password-file", password, "--key-file", "-")
    code, output = _run(*arguments, given=KEY.get_secret_value())
    assert code == 0, output
    assert keystore.read(tmp_path / "key.json", Path(password)) == KEY


def test_two_new_keys_are_two(tmp_path: Path) -> None:
    password = _password_file(tmp_path)
    for name in ("1.json", "2.json"):
        code, output = _run("new", str(tmp_path / name), "--password-file", str(password))
        assert code == 0, output
    assert keystore.read(tmp_path / "1.json", password) != keystore.read(tmp_path / "2.json", password)


@pytest.mark.parametrize(
    ("password", "key", "told"),
    [
        (PASSWORD, "0x12", "64 hexadecimal digits"),
        (PASSWORD, "", "64 hexadecimal digits"),
        (PASSWORD, "0x" + "00" * 32, "64 hexadecimal digits"),
        ("short", KEY.get_secret_value(), "12 characters"),
    ],
)
def test_what_cannot_be_used_makes_no_file(tmp_path: Path, password: str, key: str, told: str) -> None:
    file = str(_password_file(tmp_path, password))
    code, output = _run("import", str(tmp_path / "key.json"), "--password-file", file, "--key-file", "-", given=key)
    assert code == 2
    assert told in output
    assert not (tmp_path / "key.json").exists()


# -------------------------------------------------------------- remote signers


class SignerServer:
    """:ivar answer: what it says to a transaction as it came in; a text is sent as it is. :ivar asked: how often"""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], Any] = _honest
        self.asked: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert question["method"] == "eth_signTransaction"
                outer.asked.append(question["params"][0])
                answer = outer.answer(question["params"][0])
                content = answer if isinstance(answer, str) else json.dumps({"jsonrpc": "2.0", "id": 1, **answer})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:s3cret@127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _signed(asked: dict[str, Any], key: SecretStr = KEY, **changes: Any) -> str:
    fields = {name: value for name, value in asked.items() if name != "from"} | changes
    return "0x" + bytes(Account.from_key(key.get_secret_value()).sign_transaction(fields).raw_transaction).hex()


def _honest(asked: dict[str, Any]) -> Any:
    return {"result": _signed(asked)}


@pytest.fixture
def server() -> Iterator[SignerServer]:
    server = SignerServer()
    yield server
    server.stop()


@pytest.fixture
def remote(server: SignerServer) -> RemoteSigner:
    return RemoteSigner(server.url, ADDRESS)


@pytest.mark.parametrize("as_geth", [False, True])
def test_a_remote_signer_signs_as_the_key_itself_would(server: SignerServer, as_geth: bool) -> None:
    server.answer = lambda asked: {"result": {"raw": _signed(asked), "tx": {}} if as_geth else _signed(asked)}
    signer = open_signer(
        Settings(environment="production", operator_signer_url=server.url, operator_address=ADDRESS)  # type: ignore[arg-type]
    )
    raw, hash_ = signer.sign(TRANSACTION)
    assert (raw, hash_) == KeySigner(KEY).sign(TRANSACTION)
    assert hash_ == hex_of(keccak(raw))
    assert server.asked[0]["from"] == ADDRESS
    assert server.asked[0]["nonce"] == "0x7"
    assert "s3cret" not in repr(signer)


def test_a_contract_is_created_by_a_transaction_to_nobody(remote: RemoteSigner, server: SignerServer) -> None:
    creation = {name: value for name, value in TRANSACTION.items() if name != "to"}
    assert remote.sign(creation) == KeySigner(KEY).sign(creation)
    server.answer = lambda asked: {"result": _signed(asked, to=TO)}
    with pytest.raises(WrongSignature, match="to differ"):
        remote.sign(creation)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"nonce": 8}, "nonce"),
        ({"to": OTHER}, "to"),
        ({"value": 1}, "value"),
        ({"data": "0xdeadbeee"}, "data"),
        ({"data": "0x"}, "data"),
        ({"gas": 90_001}, "gas"),
        ({"maxFeePerGas": 3_000_000_001}, "maxFeePerGas"),
        ({"maxPriorityFeePerGas": 1}, "maxPriorityFeePerGas"),
        ({"chainId": 1}, "chainId"),
        ({"accessList": [{"address": OTHER, "storageKeys": []}]}, "accessList"),
    ],
    ids=str,
)
def test_a_remote_signer_that_signs_something_else_is_refused(
    remote: RemoteSigner, server: SignerServer, change: dict[str, Any], told: str
) -> None:
    server.answer = lambda asked: {"result": _signed(asked, **change)}
    with pytest.raises(WrongSignature, match=f"another transaction: {told} differ"):
        remote.sign(TRANSACTION)


def test_a_remote_signer_with_another_key_is_refused(remote: RemoteSigner, server: SignerServer) -> None:
    server.answer = lambda asked: {"result": _signed(asked, SecretStr("0x" + "18" * 32))}
    with pytest.raises(WrongSignature, match=f"not as {ADDRESS}"):
        remote.sign(TRANSACTION)


def test_bytes_after_the_transaction_are_refused(remote: RemoteSigner, server: SignerServer) -> None:
    server.answer = lambda asked: {"result": _signed(asked) + "00"}
    with pytest.raises(WrongSignature):
        remote.sign(TRANSACTION)


def test_another_kind_of_transaction_is_refused(remote: RemoteSigner, server: SignerServer) -> None:
    legacy = {"nonce": 7, "to": TO, "value": 0, "data": "0xdeadbeef", "gas": 90_000, "gasPrice": 1, "chainId": 31337}
    server.answer = lambda asked: {"result": _signed(legacy)}
    with pytest.raises(WrongSignature, match="no signed transaction"):
        remote.sign(TRANSACTION)


@pytest.mark.parametrize("result", ["0x", "0x02", "0x02c0", "0x" + "ff" * 200], ids=str)
def test_junk_is_no_transaction(remote: RemoteSigner, server: SignerServer, result: str) -> None:
    server.answer = lambda asked: {"result": result}
    with pytest.raises(WrongSignature):
        remote.sign(TRANSACTION)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32000, "message": "denied"}},
        {"result": None},
        {"result": 7},
        {"result": {"tx": {}}},
        {"result": "0xzz"},
        "<html>Bad Gateway</html>",
        "[]",
        "",
    ],
    ids=str,
)
def test_a_signer_that_does_not_sign_is_left_alone_for_a_while(
    remote: RemoteSigner, server: SignerServer, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda asked: answer
    with pytest.raises(SignerUnavailable, match="has not signed"):
        remote.sign(TRANSACTION)
    server.answer = _honest
    with pytest.raises(SignerUnavailable, match="asked again soon"):
        remote.sign(TRANSACTION)
    assert len(server.asked) == 1
    monkeypatch.setattr(remote, "_rests_until", 0.0)
    assert remote.sign(TRANSACTION) == KeySigner(KEY).sign(TRANSACTION)


def test_a_signer_that_is_away_or_hangs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, server: SignerServer
) -> None:
    with pytest.raises(SignerUnavailable, match=r"no answer from the signer at http://127.0.0.1:1: ") as refused:
        RemoteSigner("http://user:s3cret@127.0.0.1:1", ADDRESS).sign(TRANSACTION)
    assert "s3cret" not in str(refused.value)
    monkeypatch.setattr(signers, "REMOTE_TIMEOUT_S", 0.1)
    wake = threading.Event()
    server.answer = lambda asked: _honest(asked) if wake.wait(5) else {}
    with pytest.raises(SignerUnavailable, match="Timeout"):
        RemoteSigner(server.url, ADDRESS).sign(TRANSACTION)
    wake.set()
