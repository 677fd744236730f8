"""PyPI's `x402`, put together as its documentation shows: the paid service, and the facilitator that it asks about deposits.
`python -m tests.bench.peer_x402 facilitator PORT RPC_URL NETWORK`, `python -m tests.bench.peer_x402 server PORT '{…}'`

Each is a process of its own, because the SDK waits for its facilitator and for the node without letting go of its loop.
The SDK documents two ways to take its middleware. `PaymentMiddlewareASGI` is made once. The example for batch-settlement,
and the docstring of `payment_middleware`, make one in each request, which asks the facilitator for `/supported` each time.
What claims the vouchers later is left out.

With `--native` keys are recovered in pure Python, as where coincurve is not installed: `x402[evm]` does not bring it.
"""

import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import uvicorn
from eth_account import Account
from fastapi import FastAPI, Request, Response
from x402 import x402Facilitator, x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, PaymentOption
from x402.http.middleware.fastapi import PaymentMiddlewareASGI, payment_middleware
from x402.http.types import RouteConfig
from x402.mechanisms.evm.batch_settlement import SCHEME_BATCH_SETTLEMENT
from x402.mechanisms.evm.batch_settlement.authorizer_signer import LocalAuthorizerSigner
from x402.mechanisms.evm.batch_settlement.facilitator import BatchSettlementEvmFacilitator
from x402.mechanisms.evm.batch_settlement.server import (
    BatchSettlementEvmScheme,
    BatchSettlementEvmSchemeServerConfig,
    ChannelStorage,
    FileChannelStorage,
    InMemoryChannelStorage,
)
from x402.mechanisms.evm.signers import FacilitatorWeb3Signer
from x402.schemas import parse_payment_payload, parse_payment_requirements

from tests.support.chain import RICH_KEY

Json = dict[str, Any]
PATH = "/weather"
NATIVE = "--native"


@dataclass(frozen=True)
class Shop:
    """What is sold, as the server is told.

    :ivar folder: where channels are kept; empty: in memory, the SDK's default. :ivar price: a request's, in minor units
    :ivar deposit: what it asks of a new customer, in minor units. :ivar once: the middleware is made once
    """

    facilitator_url: str
    folder: str
    network: str
    pay_to: str
    asset: str
    asset_name: str
    asset_version: str
    price: int
    deposit: int
    once: bool = True

    def store(self) -> ChannelStorage:
        return FileChannelStorage(self.folder) if self.folder else InMemoryChannelStorage()


def create_shop(shop: Shop) -> FastAPI:
    server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=shop.facilitator_url)))
    config = BatchSettlementEvmSchemeServerConfig(storage=shop.store())
    server.register(shop.network, BatchSettlementEvmScheme(shop.pay_to, config))
    option = PaymentOption(
        scheme=SCHEME_BATCH_SETTLEMENT,
        pay_to=shop.pay_to,
        price={
            "amount": str(shop.price),
            "asset": shop.asset,
            "extra": {"name": shop.asset_name, "version": shop.asset_version},
        },
        network=shop.network,
        extra={"minDeposit": str(shop.deposit)},
    )
    app, routes = FastAPI(), {f"GET {PATH}": RouteConfig(accepts=option)}
    if shop.once:
        app.add_middleware(PaymentMiddlewareASGI, routes=routes, server=server)
    else:

        @app.middleware("http")
        async def x402_payment_middleware(request: Request, call_next: Any) -> Response:
            return await payment_middleware(routes, server)(request, call_next)

    @app.get(PATH)
    async def weather() -> Json:
        return {"report": {"weather": "sunny", "temperature": 70}}

    @app.get("/health")
    async def health() -> Json:
        return {"status": "ok"}

    return app


def create_facilitator(rpc_url: str, network: str) -> FastAPI:
    facilitator, authorizer = x402Facilitator(), LocalAuthorizerSigner(Account.create())
    scheme = BatchSettlementEvmFacilitator(FacilitatorWeb3Signer(RICH_KEY, rpc_url), authorizer)
    facilitator.register([network], scheme)
    app = FastAPI()

    def read(body: Json) -> tuple[Any, Any]:
        payload = parse_payment_payload(body["paymentPayload"])
        return payload, parse_payment_requirements(payload.x402_version, body["paymentRequirements"])

    @app.post("/verify")
    async def verify(body: Json) -> Json:
        return (await facilitator.verify(*read(body))).model_dump(by_alias=True, exclude_none=True)

    @app.post("/settle")
    async def settle(body: Json) -> Json:
        return (await facilitator.settle(*read(body))).model_dump(by_alias=True, exclude_none=True)

    @app.get("/supported")
    async def supported() -> Json:
        return facilitator.get_supported().model_dump(by_alias=True, exclude_none=True)

    return app


def choose_keys(arguments: list[str]) -> list[str]:
    """Before the first signature: eth-keys looks once. Returns the other arguments."""
    if NATIVE in arguments:
        os.environ["ECC_BACKEND_CLASS"] = "eth_keys.backends.NativeECCBackend"
    return [argument for argument in arguments if argument != NATIVE]


if __name__ == "__main__":
    role, port, *rest = choose_keys(sys.argv[1:])
    app = create_facilitator(*rest) if role == "facilitator" else create_shop(Shop(**json.loads(*rest)))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)
