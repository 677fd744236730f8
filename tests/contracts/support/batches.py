"""Settlement batches as the hub makes them."""

from collections.abc import Sequence
from typing import Any

from eth_utils import keccak

from support.merkle import BatchTree
from support.packing import word


def batch(
    number: int,
    *,
    credits: Sequence[tuple[Any, int]] = (),
    entitled: int = 0,
    tree: BatchTree | None = None,
    payments: int = 1,
) -> tuple[Any, ...]:
    """A `Batch`: (id, root, paymentCount, entitled, credits)."""
    root = tree.root if tree else payments_root(number)
    return number, root, payments, entitled, [word(*credit) for credit in credits]


def payments_root(number: int) -> bytes:
    """Stands for the root over a batch's payments, of a batch that entitles nobody."""
    return keccak(text=f"payments of batch {number}")
