"""Gift links and gift tokens to other people, signed by the tests' own wallets with eth-account."""

import secrets
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from tests.support import signing
from tests.support.stage import DOLLAR, Payer, Stage, key
from tests.support.wallet import FAR_FUTURE, Json, Wallet, raw

YEAR_S = 366 * 86_400


def nonce() -> str:
    return "0x" + secrets.token_hex(32)


def signed_transfer(
    facts: Json, by: LocalAccount, to: str, amount: int, after: int, before: int, with_nonce: str
) -> str:
    """An ERC-3009 `TransferWithAuthorization` of gift tokens."""
    return signing.sign(
        by,
        facts["gift_domain"],
        "TransferWithAuthorization",
        **{"from": by.address},
        to=to,
        value=amount,
        validAfter=after,
        validBefore=before,
        nonce=raw(with_nonce),
    )


class Link:
    """A gift link: its key, and what its sender asks the hub for."""

    def __init__(self, facts: Json, sender: Wallet, amount: int, expires_at: int, **more: Any) -> None:
        self.facts, self.sender, self.amount, self.expires_at = facts, sender, amount, expires_at
        self.key: LocalAccount = Account.from_key(secrets.token_bytes(32))
        wrap, back = nonce(), nonce()
        returns = (self.sender.address, amount, expires_at, expires_at + YEAR_S, back)
        self.body: Json = {
            "sender": sender.address,
            "amount": str(amount),
            "key_address": self.key.address,
            "expires_at": str(expires_at),
            "wrapping": {
                "valid_before": str(FAR_FUTURE),
                "nonce": wrap,
                "signature": signed_transfer(facts, sender.key, self.key.address, amount, 0, FAR_FUTURE, wrap),
            },
            "taking_back": {"nonce": back, "signature": signed_transfer(facts, self.key, *returns)},
        } | more

    def claim_body(self, recipient: str, by: LocalAccount | None = None, with_nonce: str | None = None) -> Json:
        used = with_nonce or nonce()
        signature = signed_transfer(self.facts, by or self.key, recipient, self.amount, 0, self.expires_at, used)
        return {"recipient": recipient, "nonce": used, "signature": signature}


def rich_payer(stage: Stage, dollars: int = 40) -> Payer:
    """With so many gift tokens."""
    payer = stage.payer(dollars * DOLLAR)
    for _ in range(dollars // 5):
        payer.pay(5 * DOLLAR)
    stage.settle()
    assert stage.gift_tokens(payer.address) == dollars * DOLLAR
    return payer


class Giver:
    """Somebody with gift tokens, who makes links at a stage's hub. :param rich: who sends them to her"""

    def __init__(self, stage: Stage, rich: Payer, amount: int = 2 * DOLLAR) -> None:
        self.stage, self.wallet = stage, Wallet()
        stage.chain.send(rich.wallet.key, "gift_token", "transfer", self.wallet.address, amount)

    def link(self, amount: int = DOLLAR, lives_s: int = 3_600, **more: Any) -> Link:
        """Not sent yet."""
        expires_at = int(self.stage.clock.now().timestamp()) + lives_s
        return Link(self.stage.facts, self.wallet, amount, expires_at, **more)

    def give(self, amount: int = DOLLAR, **more: Any) -> tuple[str, Link]:
        """Accepted by the hub; returns the gift's id."""
        link = self.link(amount, **more)
        answer = post(self.stage, "/v1/gifts", link.body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"]), link

    def wrap(self, amount: int = DOLLAR, **more: Any) -> tuple[str, Link]:
        """The same, and its tokens are at the link's key."""
        made = self.give(amount, **more)
        gather(self.stage)
        assert state(self.stage, made[0]) == "open"
        return made


def transfer(stage: Stage, sender: Wallet, recipient: str, amount: int, with_nonce: str | None = None) -> Json:
    """The body of `POST /v1/token-transfers`."""
    before, used = int(stage.clock.now().timestamp()) + 3_600, with_nonce or nonce()
    return {
        "sender": sender.address,
        "recipient": recipient,
        "amount": str(amount),
        "valid_after": "0",
        "valid_before": str(before),
        "nonce": used,
        "signature": signed_transfer(stage.facts, sender.key, recipient, amount, 0, before, used),
    }


def post(stage: Stage, path: str, body: Json | None = None) -> Any:
    return stage.client.post(path, json=body, headers=key())


def claim(stage: Stage, gift_id: str, body: Json) -> Any:
    return post(stage, f"/v1/gifts/{gift_id}/claim", body)


def take_back(stage: Stage, gift_id: str) -> Any:
    return post(stage, f"/v1/gifts/{gift_id}/return")


def state(stage: Stage, gift_id: str) -> str:
    return str(stage.get(f"/v1/gifts/{gift_id}")["state"])


def gather(stage: Stage) -> None:
    """What waits for others to share a transaction with goes to the chain, and is confirmed."""
    stage.later(stage.settings.token_gather_s + 1)
    stage.confirm()


def pass_end(stage: Stage, link: Link) -> None:
    """The link's end passes, by the hub's clock and the chain's."""
    stage.later(link.expires_at - int(stage.clock.now().timestamp()) + 1)
    stage.chain.wait_until(link.expires_at)
