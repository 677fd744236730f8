"""What a payer does to have her gift tokens converted: a rule, a permit, and what is to become something."""

from typing import Any

from tests.support import signing
from tests.support.signing import ZERO_ADDRESS
from tests.support.stage import DOLLAR, Payer, Rule, Stage
from tests.support.wallet import Json

DAY_S = 86_400


def to(
    kind: str, recipient: str = ZERO_ADDRESS, share: int = 10_000, token: str = ZERO_ADDRESS, slippage: int = 0
) -> Any:
    """A rule's destination, as the API takes it."""
    return {"kind": kind, "share": share, "recipient": recipient, "token": token, "slippage": slippage}


def permit(stage: Stage, payer: Payer, value: int = 100 * DOLLAR, days: int = 30, **changes: Any) -> Any:
    allowance = stage.client.get("/v1/allowance", headers=payer.headers()).json()
    deadline = int(stage.clock.now().timestamp()) + days * DAY_S
    signed = {
        "owner": payer.address,
        "spender": allowance["spender"],
        "value": value,
        "nonce": allowance["nonce"],
        "deadline": deadline,
    } | changes
    signature = signing.sign(payer.wallet.key, stage.facts["gift_domain"], "Permit", **signed)
    body = {"value": str(value), "deadline": deadline, "signature": signature}
    return stage.client.put("/v1/allowance", json=body, headers=payer.headers())


def sign_rule(payer: Payer, *destinations: Json, per_day: int = 50 * DOLLAR) -> Rule:
    """Every payment becomes what the rule says."""
    return payer.sign_rule("top-ups", "every 1 payments", destinations=list(destinations), per_day=str(per_day))


def gather(rule: Rule, amount: int) -> None:
    """It fires, and the gift tokens are in the wallet."""
    rule.pay(amount)
    rule.payer.stage.settle()
