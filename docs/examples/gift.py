"""A customer signs a dollar of gift tokens over to a merchant."""

import json
import os

from taesan.client import Client

with Client(os.environ["HUB"], os.environ["WALLET_KEY"], state="var/wallet.db") as me:
    me.top_up(2_000_000, below=1_000_000)
    me.pay(1_000_000, key="saved-up")  # to nobody: into her jar. A dollar in it becomes a gift token.
    print(json.dumps(me.gift(1_000_000, to=os.environ["MERCHANT"])))
