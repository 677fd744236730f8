"""Signed transfers of tokens (ERC-3009's `TransferWithAuthorization`): how they are asked about, carried out and recognised."""

from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from taesan.chain import multicall
from taesan.chain.contracts import Contracts, Token
from taesan.chain.errors import CallReverted
from taesan.chain.rpc import Node
from taesan.core import authorizations
from taesan.core.crypto import Domain, keccak, recover
from taesan.core.values import bytes_of, hex_of

TRANSFER_GAS = 300_000
"""A transfer that takes more is not the hub's to pay for."""
_USED = keccak(b"AuthorizationUsed(address,bytes32)")


@dataclass(frozen=True)
class SignedTransfer:
    """Amount in minor units of the token, times in unix seconds, addresses by EIP-55, the rest 0x-hex."""

    token: str
    payer: str
    pay_to: str
    amount: int
    valid_after: int
    valid_before: int
    nonce: str
    signature: str

    def digest(self, domain: Domain) -> bytes:
        """:param domain: the token's"""
        values = (self.payer, self.pay_to, self.amount, self.valid_after, self.valid_before, bytes_of(self.nonce))
        return authorizations.transfer_digest(domain, *values)

    def is_signed(self, token: Token) -> bool:
        """By the payer's key. A contract wallet's word (ERC-1271) costs gas without a bound and can be taken back."""
        return recover(self.digest(token.domain), bytes_of(self.signature)) == self.payer

    def call(self, contracts: Contracts) -> tuple[str, bytes]:
        """(token, call data), in the form that all tokens with ERC-3009 have."""
        signature = bytes_of(self.signature)
        r, s, v = signature[:32], signature[32:64], signature[64]
        times, nonce = (self.valid_after, self.valid_before), bytes_of(self.nonce)
        arguments = (self.payer, self.pay_to, self.amount, *times, nonce, v, r, s)
        return self.token, bytes_of(contracts.encode("asset", "transferWithAuthorization", *arguments))

    def was_used(self, contracts: Contracts) -> tuple[str, bytes]:
        """(token, call data) of the question whether the nonce was used or cancelled."""
        return self.token, bytes_of(contracts.encode("asset", "authorizationState", self.payer, bytes_of(self.nonce)))


@dataclass(frozen=True)
class Outlook:
    """What the chain says of a transfer now. :ivar refusal: why it would fail, if so"""

    is_used: bool
    balance: int
    refusal: str | None


def look(node: Node, contracts: Contracts, signed: SignedTransfer, sender: str) -> Outlook:
    """In one question. :raises NodeUnavailable: nobody can tell"""
    balance = signed.token, bytes_of(contracts.encode("asset", "balanceOf", signed.payer))
    calls = [signed.was_used(contracts), balance, signed.call(contracts)]
    data = multicall.together(calls, may_fail=True)
    try:
        told = node.call(multicall.ADDRESS, data, sender, gas=2 * TRANSFER_GAS)
    except CallReverted:
        return Outlook(is_used=False, balance=0, refusal="it takes more gas than a transfer may")
    (_, used), (_, held), (is_done, answer) = multicall.results(told)
    refusal = None if is_done else contracts.explain(answer)
    return Outlook(int.from_bytes(used, "big") != 0, int.from_bytes(held, "big"), refusal)


def carried_out(node: Node, transaction: str) -> set[tuple[str, str, str]] | None:
    """(token, payer, nonce) of the transfers in a mined transaction; None if the node does not know it yet."""
    logs = node.logs_of(transaction)
    if logs is None:
        return None
    found: list[Any] = [log for log in logs if len(log["topics"]) == 3 and bytes(log["topics"][0]) == _USED]
    return {
        (log["address"], to_checksum_address(bytes(log["topics"][1])[12:]), hex_of(bytes(log["topics"][2])))
        for log in found
    }


def transaction_of(node: Node, signed: SignedTransfer, first_block: int, last_block: int) -> str | None:
    """The hash of the transaction, anybody's, that has carried the transfer out in these blocks, if one has."""
    query = {
        "address": signed.token,
        "fromBlock": hex(min(first_block, last_block)),
        "toBlock": hex(last_block),
        "topics": [hex_of(_USED), hex_of(encode(["address"], [signed.payer])), signed.nonce],
    }
    found: Any = node.request("eth_getLogs", query)
    return str(found[0]["transactionHash"]) if found else None
