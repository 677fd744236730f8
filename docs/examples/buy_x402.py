"""The same by PyPI's `x402`, which knows nothing of Taesan."""

import asyncio
import os
import sys

from eth_account import Account
from x402 import x402Client
from x402.http.clients.httpx import x402HttpxClient
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme
from x402.mechanisms.evm.signers import EthAccountSignerWithRPC


async def buy(url: str) -> None:
    wallet = EthAccountSignerWithRPC(Account.from_key(os.environ["WALLET_KEY"]), os.environ["RPC"])
    client = x402Client().register("eip155:*", BatchSettlementEvmScheme(wallet))
    async with x402HttpxClient(client, timeout=60) as http:
        answer = await http.get(url)
        print(answer.status_code, answer.text)


asyncio.run(buy(sys.argv[1]))
