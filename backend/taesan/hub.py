"""The tools that a running service is made of, put together once and handed to routers and worker steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from taesan.chain import local, nonces
from taesan.chain.behind import why_behind
from taesan.chain.bidding import Bidding
from taesan.chain.contracts import Contracts, Deployment, Token, contracts_of
from taesan.chain.deployment import WrongChain, bind, can_gather, read_token, require_wiring
from taesan.chain.nodes import connect
from taesan.chain.relay import Relayer
from taesan.chain.rpc import Node
from taesan.chain.signers import Signer, open_signer
from taesan.core import restoration
from taesan.core.clock import Clock, SystemClock
from taesan.core.db import Database
from taesan.ledger.accounts import Chart
from taesan.settings import Mode, Settings

MAX_EXPONENT = 9


@dataclass(frozen=True)
class Hub:
    """:ivar asset: the reserve asset. :ivar gift: the gift token. :ivar chart: the asset's accounts. :ivar gathered: those of the
    two, by address, whose signed transfers can be gathered in one transaction on this chain. :ivar put_forward: a local chain's"""

    settings: Settings
    db: Database
    clock: Clock
    node: Node
    contracts: Contracts
    signer: Signer
    asset: Token
    gift: Token
    chart: Chart
    relayer: Relayer
    gathered: Mapping[str, Token] = field(default_factory=dict)
    put_forward: Clock | None = None

    @property
    def chain_clock(self) -> Clock:
        """What signatures' times are held against: the wall clock, and on a local chain its own, which may be far ahead."""
        return self.put_forward or self.clock

    @property
    def mode(self) -> Mode:
        """A hub's, not a request's: its database is bound to one chain."""
        return self.settings.mode_on(self.contracts.deployment.chain_id)

    @property
    def fee_ceiling_wei(self) -> int:
        return self.settings.max_fee_per_gas_gwei * 10**9

    @property
    def bidding(self) -> Bidding:
        return Bidding(self.fee_ceiling_wei, self.settings.fee_bump_after_s)


def open_hub(settings: Settings, clock: Clock | None = None, node: Node | None = None) -> Hub:
    """Migrates the database, ties it to the chain, reads the tokens.

    :raises NodeUnavailable: the node does not answer; try again
    :raises WrongChain: this database or deployment belongs elsewhere
    :raises ArtifactsMissing: not compiled or not deployed
    :raises KeystoreError: the operator's key file cannot be used
    :raises UnsuitableKey: the operator's key is not one for this environment
    """
    deployment = Deployment.load(settings.deployment_file)
    contracts = contracts_of(deployment, settings.artifacts_dir)
    node = node or connect(settings.rpc_url, settings.rpc_timeout_s)
    node.chain_id()  # before anything is made: a node that is down should leave no half-made database
    db = Database(settings.database_url)
    db.migrate()
    put_forward = None
    if clock is None and local.is_local(node):
        put_forward = local.ChainClock(node, SystemClock())
    clock = clock or SystemClock()
    bind(db, node, deployment, clock.now())
    signer = open_signer(settings)
    require_wiring(node, contracts, signer.address)  # first: with a key that is none of its own nothing is marked
    behind = why_behind(db, node, contracts, signer.address)
    if behind:
        with db.write() as session:
            restoration.mark(session, behind, clock.now())
    nonces.adopt(db, node, signer.address, clock.now())
    asset = read_token(node, contracts, "asset")
    if asset.exponent > MAX_EXPONENT:
        raise WrongChain(
            f"{asset.symbol} has {asset.exponent} decimals; the books hold 64-bit amounts, good for {MAX_EXPONENT} at most"
        )
    gift = read_token(node, contracts, "gift_token")
    relayer = Relayer(db, node, contracts, signer, clock, settings.max_fee_per_gas_gwei * 10**9)
    gathered = {token.address: token for token in (asset, gift) if can_gather(node, contracts, token)}
    chart = Chart(asset.id)
    return Hub(settings, db, clock, node, contracts, signer, asset, gift, chart, relayer, gathered, put_forward)


def get_hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


HubDep = Annotated[Hub, Depends(get_hub)]
