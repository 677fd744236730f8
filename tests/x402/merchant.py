"""A merchant's server with our paywall, as a process: `python -m tests.x402.merchant PORT HUB MERCHANT`."""

import itertools
import sys

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response

from taesan.paywall import Paywall, Price

DEPOSIT = "0.25"
PRICES: dict[str, Price | str] = {
    "GET /weather": Price("0.01", "Today's weather"),
    "GET /reports/{number}": Price("$0.02", "A report", "text/plain"),
    "POST /orders": "0.05",
    "GET /broken": "0.01",
}


def create_app(hub: str, merchant: str) -> FastAPI:
    app = FastAPI()
    app.add_middleware(Paywall, hub=hub, merchant=merchant, prices=PRICES, deposit=DEPOSIT)
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
    port, hub, merchant = sys.argv[1:]
    uvicorn.run(create_app(hub, merchant), host="127.0.0.1", port=int(port), log_level="warning")
