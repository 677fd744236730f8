"""PyPI's `x402` client as a process of its own: pays for what its standard input names, tells what it got.

`{"keys": [wallet, hot key], "network", "rpc", "folder", "urls": […], "exact": bool, "dies": bool, "refund": url}`; with `exact` it
knows that scheme alone; with `dies`, the process kills itself when a paid answer's first bytes have come, before anybody has read
them; at last it asks for a refund, if it is told to.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import httpx
from eth_account import Account
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.http.utils import decode_payment_response_header
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme, BatchSettlementEvmSchemeOptions
from x402.mechanisms.evm.batch_settlement.client.file_storage import (
    FileChannelStorageOptions,
    FileClientChannelStorage,
)
from x402.mechanisms.evm.exact import ExactEvmClientScheme as ExactEvmScheme
from x402.mechanisms.evm.signers import EthAccountSigner, EthAccountSignerWithRPC


class _Dying(httpx.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if "payment-signature" in request.headers:
            os.kill(os.getpid(), signal.SIGKILL)
        return response


def _scheme(given: dict[str, Any]) -> BatchSettlementEvmScheme:
    wallet, hot_key = map(Account.from_key, given["keys"])
    options = BatchSettlementEvmSchemeOptions(
        storage=FileClientChannelStorage(FileChannelStorageOptions(given["folder"])),
        voucher_signer=EthAccountSigner(hot_key),
    )
    return BatchSettlementEvmScheme(EthAccountSignerWithRPC(wallet, given["rpc"]), options)


def _client(given: dict[str, Any]) -> x402Client:
    if given.get("exact"):
        return x402Client().register(
            given["network"], ExactEvmScheme(EthAccountSigner(Account.from_key(given["keys"][0])))
        )
    return x402Client().register(given["network"], _scheme(given))


async def pay(given: dict[str, Any]) -> list[dict[str, Any]]:
    inner = _Dying() if given.get("dies") else httpx.AsyncHTTPTransport()
    answers = []
    async with httpx.AsyncClient(transport=x402AsyncTransport(_client(given), inner), timeout=30) as client:
        for url in given["urls"]:
            answer = await client.get(url)
            receipt = answer.headers.get("payment-response")
            told = decode_payment_response_header(receipt).model_dump(by_alias=True) if receipt else None
            answers.append({"status": answer.status_code, "body": answer.text, "receipt": told})
    return answers


if __name__ == "__main__":
    given = json.load(sys.stdin)
    answers = asyncio.run(pay(given))
    if "refund" in given:
        answers.append(_scheme(given).refund(given["refund"]).model_dump(by_alias=True))
    print(json.dumps(answers))  # noqa: T201
