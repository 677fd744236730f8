"""How a transfer says which invoice it pays: by its amount, in which nothing but the last digits can be chosen. Pure."""

from collections.abc import Collection

from eth_utils.crypto import keccak

from taesan.chain.contracts import Token

MOST = 999


def spread(exponent: int) -> int:
    """How many amounts a quote has: all of them less than a hundredth of the asset's unit above it, so none if its minor unit
    is not smaller than that."""
    in_a_hundredth: int = 10 ** max(exponent - 2, 0)
    return min(MOST, in_a_hundredth - 1)


def free_amount(quote: int, taken: Collection[int], exponent: int, seed: str) -> int | None:
    """One a little over the quote that nobody has, if there is any.

    Never the quote itself, so that whoever types in a rounded amount pays none of several instead of the wrong one. Where to
    begin the seed decides: an amount that was freed does not come back with the next invoice.
    """
    count = spread(exponent)
    begin = int.from_bytes(keccak(text=seed)[:8], "big")
    amounts = (quote + 1 + (begin + step) % count for step in range(count))
    return next((amount for amount in amounts if amount not in taken), None)


def transfer_uri(asset: Token, to: str, amount: int) -> str:
    """What wallets scan or open: ERC-681's call of an ERC-20's `transfer`. The amount has no exponent, which not all read.

    :param to: EIP-55. :param amount: minor units
    """
    return f"ethereum:{asset.address}@{asset.chain_id}/transfer?address={to}&uint256={amount}"
