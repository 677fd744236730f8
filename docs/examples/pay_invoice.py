"""A customer pays an invoice out of the channel that bought the weather."""

import os
import sys

from taesan.client import Client

with Client(os.environ["HUB"], os.environ["WALLET_KEY"], state="var/wallet.db") as me:
    me.top_up(5_000_000, below=4_500_000)
    print(me.pay_invoice(sys.argv[1])["id"])
