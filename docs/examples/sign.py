"""What a web server sends its facilitator: the offer that it made, and the payment that a client signed for it."""

import json
import os
import secrets

import httpx
from eth_account import Account
from x402 import x402ClientSync
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme, BatchSettlementEvmSchemeOptions
from x402.schemas import PaymentRequired

# The server's part, once: its price on the hub's terms.
kinds = httpx.get(os.environ["HUB"] + "/x402/supported").json()["kinds"]
kind = next(kind for kind in kinds if kind["scheme"] == "batch-settlement")
offer = {
    "scheme": kind["scheme"],
    "network": kind["network"],
    "asset": kind["extra"]["asset"],
    "payTo": kind["extra"]["payTo"],
    "amount": "10000",
    "maxTimeoutSeconds": 60,
    "extra": kind["extra"] | {"merchantId": os.environ["MERCHANT"]},
}

# The client's part: what comes back in the header PAYMENT-SIGNATURE. A new salt is a new channel, so it deposits first.
options = BatchSettlementEvmSchemeOptions(salt="0x" + secrets.token_hex(32))
scheme = BatchSettlementEvmScheme(Account.from_key(os.environ["WALLET_KEY"]), options)
required = PaymentRequired.model_validate({"x402Version": 2, "accepts": [offer]})
payment = x402ClientSync().register("eip155:*", scheme).create_payment_payload(required)

signed = payment.model_dump(by_alias=True, exclude_none=True)
print(json.dumps({"x402Version": 2, "paymentPayload": signed, "paymentRequirements": offer}))
