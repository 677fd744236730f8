"""`taesan gateway`: gateways without a session."""

import re

from tests.support.commands import run_here
from tests.support.gateway import Gateway, message, payment
from tests.support.problems import assert_problem
from tests.support.stage import Stage
from tests.support.wallet import Wallet

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


def test_gateways_are_added_listed_and_given_new_secrets(stage: Stage) -> None:
    wallet = Wallet()
    code, output = run_here("gateway", "list", environment=stage.environment)
    assert (code, output.strip()) == (0, "There are no gateways.")
    code, output = run_here("gateway", "add", "Narae Pay", wallet.address, environment=stage.environment)
    assert code == 0, output
    gateway_id, secret = output.split()
    assert SECRET.fullmatch(secret)
    code, output = run_here("gateway", "list", environment=stage.environment)
    assert f"{gateway_id} Narae Pay, unfunded, {wallet.address}" in output
    assert "whsec_" not in output
    code, output = run_here("gateway", "rotate", gateway_id, environment=stage.environment)
    assert code == 0, output
    assert SECRET.search(output)
    assert secret not in output
    acts = [(a["operator"], a["action"]) for a in stage.get("/v1/operator/actions", **stage.operator())["items"]]
    assert acts == [("cli", "gateway.rotated"), ("cli", "gateway.registered")]


def test_what_a_person_can_mend_is_one_line(stage: Stage) -> None:
    wallet = Wallet()
    for arguments, told in (
        (("add", "Narae Pay", "0x12"), "address: must be 0x and 40 hexadecimal digits"),
        (("add", "Narae Pay", wallet.address), "gw_"),
        (("add", "Again", wallet.address), "This wallet has a gateway already."),
        (("rotate", "gw_none"), "There is no such thing."),
    ):
        code, output = run_here("gateway", *arguments, environment=stage.environment)
        assert (code, told in output) == (0 if told == "gw_" else 2, True), output


def test_an_old_secret_is_worth_nothing_then(stage: Stage) -> None:
    gateway = Gateway(stage)
    code, _ = run_here("gateway", "rotate", gateway.id, environment=stage.environment)
    assert code == 0
    assert_problem(gateway.post(message("payment.made", payment())), "webhook-not-verified", 401)
