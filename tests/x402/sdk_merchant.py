"""A merchant whose server is x402's own, with the hub as its facilitator: `python -m tests.x402.sdk_merchant PORT HUB MERCHANT NETWORK`."""

import itertools
import sys

import uvicorn
from fastapi import FastAPI
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, PaymentOption
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.types import RouteConfig

from taesan.paywall.sdk import HubChannels
from tests.x402.merchant import DEPOSIT

NOBODY = "0x000000000000000000000000000000000000dEaD"


def create_app(hub: str, merchant: str, network: str) -> FastAPI:
    app, runs = FastAPI(), itertools.count(1)
    server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=f"{hub}/x402")))
    server.register(network, HubChannels(hub, merchant, DEPOSIT))
    option = PaymentOption(scheme="batch-settlement", pay_to=NOBODY, price="0.01", network=network)
    app.add_middleware(PaymentMiddlewareASGI, routes={"GET /weather": RouteConfig(accepts=option)}, server=server)

    @app.get("/weather")
    async def weather() -> dict[str, object]:
        return {"weather": "sunny", "run": next(runs)}

    @app.get("/free")
    async def free() -> dict[str, object]:
        return {}

    return app


if __name__ == "__main__":
    port, hub, merchant, network = sys.argv[1:]
    uvicorn.run(create_app(hub, merchant, network), host="127.0.0.1", port=int(port), log_level="warning")
