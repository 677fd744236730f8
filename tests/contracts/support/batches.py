"""Settlement batches as the hub makes them."""

from collections.abc import Sequence
from typing import Any

from eth_utils import keccak

from support import ZERO_HASH
from support.merkle import EntitlementTree


def batch(
    number: int,
    *,
    credits: Sequence[tuple[Any, int]] = (),
    entitled: int = 0,
    tree: EntitlementTree | None = None,
    payments: int = 1,
) -> tuple[Any, ...]:
    """A `Batch`: (id, paymentCount, paymentsRoot, entitlementRoot, entitled, credits)."""
    root = tree.root if tree else ZERO_HASH
    return number, payments, payments_root(number), root, entitled, [(str(who), amount) for who, amount in credits]


def payments_root(number: int) -> bytes:
    """Stands for the root over a batch's payments; the contract keeps it and does not look into it."""
    return keccak(text=f"payments of batch {number}")
