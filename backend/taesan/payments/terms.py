"""What the intake has to know of its hub: plain values, so that it can work in a process of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taesan.core.crypto import Domain
from taesan.jars.models import JarRule
from taesan.jars.service import default_rule
from taesan.ledger.accounts import Chart

if TYPE_CHECKING:
    from taesan.hub import Hub


@dataclass(frozen=True)
class Terms:
    """:ivar operator: our key's address. :ivar payer_rate: such as `200/second`. :ivar view_age_s: how old the view of the
    chain may be. :ivar wallet_exposure: what of a contract wallet's channel may wait for its claim, minor units
    :ivar channel_exposure: what of any channel may be owed and not be claimed, minor units
    :ivar max_payment: minor units"""

    voucher_domain: Domain
    operator: str
    asset: str
    asset_exponent: int
    default_rule: JarRule
    payer_rate: str
    view_age_s: int
    wallet_exposure: int
    channel_exposure: int
    max_payment: int

    @property
    def chart(self) -> Chart:
        return Chart(self.asset)


def terms_of(hub: "Hub") -> Terms:
    return Terms(
        hub.contracts.voucher_domain,
        hub.signer.address,
        hub.asset.id,
        hub.asset.exponent,
        default_rule(hub),
        hub.settings.payer_rate,
        hub.settings.withdraw_delay_s // 4,
        hub.settings.wallet_exposure,
        hub.settings.channel_exposure,
        hub.settings.max_payment,
    )
