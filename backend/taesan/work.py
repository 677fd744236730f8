"""The background worker's steps and who handles which event: the whole pipeline on one page."""

from collections import defaultdict

from taesan.chain import sender, watcher
from taesan.channels import service as channels
from taesan.channels.models import DepositRelay
from taesan.core import outbox
from taesan.core.outbox import Handler
from taesan.core.restoration import Gate
from taesan.core.worker import Worker
from taesan.hub import Hub
from taesan.jars import service as jars
from taesan.merchants import payouts, redemption
from taesan.merchants.models import Redemption
from taesan.settlement import audit, books, pipeline, reconcile, wallets


def event_handlers(hub: Hub) -> dict[str, list[Handler]]:
    """Event type → its handlers, lower floors first."""
    merged: dict[str, list[Handler]] = defaultdict(list)
    for of_domain in (
        channels.handlers(hub),
        jars.handlers(hub),
        books.handlers(hub),
        wallets.handlers(hub),
        redemption.handlers(hub),
        payouts.handlers(hub),
    ):
        for event, handler in of_domain.items():
            merged[event].append(handler)
    return merged


# What goes on in a hub that is behind its chain, because it was restored.
CATCHING_UP = ("read chain", "book events", "reconcile", "check totals")


def build_worker(hub: Hub) -> Worker:
    handlers = event_handlers(hub)
    depth = hub.settings.depth
    gate = Gate(hub.db)
    steps = {
        "relay deposits": lambda: channels.relay_deposits(hub),
        "collect wallets' claims": lambda: wallets.collect_step(hub),
        "send wallets' claims": lambda: wallets.send_step(hub),
        "freeze batch": lambda: pipeline.freeze_step(hub),
        "sign batch": lambda: pipeline.sign_step(hub),
        "relay redemptions": lambda: redemption.relay_step(hub),
        "relay payouts": lambda: payouts.relay_step(hub),
        "advance transactions": lambda: sender.advance(hub.db, hub.node, hub.clock, depth),
        "follow transactions": lambda: pipeline.follow_step(hub),
        "return reverted deposits": lambda: hub.relayer.return_reverted(DepositRelay, "deposits"),
        "return reverted redemptions": lambda: hub.relayer.return_reverted(Redemption, "redemptions"),
        "return reverted wallets' claims": lambda: wallets.return_reverted_step(hub),
        "return reverted payouts": lambda: payouts.return_reverted_step(hub),
        "read chain": lambda: watcher.index(hub.db, hub.node, hub.contracts, hub.clock, depth),
        "book events": lambda: outbox.deliver(hub.db, handlers, hub.clock) > 0,
        "reconcile": lambda: not gate.is_open() and reconcile.reconcile_step(hub),
        "check totals": lambda: audit.check_step(hub),
    }
    held_back = {name: step if name in CATCHING_UP else gate.behind(step) for name, step in steps.items()}
    return Worker(hub.db, hub.clock, held_back, hub.settings.worker_tick_s)
