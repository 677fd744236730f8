"""Buys what a URL sells. The file remembers what was paid: whatever breaks in between, nothing is paid twice."""

import os
import sys

from taesan.client import Client, Limits

limits = Limits(per_payment=100_000, per_day=20_000_000)  # ten cents, twenty dollars
with Client(os.environ["HUB"], os.environ["WALLET_KEY"], state="var/wallet.db", limits=limits) as me:
    me.top_up(500_000)  # deposits half a dollar when nothing is left
    answer = me.get(sys.argv[1])
    print(answer.status_code, answer.text)
    print("left:", me.channel()["available"])
