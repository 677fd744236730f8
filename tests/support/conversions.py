"""What a payer does to have her gift tokens converted: a rule, a permit, and what is to become something."""

from typing import Any

from taesan.channels.models import Channel
from taesan.jars import rules
from taesan.jars.rule_models import RuleCreate
from tests.support import signing
from tests.support.signing import ZERO_ADDRESS
from tests.support.stage import DOLLAR, Payer, Stage
from tests.support.wallet import Json

FOR_EVER = 2**40


def to(
    kind: str, recipient: str = ZERO_ADDRESS, share: int = 10_000, token: str = ZERO_ADDRESS, slippage: int = 0
) -> Any:
    """A rule's destination, as the API takes it."""
    return {"kind": kind, "share": share, "recipient": recipient, "token": token, "slippage": slippage}


def permit(stage: Stage, payer: Payer, value: int = 100 * DOLLAR, **changes: Any) -> Any:
    allowance = stage.client.get("/v1/allowance", headers=payer.headers()).json()
    signed = {
        "owner": payer.address,
        "spender": allowance["spender"],
        "value": value,
        "nonce": allowance["nonce"],
        "deadline": FOR_EVER,
    } | changes
    signature = signing.sign(payer.wallet.key, stage.facts["gift_domain"], "Permit", **signed)
    body = {"value": str(value), "deadline": FOR_EVER, "signature": signature}
    return stage.client.put("/v1/allowance", json=body, headers=payer.headers())


def sign_rule(stage: Stage, payer: Payer, *destinations: Json, number: int = 1, per_day: int = 50 * DOLLAR) -> str:
    """Every payment becomes what the rule says; returns the rule's id."""
    terms: Json = {"gather": "top-ups", "fires": "every 1 payments", "only": ""}
    message = {
        "payer": payer.address,
        "id": number,
        **terms,
        "destinations": list(destinations),
        "perDay": per_day,
        "validUntil": FOR_EVER,
    }
    signature = signing.sign(payer.wallet.key, stage.facts["standing_orders_domain"], "Rule", **message)
    asked = RuleCreate.model_validate(
        terms
        | {"id": str(number), "destinations": list(destinations), "per_day": str(per_day), "valid_until": FOR_EVER}
        | {"signature": signature}
    )
    with stage.hub.db.write() as session:
        rule, _ = rules.add(session, stage.hub, session.get_one(Channel, payer.id), asked, stage.clock.now())
        return rule.public_id


def gather(stage: Stage, payer: Payer, rule_id: str, amount: int) -> None:
    """It fires, and the gift tokens are in the wallet."""
    payer.pay(amount, destination={"type": "jar", "rule_id": rule_id})
    stage.settle()
