"""Payers for the load: keys that anybody can derive, channels in a database, signed payments as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coincurve import PrivateKey
from eth_utils.address import to_checksum_address

from taesan.channels import service as channels
from taesan.channels import vouchers
from taesan.channels.models import ChannelConfig
from taesan.core.crypto import Domain, keccak
from taesan.hub import Hub
from taesan.identity import keys
from taesan.ledger import posting
from taesan.ledger.posting import Move

SALT = "0x" + "07" * 32
AMOUNT = 12_300
DEPOSIT = 10**12
MERCHANTS = 5


@dataclass(frozen=True)
class Facts:
    """What a payer knows of the hub; crosses to the load's process as JSON."""

    chain_id: int
    channels: str
    settlement: str
    operator: str
    asset: str
    asset_address: str
    delay_s: int
    merchant_ids: list[str]

    @cached_property
    def domain(self) -> Domain:
        return Domain("x402 Batch Settlement", "1", self.chain_id, self.channels)


def facts_of(hub: Hub, merchant_ids: Sequence[str]) -> Facts:
    deployment = hub.contracts.deployment
    return Facts(
        deployment.chain_id,
        deployment.channels,
        deployment.settlement,
        hub.signer.address,
        hub.asset.id,
        deployment.asset,
        hub.settings.withdraw_delay_s,
        list(merchant_ids),
    )


class Payer:
    def __init__(self, facts: Facts, number: int) -> None:
        self.facts, self.paid = facts, 0
        self._key = PrivateKey(keccak(b"payer %d" % number))
        self.address = to_checksum_address(keccak(self._key.public_key.format(compressed=False)[1:])[12:])
        self.channel_id = vouchers.channel_id(
            facts.domain,
            (
                self.address,
                self.address,  # not zero: a wrong signature would then be asked about on chain, and there is none
                facts.settlement,
                facts.operator,
                facts.asset_address,
                facts.delay_s,
                SALT,
            ),
        )
        self._number = number

    def payment(self) -> dict[str, Any]:
        """The next one: to the jar, and every fifth to a merchant."""
        self.paid += 1
        cumulative = self.paid * AMOUNT
        to_merchant = self.paid % 5 == 0
        merchant = self.facts.merchant_ids[self._number % len(self.facts.merchant_ids)]
        digest = vouchers.voucher_digest(self.facts.domain, self.channel_id, cumulative)
        signature = self._key.sign_recoverable(digest, hasher=None)
        return {
            "voucher": {
                "channel_id": self.channel_id,
                "max_claimable_amount": str(cumulative),
                "signature": "0x" + signature[:64].hex() + f"{27 + signature[64]:02x}",
            },
            "amount": {"value": str(AMOUNT), "asset": self.facts.asset, "exponent": 6},
            "destination": {"type": "merchant", "merchant_id": merchant} if to_merchant else {"type": "jar"},
        }


def requests(payers: Sequence[Payer], bulk: int) -> Iterator[bytes]:
    """HTTP requests without end, the payers taking turns. :param bulk: payments in a request; 0: the single route"""
    number = 0
    while True:
        items = []
        for _ in range(bulk or 1):
            payer = payers[number % len(payers)]
            number += 1
            items.append((f"{payer.channel_id[2:10]}-{payer.paid}", payer.payment()))
        if bulk:
            body = json.dumps({"payments": [item | {"idempotency_key": key} for key, item in items]}).encode()
            yield _post("/v1/payments/bulk", body, "")
        else:
            ((key, item),) = items
            yield _post("/v1/payments", json.dumps(item).encode(), f"idempotency-key: {key}\r\n")


def _post(path: str, body: bytes, more: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def move_in(hub: Hub, count: int, is_ours: Callable[[str], bool] = lambda address: True) -> Facts:
    """Opens a funded channel for each payer and signs up the merchants, as if the chain had told of it.

    :param is_ours: whether a payer's channel belongs to this hub, by the payer's address
    """
    now = hub.clock.now()
    with hub.db.write() as session:
        merchant_ids = [
            keys.register(
                session, f"Merchant {n}", to_checksum_address(keccak(b"merchant %d" % n)[12:]), now, hub.mode
            )[0].id
            for n in range(MERCHANTS)
        ]
        facts = facts_of(hub, merchant_ids)
        escrow = posting.open_accounts(session, [hub.chart.escrow])[hub.chart.escrow]
        addresses = [address for n in range(count) if is_ours(address := Payer(facts, n).address)]
        moves = [Move(escrow, hub.chart.escrow, len(addresses) * DEPOSIT)]
        for address in addresses:
            config = ChannelConfig(
                payer=address,
                payer_authorizer=address,
                receiver=facts.settlement,
                receiver_authorizer=facts.operator,
                token=facts.asset_address,
                withdraw_delay=facts.delay_s,
                salt=SALT,
            )
            channel = channels.register(session, hub, config, now)
            channel.state = "open"
            moves.append(Move(channel.account_id, hub.chart.channel(channel.id), -DEPOSIT))
        posting.post_moves(session, "deposits of the load", "deposit", now, moves)
    return facts
