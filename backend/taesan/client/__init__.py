"""A payer's client: opens a channel with a hub, pays by signed vouchers, and pays what answers 402.

    with Client("http://127.0.0.1:8000", key="0x…", state="wallet.db", limits=Limits(per_day=5_000_000)) as me:
        me.open_channel(2_000_000)                       # minor units of the hub's asset
        me.pay(250_000, to="mer_6f0c2a9b1d3e4f5061728394")
        article = me.get("https://shop.example/articles/7")  # pays what it costs

`AsyncClient` does the same with `await`. What was begun and got no answer is on the disk before it is sent: after a crash the
next call finishes it first, so nothing is paid twice; if it is a merchant who does not answer, the hub is asked whether it was
paid, and if not, the payment is given up. One state file is for one machine; several processes may share it.
"""

from taesan.client.asynchronous import AsyncClient
from taesan.client.blocking import Client
from taesan.client.change import Terms
from taesan.client.errors import BadArgument, ClientError, NotOurs, Refused, Unanswered
from taesan.client.gifts import GiftLink
from taesan.client.signing import HubFacts, LocalKey, Signer
from taesan.client.sites import OtherHub, PlainHttp
from taesan.client.state import KeyReused, Limits, OverLimit, State

__all__ = [
    "AsyncClient",
    "BadArgument",
    "Client",
    "ClientError",
    "GiftLink",
    "HubFacts",
    "KeyReused",
    "Limits",
    "LocalKey",
    "NotOurs",
    "OtherHub",
    "OverLimit",
    "PlainHttp",
    "Refused",
    "Signer",
    "State",
    "Terms",
    "Unanswered",
]
