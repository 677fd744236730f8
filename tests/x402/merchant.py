"""A merchant's server with our paywall, as a process: `python -m tests.x402.merchant PORT HUB MERCHANT [wait]`."""

import itertools
import sys

import uvicorn
from eth_account import Account
from fastapi import FastAPI, HTTPException, Request, Response

from taesan.paywall import Paywall, Price

DEPOSIT = "0.25"
RECEIPT_KEY = "0x" + "4e" * 32
RECEIPT_SIGNER = Account.from_key(RECEIPT_KEY).address
PRICES: dict[str, Price | str] = {
    "GET /weather": Price("0.01", "Today's weather"),
    "GET /reports/{number}": Price("$0.02", "A report", "text/plain"),
    "POST /orders": "0.05",
    "GET /broken": "0.01",
}


def create_app(hub: str, merchant: str, *, wait: bool = False) -> FastAPI:
    app, options = FastAPI(), {"deposit": DEPOSIT, "receipt_key": RECEIPT_KEY, "wait": wait}
    app.add_middleware(Paywall, hub=hub, merchant=merchant, prices=PRICES, **options)
    runs = itertools.count(1)

    @app.get("/weather")
    async def weather() -> dict[str, object]:
        return {"weather": "sunny", "run": next(runs)}

    @app.get("/reports/{number}")
    async def report(number: int) -> Response:
        return Response(f"report {number}, run {next(runs)}", media_type="text/plain")

    @app.post("/orders")
    async def order(request: Request) -> dict[str, object]:
        return {"order": await request.json(), "run": next(runs)}

    @app.get("/broken")
    async def broken() -> None:
        raise HTTPException(404, "sold out")

    @app.get("/free")
    async def free() -> dict[str, object]:
        return {"runs": next(runs)}

    return app


if __name__ == "__main__":
    port, hub, merchant, *more = sys.argv[1:]
    uvicorn.run(create_app(hub, merchant, wait="wait" in more), host="127.0.0.1", port=int(port), log_level="warning")
