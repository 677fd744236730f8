"""A hub with a real database and the real contracts' ABIs, but no node: for what happens between two looks at the chain."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from taesan.chain.contracts import Contracts, Deployment, Token
from taesan.chain.models import ChainCursor
from taesan.chain.relay import Relayer
from taesan.chain.rpc import Node
from taesan.chain.signers import KeySigner
from taesan.core.clock import Clock, FixedClock, SystemClock
from taesan.core.db import Database
from taesan.hub import Hub
from taesan.ledger.accounts import Chart
from taesan.settings import Settings
from tests.support import databases
from tests.support.chain import ARTIFACTS, CHAIN_ID
from tests.support.wallet import Json, Wallet, channel_id

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1"


def new_database(folder: Path) -> Database:
    """A migrated one with nothing in it."""
    return Database(databases.here().migrated(folder))


@cache
def _contracts() -> Contracts:
    roles = ("asset", "channels", "collector", "settlement", "gift_token", "standing_orders")
    return Contracts(Deployment(CHAIN_ID, **{role: Wallet(role).address for role in roles}, block_number=5), ARTIFACTS)


def offline_hub(folder: Path, **settings: Any) -> Hub:
    db = new_database(folder)
    with db.write() as session:
        session.add(ChainCursor(id=1, block_number=5, block_hash="0x", head_block=5, read_at=NOW))
    return _hub(db, FixedClock(NOW), **settings)


def hub_on(database_url: str, **settings: Any) -> Hub:
    """On a database of the caller's, which is migrated, with the clock on the wall."""
    db = Database(database_url)
    db.migrate()
    with db.write() as session:
        session.merge(ChainCursor(id=1, block_number=5, block_hash="0x", head_block=5, read_at=datetime.now(UTC)))
    return _hub(db, SystemClock(), database_url=database_url, **settings)


def _hub(db: Database, clock: Clock, **settings: Any) -> Hub:
    node = Node(NOWHERE)
    chosen, contracts = Settings(rpc_url=NOWHERE, **settings), _contracts()
    signer = KeySigner(chosen.operator_key)
    asset = Token(contracts.asset_id, contracts.deployment.asset, "Test Dollar", "1", "TUSD", 6, CHAIN_ID)
    gift = Token("gift", contracts.deployment.gift_token, "Taesan Gift", "1", "GIFT", 6, CHAIN_ID)
    relayer = Relayer(db, node, contracts, signer, clock, 10**9)
    return Hub(chosen, db, clock, node, contracts, signer, asset, gift, Chart(asset.id), relayer)


def facts_of(hub: Hub) -> Json:
    """What `GET /v1/hub` would tell, as far as wallets need it here."""
    domain = hub.contracts.voucher_domain
    return {
        "settlement": hub.contracts.deployment.settlement,
        "receiver_authorizer": hub.signer.address,
        "asset": hub.asset.id,
        "withdraw_delay": hub.settings.withdraw_delay_s,
        "voucher_domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
    }


def chain_tells(hub: Hub, name: str, key: str, **args: Any) -> None:
    """Has one event of the chain booked, as the outbox would."""
    from taesan.work import event_handlers

    with hub.db.write() as session:
        for handle in event_handlers(hub)[name]:
            handle(session, {"args": args, "key": key, "transaction": "0x", "block_number": 6}, hub.clock.now())


def open_channel(hub: Hub, wallet: Wallet, deposit: int, **config_changes: Any) -> str:
    """As if the chain had told of it; returns the channel's id."""
    config = wallet.channel_config(facts_of(hub), salt="0x" + "01" * 32, **config_changes)
    id_ = channel_id(facts_of(hub), config)
    on_chain = dict(
        zip(
            ["payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token", "withdrawDelay", "salt"],
            config.values(),
            strict=True,
        )
    )
    receiver = hub.contracts.deployment.settlement
    chain_tells(hub, "channels.ChannelOpened", f"open {id_}", channelId=id_, receiver=receiver, config=on_chain)
    chain_tells(hub, "channels.Deposited", f"deposit {id_}", channelId=id_, receiver=receiver, amount=deposit)
    return id_
