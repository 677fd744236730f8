"""A payer's side of a channel: its config, its deposits' authorisations and its vouchers."""

from dataclasses import dataclass, replace
from typing import Any

from eth_abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from support import FOREVER, ZERO_ADDRESS, signing
from support.events import plain
from support.packing import Entry

MIN_DELAY = 15 * 60
MAX_DELAY = 30 * 24 * 60 * 60


@dataclass(frozen=True)
class Channel:
    """One channel, with the keys that sign for it. Amounts are in the token's minor units."""

    channels: Any
    collector: Any
    token: Any
    payer: str
    payer_key: LocalAccount  # signs deposits; a contract wallet's owner
    receiver: str
    hot_key: LocalAccount  # signs vouchers
    payer_authorizer: str  # the hot key's address, or zero if the payer signs vouchers itself
    receiver_authorizer: str = ZERO_ADDRESS
    delay: int = MIN_DELAY
    salt: int = 1

    def with_(self, **changes: Any) -> "Channel":
        return replace(self, **changes)

    @property
    def config(self) -> tuple[Any, ...]:
        return tuple(self._message().values())

    @property
    def id(self) -> bytes:
        return signing.digest(signing.domain_of(self.channels), "ChannelConfig", **self._message())

    # -------------------------------------------------------------- deposit

    def deposit_data(self, amount: int, *, channel_id: bytes | None = None, salt: int = 1) -> bytes:
        """What the collector needs: an ERC-3009 authorisation whose nonce names the channel."""
        nonce = keccak(encode(["bytes32", "uint256"], [channel_id or self.id, salt]))
        signature = signing.sign(
            self.payer_key,
            signing.domain_of(self.token),
            "ReceiveWithAuthorization",
            **{"from": self.payer, "to": self.collector.address, "value": amount},
            validAfter=0,
            validBefore=FOREVER,
            nonce=nonce,
        )
        return encode(["uint256", "uint256", "uint256", "bytes"], [0, FOREVER, salt, signature])

    def deposit(self, amount: int, sender: Any, *, salt: int = 1) -> Any:
        data = self.deposit_data(amount, salt=salt)
        return self.channels.deposit(self.config, amount, self.collector, data, {"from": sender})

    # ------------------------------------------------------------- vouchers

    def voucher(self, amount: int, *, key: LocalAccount | None = None, domain: dict[str, Any] | None = None) -> bytes:
        """The signature over a voucher for `amount`, cumulative."""
        return signing.sign(
            key or self.hot_key,
            domain or signing.domain_of(self.channels),
            "Voucher",
            channelId=self.id,
            maxClaimableAmount=amount,
        )

    def claim(self, total: int, *, voucher: int | None = None, signature: bytes | None = None) -> tuple[Any, ...]:
        """A `VoucherClaim` up to `total`, with a voucher for just that unless another is given."""
        signed = total if voucher is None else voucher
        return (self.config, signed), self.voucher(signed) if signature is None else signature, total

    def packed(self, total: int, *, voucher: int | None = None, signature: bytes | None = None) -> Entry:
        """As `claim`, in the form that `claimPacked` takes."""
        signed = total if voucher is None else voucher
        return Entry(self.id, self.voucher(signed) if signature is None else signature, signed, signed - total)

    # ---------------------------------------------------------------- state

    @property
    def state(self) -> tuple[int, int]:
        """(balance, totalClaimed)"""
        return plain(self.channels.channels(self.id))

    @property
    def pending(self) -> int:
        return int(self.channels.pendingWithdrawals(self.id)[0])

    def _message(self) -> dict[str, Any]:
        return {
            "payer": self.payer,
            "payerAuthorizer": self.payer_authorizer,
            "receiver": self.receiver,
            "receiverAuthorizer": self.receiver_authorizer,
            "token": self.token.address,
            "withdrawDelay": self.delay,
            "salt": self.salt.to_bytes(32),
        }
