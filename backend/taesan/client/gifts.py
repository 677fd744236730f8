"""Gift tokens to other people: by a link that whoever has it can use once, or to their address. Steps, as in `flows.py`."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from taesan.client import signing
from taesan.client.errors import require_address, require_amount, require_secret
from taesan.client.flows import Flows, json_of
from taesan.client.signing import HubFacts, Json, LocalKey
from taesan.client.steps import Flow, Send

VALID_FOR_S = 3_600
RETURN_LIFE_S = 366 * 86_400
"""The hub keeps, for so long after a link's end, what takes its tokens back."""


@dataclass(frozen=True)
class GiftLink:
    """Whoever has `url` has the gift. :ivar amount: minor units. :ivar exponent: of the gift token. :ivar currency: ISO 4217, what a token
    stands for. :ivar taking_back: signed already: after the gift's end anybody can send it to the gift token, with the hub or without, and
    the tokens are the sender's again"""

    id: str
    url: str = field(repr=False)
    amount: int
    exponent: int
    currency: str
    expires_at: datetime
    message: str
    sender_name: str
    taking_back: Json = field(repr=False)


def give(
    flows: Flows, amount: int, lives_for: timedelta, message: str, sender_name: str, secret: bytes | None
) -> Flow[GiftLink]:
    """:param secret: the link's key, 32 bytes; made if left out"""
    require_amount(amount)
    secret = secrets.token_bytes(32) if secret is None else require_secret(secret)
    facts = yield from flows.hub()
    body = gift(facts, flows.wallet, LocalKey(secret), amount, (yield from flows.signed_now()), lives_for)
    body |= {"message": message, "sender_name": sender_name}
    back = way_back(facts, flows.wallet.address, body)
    flows.state.keep_way_back(back)
    made = yield from _posted(flows, "/v1/gifts", body, body["wrapping"]["nonce"])
    return GiftLink(
        id=made["id"],
        url=f"{made['url']}#{base64.urlsafe_b64encode(secret).decode().rstrip('=')}",
        amount=amount,
        exponent=made["exponent"],
        currency=made["currency"],
        expires_at=datetime.fromisoformat(made["expires_at"]),
        message=message,
        sender_name=sender_name,
        taking_back=back,
    )


def way_back(facts: HubFacts, sender: str, body: Json) -> Json:
    """With all its arguments. :param body: of `POST /v1/gifts`"""
    ends = int(body["expires_at"])
    return {
        "token": facts.gift_domain.verifying_contract,
        "sender": body["key_address"],
        "recipient": sender,
        "amount": body["amount"],
        "valid_after": str(ends),
        "valid_before": str(ends + RETURN_LIFE_S),
        **body["taking_back"],
    }


def send_tokens(flows: Flows, amount: int, to: str) -> Flow[Json]:
    require_amount(amount)
    to = require_address(to)
    facts = yield from flows.hub()
    ends, nonce = int((yield from flows.signed_now()).timestamp()) + VALID_FOR_S, _nonce()
    body = {
        "sender": flows.wallet.address,
        "recipient": to,
        "amount": str(amount),
        "valid_after": "0",
        "valid_before": str(ends),
        "nonce": nonce,
        "signature": signing.transfer(facts, flows.wallet, to, amount, 0, ends, nonce),
    }
    return (yield from _posted(flows, "/v1/token-transfers", body, nonce))


def take_back(flows: Flows, gift_id: str) -> Flow[Json]:
    return (yield from _posted(flows, f"/v1/gifts/{gift_id}/return", {}, _nonce()))


def gift(
    facts: HubFacts,
    sender: signing.Signer,
    link_key: signing.Signer,
    amount: int,
    now: datetime,
    lives_for: timedelta,
) -> Json:
    """The body of `POST /v1/gifts`, without its words: the sender signs to the link's key, and that back, for after the end."""
    starts, ends = int(now.timestamp()), int((now + lives_for).timestamp())
    wrap, back = _nonce(), _nonce()
    signed = signing.transfer(facts, sender, link_key.address, amount, 0, starts + VALID_FOR_S, wrap)
    returns = signing.transfer(facts, link_key, sender.address, amount, ends, ends + RETURN_LIFE_S, back)
    return {
        "sender": sender.address,
        "amount": str(amount),
        "key_address": link_key.address,
        "expires_at": str(ends),
        "wrapping": {"valid_before": str(starts + VALID_FOR_S), "nonce": wrap, "signature": signed},
        "taking_back": {"nonce": back, "signature": returns},
    }


def _posted(flows: Flows, path: str, body: Json, key: str) -> Flow[Json]:
    """:raises Refused: :raises Unanswered:"""
    answer = yield from flows.asked(Send("POST", flows.site + path, body, {"Idempotency-Key": key}))
    return json_of(answer)


def _nonce() -> str:
    return "0x" + secrets.token_hex(32)
