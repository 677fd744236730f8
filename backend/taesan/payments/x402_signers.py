"""Whose signature a voucher needs, and whether it has it."""

from taesan.chain import erc1271
from taesan.channels import vouchers
from taesan.channels.models import Channel, ChannelConfig
from taesan.core.limits import RateLimit
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.payments import x402_wire as wire
from taesan.payments.x402_wire import NotAccepted, WireVoucher


class Signers:
    """Asks contract wallets too, so often and no more."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._rate = hub, RateLimit(hub.settings.wallet_rate)

    def require(self, config: ChannelConfig, voucher: WireVoucher, *, has_deposit: bool = False) -> None:
        """Signed by the hot key; by the payer itself, who may be a contract, if there is none.

        :param has_deposit: whether one comes along: without, no contract is asked for a channel that nobody knows
        :raises NotAccepted: it is not. :raises Problem: `rate-limited`, `wallet-not-deployed`
        """
        is_payers = config.payer_authorizer == vouchers.ZERO_ADDRESS
        signer = config.payer if is_payers else config.payer_authorizer
        domain, signature = self._hub.contracts.voucher_domain, bytes_of(voucher.signature)
        channel_id, amount = voucher.channel_id, voucher.max_claimable_amount
        if vouchers.is_signed_by(bytes_of(signer), domain, channel_id, amount, signature):
            return
        if is_payers:
            if not has_deposit:
                self._require_known(channel_id)
            self._rate.check(config.payer)  # whoever it is has as many channels as it likes
            digest = vouchers.voucher_digest(domain, channel_id, amount)
            asker = self._hub.contracts.deployment.channels
            if erc1271.is_valid_contract_signature(self._hub.node, config.payer, digest, signature, asker):
                return
        raise NotAccepted(wire.reason("voucher_signature"), f"The channel's signer is {signer}.")

    def _require_known(self, channel_id: str) -> None:
        with self._hub.db.read() as session:
            if session.get(Channel, channel_id) is None:
                problem = vouchers.unknown_channel(channel_id)
                raise NotAccepted(wire.reason_of(problem.type), problem.detail)
