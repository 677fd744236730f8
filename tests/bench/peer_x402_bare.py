"""What PyPI's `x402` makes of a voucher, without HTTP: `python -m tests.bench.peer_x402_bare SECONDS FOLDER [--native]`

Its resource server verifies the payment and settles it, on one core: that is, it recovers the signer, compares with the
channel, and writes the channel back twice, to a reservation and from it. An empty FOLDER keeps channels in memory. What
is measured starts with a parsed payment and needs neither node nor facilitator, as in the server once a deposit is known.
"""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from x402 import x402ResourceServerSync
from x402.mechanisms.evm.batch_settlement import SCHEME_BATCH_SETTLEMENT, compute_channel_id
from x402.mechanisms.evm.batch_settlement.client.voucher import sign_voucher
from x402.mechanisms.evm.batch_settlement.server import (
    BatchSettlementEvmScheme,
    BatchSettlementEvmSchemeServerConfig,
    Channel,
    ChannelStorage,
)
from x402.mechanisms.evm.batch_settlement.types import ChannelConfig, VoucherPayload
from x402.mechanisms.evm.signers import EthAccountSigner
from x402.schemas import PaymentPayload, PaymentRequirements, SupportedKind, SupportedResponse

from tests.bench.payers import AMOUNT, DEPOSIT
from tests.bench.peer_x402 import Shop, choose_keys

NETWORK = "eip155:31337"
CHANNELS = 64
ROUND = 64
WITHDRAW_DELAY_S = 900


class _NeverAsked:
    """A facilitator that offers the scheme; vouchers of known channels do without it."""

    def __init__(self, authorizer: str) -> None:
        self._authorizer = authorizer

    def get_supported(self) -> SupportedResponse:
        extra = {"receiverAuthorizer": self._authorizer}
        kind = SupportedKind(x402_version=2, scheme=SCHEME_BATCH_SETTLEMENT, network=NETWORK, extra=extra)
        return SupportedResponse(kinds=[kind])

    def verify(self, _payload: Any, _requirements: Any) -> Any:
        raise AssertionError("verified without the facilitator")

    def settle(self, _payload: Any, _requirements: Any) -> Any:
        raise AssertionError("settled without the facilitator")


@dataclass
class _Customer:
    """:ivar paid: in payments"""

    signer: EthAccountSigner
    config: ChannelConfig
    channel_id: str
    paid: int = 0

    def payment(self, offer: PaymentRequirements) -> PaymentPayload:
        """The next one."""
        self.paid += 1
        payload = VoucherPayload()
        payload.channel_config = self.config
        payload.voucher = sign_voucher(self.signer, self.channel_id, self.paid * AMOUNT, NETWORK)
        return PaymentPayload(payload=payload.to_dict(), accepted=offer)


def _offer() -> PaymentRequirements:
    shop, authorizer, token = (Account.create().address for _ in range(3))
    return PaymentRequirements(
        scheme=SCHEME_BATCH_SETTLEMENT,
        network=NETWORK,
        asset=token,
        amount=str(AMOUNT),
        pay_to=shop,
        max_timeout_seconds=300,
        extra={"receiverAuthorizer": authorizer, "withdrawDelay": WITHDRAW_DELAY_S, "name": "USD", "version": "1"},
    )


def _move_in(offer: PaymentRequirements, storage: ChannelStorage) -> list[_Customer]:
    """Customers whose channels are known, as right after a deposit."""
    customers = []
    for number in range(CHANNELS):
        account = Account.create()
        config = ChannelConfig(
            payer=account.address,
            payer_authorizer=account.address,
            receiver=offer.pay_to,
            receiver_authorizer=offer.extra["receiverAuthorizer"],
            token=offer.asset,
            withdraw_delay=WITHDRAW_DELAY_S,
            salt=f"0x{number:064x}",
        )
        customer = _Customer(EthAccountSigner(account), config, compute_channel_id(config, NETWORK))
        known = Channel(customer.channel_id, config, balance=str(DEPOSIT), onchain_synced_at=int(time.time() * 1000))
        storage.update_channel(customer.channel_id, lambda _, known=known: known)
        customers.append(customer)
    return customers


def _pay(server: x402ResourceServerSync, payment: PaymentPayload, offer: PaymentRequirements) -> None:
    verified = server.verify_payment(payment, offer)
    assert verified.is_valid, verified
    settled = server.settle_payment(payment, offer)
    assert settled.success, settled


def measure(seconds: float, folder: str) -> dict[str, float]:
    """Signs a round and times the server with it, until it has worked for so many seconds."""
    offer = _offer()
    storage = Shop("", folder, NETWORK, offer.pay_to, offer.asset, "USD", "1", AMOUNT, DEPOSIT).store()
    customers = _move_in(offer, storage)
    server = x402ResourceServerSync(_NeverAsked(offer.extra["receiverAuthorizer"]))
    server.register(
        NETWORK, BatchSettlementEvmScheme(offer.pay_to, BatchSettlementEvmSchemeServerConfig(storage=storage))
    )
    server.initialize()
    turns: Iterator[_Customer] = itertools.cycle(customers)
    waits: list[float] = []
    cpu = 0.0
    while sum(waits) < seconds:
        payments = [customer.payment(offer) for customer in itertools.islice(turns, ROUND)]
        cpu -= time.process_time()
        for payment in payments:
            started = time.perf_counter()
            _pay(server, payment, offer)
            waits.append(time.perf_counter() - started)
        cpu += time.process_time()
    charged = {channel.channel_id: int(channel.charged_cumulative_amount) for channel in storage.list()}
    assert charged == {customer.channel_id: customer.paid * AMOUNT for customer in customers}
    elapsed = sum(waits)
    waits.sort()
    return {
        "payments": len(waits),
        "elapsed_s": elapsed,
        "rate": len(waits) / elapsed,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
        "cpu_s": cpu,
    }


if __name__ == "__main__":
    seconds, folder = choose_keys(sys.argv[1:])
    print(json.dumps(measure(float(seconds), folder)))
