"""A merchant's paywall for FastAPI and Starlette: requests are paid by x402 clients, through a Taesan hub.

app.add_middleware(
    Paywall,
    hub="https://hub.example",
    merchant="mer_6f0c2a9b1d3e4f5061728394",
    prices={"GET /weather": Price("0.01", "Today's weather")},
)
"""

from taesan.paywall.middleware import Paywall
from taesan.paywall.terms import Price

__all__ = ["Paywall", "Price"]
