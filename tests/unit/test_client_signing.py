"""What a wallet signs to sign in, as the library reads it that the hub uses."""

import subprocess
import sys
from datetime import UTC, datetime

from taesan.client.signing import LocalKey, sign_in
from taesan.identity.plain_siwe import SiweMessage
from tests.support.chain import ROOT


def test_the_message_to_sign_in_is_one_and_signed_by_the_wallet() -> None:
    wallet = LocalKey(b"\7" * 32)
    signed = sign_in(wallet, "https://hub.example:8443", 8_453, "f00ba7f00ba7", "Sign in to Taesan.", datetime.now(UTC))
    message = SiweMessage.from_message(signed["message"], abnf=False)
    message.verify(signed["signature"], domain="hub.example:8443", nonce="f00ba7f00ba7")
    assert message.prepare_message() == signed["message"]
    assert (message.address, message.chain_id, str(message.uri)) == (wallet.address, 8_453, "https://hub.example:8443")


def test_a_client_starts_without_what_only_a_hub_needs() -> None:
    program = (
        "import sys, taesan.client.merchant as _; print({'web3', 'siwe', 'sqlalchemy', 'fastapi'} & set(sys.modules))"
    )
    environment = {"PYTHONPATH": str(ROOT / "backend")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
