"""A shop that asks a cent for the weather."""

import os

from fastapi import FastAPI

from taesan.paywall import Paywall, Price

app = FastAPI()
prices = {"GET /weather": Price("0.01", "Today's weather")}
app.add_middleware(Paywall, hub=os.environ["HUB"], merchant=os.environ["MERCHANT"], prices=prices)


@app.get("/weather")
async def weather() -> dict[str, str]:
    return {"weather": "sunny"}
