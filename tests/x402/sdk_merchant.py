"""A merchant whose server is x402's own, with the hub as its facilitator:
`python -m tests.x402.sdk_merchant PORT HUB MERCHANT NETWORK ADDRESS TOKEN`.

By vouchers with `HubChannels` as its scheme; by `exact` with the SDK's own.
"""

import itertools
import sys

import uvicorn
from fastapi import FastAPI
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, PaymentOption
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.types import RouteConfig
from x402.mechanisms.evm.exact import ExactEvmServerScheme
from x402.schemas import AssetAmount

from taesan.paywall.sdk import HubChannels
from tests.x402.merchant import DEPOSIT

NOBODY = "0x000000000000000000000000000000000000dEaD"


def create_app(hub: str, merchant: str, network: str, address: str, token: str) -> FastAPI:
    app, runs = FastAPI(), itertools.count(1)
    server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=f"{hub}/x402")))
    server.register(network, HubChannels(hub, merchant, DEPOSIT))
    server.register(network, ExactEvmServerScheme())
    voucher = PaymentOption(scheme="batch-settlement", pay_to=NOBODY, price="0.01", network=network)
    cent = AssetAmount(amount="10000", asset=token, extra={"name": "Test Dollar", "version": "1"})
    transfer = PaymentOption(scheme="exact", pay_to=address, price=cent, network=network)
    routes = {"GET /weather": RouteConfig(accepts=voucher), "GET /forecast": RouteConfig(accepts=transfer)}
    app.add_middleware(PaymentMiddlewareASGI, routes=routes, server=server)

    @app.get("/weather")
    async def weather() -> dict[str, object]:
        return {"weather": "sunny", "run": next(runs)}

    @app.get("/forecast")
    async def forecast() -> dict[str, object]:
        return {"forecast": "rain", "run": next(runs)}

    @app.get("/free")
    async def free() -> dict[str, object]:
        return {}

    return app


if __name__ == "__main__":
    port, hub, merchant, network, address, token = sys.argv[1:]
    uvicorn.run(
        create_app(hub, merchant, network, address, token), host="127.0.0.1", port=int(port), log_level="warning"
    )
