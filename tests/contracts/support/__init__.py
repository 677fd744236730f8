"""What the contracts' tests share: signing, Merkle trees, errors, events, time and the books."""

DOLLAR = 10**6
"""In minor units of the test dollar and of the gift token."""

ZERO_ADDRESS = "0x" + "00" * 20
ZERO_HASH = bytes(32)
FOREVER = 2**255
"""A `validBefore` or deadline that no test reaches."""
