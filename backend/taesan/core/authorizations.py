"""What holders sign of a token: transfers that anybody, or the receiver alone, may carry out (ERC-3009), and allowances (EIP-2612).
Pure."""

from taesan.core.crypto import Domain

_FIELDS = "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
_TYPES = ["address", "address", "uint256", "uint256", "uint256", "bytes32"]


def transfer_digest(
    token: Domain, holder: str, to: str, value: int, valid_after: int, valid_before: int, nonce: bytes
) -> bytes:
    """`TransferWithAuthorization`, which anybody may carry out."""
    values = [holder, to, value, valid_after, valid_before, nonce]
    return token.digest(f"TransferWithAuthorization{_FIELDS}", _TYPES, values)


def permit_digest(token: Domain, owner: str, spender: str, value: int, nonce: int, deadline: int) -> bytes:
    """EIP-2612's `Permit`: so much `spender` may take. :param nonce: the token's next for the owner"""
    return token.digest(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
        ["address", "address", "uint256", "uint256", "uint256"],
        [owner, spender, value, nonce, deadline],
    )


def receive_digest(
    token: Domain, holder: str, to: str, value: int, valid_after: int, valid_before: int, nonce: bytes
) -> bytes:
    """`ReceiveWithAuthorization`, which `to` alone may carry out."""
    values = [holder, to, value, valid_after, valid_before, nonce]
    return token.digest(f"ReceiveWithAuthorization{_FIELDS}", _TYPES, values)
