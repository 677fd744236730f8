"""A hub that many tests begin with, made once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from taesan.chain.nodes import connect
from taesan.chain.relay import Relayer
from taesan.core.clock import Clock
from taesan.core.db import Database
from taesan.hub import Hub
from taesan.settings import Settings


@dataclass(frozen=True)
class Template:
    """A migrated database that is bound to its chain, what its hub has asked the contracts, and the chain's head."""

    url: str
    hub: Hub
    head: int

    def is_of(self, head: int, settings: Iterable[str]) -> bool:
        """Whether a hub with these settings, that differ from the first one's, would be told the same."""
        return head == self.head and not any(name.startswith(("rpc", "operator", "deployment")) for name in settings)

    def opened(self, settings: Settings, clock: Clock) -> Hub:
        """As `open_hub` would, which asks the chain thirty questions, for which a test of its own must not wait."""
        db, node = Database(settings.database_url), connect(settings.rpc_url, settings.rpc_timeout_s)
        signer, contracts, ceiling_wei = self.hub.signer, self.hub.contracts, settings.max_fee_per_gas_gwei * 10**9
        relayer = Relayer(db, node, contracts, signer, clock, ceiling_wei)
        return replace(self.hub, settings=settings, db=db, clock=clock, node=node, relayer=relayer)
