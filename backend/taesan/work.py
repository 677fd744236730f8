"""The background worker's steps and who handles which event: the whole pipeline on one page."""

import threading
from collections import defaultdict
from collections.abc import Callable

from taesan import glance
from taesan.chain import reorg, view, watcher
from taesan.chain.sender import Following
from taesan.chain.signer_watch import SignerWatch
from taesan.channels import refunds
from taesan.channels import service as channels
from taesan.channels import undo as channels_undo
from taesan.channels.models import DepositRelay
from taesan.conversions import making, sending
from taesan.core import outbox
from taesan.core.outbox import Handler
from taesan.core.restoration import Gate
from taesan.core.worker import Worker
from taesan.gateways import funding
from taesan.hub import Hub
from taesan.insights import budgeting, doubles, filling, keeping
from taesan.insights import following as insights
from taesan.insights.mailing import MailWorker
from taesan.insights.scheduling import ReportWorker
from taesan.jars import service as jars
from taesan.loyalty import badges, campaigns, following, lapsing
from taesan.merchants import invoices, payouts, redemption, schedule, transfers
from taesan.payments import dated, token_transfers
from taesan.payments.direct_models import DirectPayment
from taesan.payments.gathering import Gathering
from taesan.reminders import matters
from taesan.reminders.watching import Watch
from taesan.settlement import audit, books, gateways, pipeline, reconcile, rewards, wallets
from taesan.webhooks import events as webhooks
from taesan.webhooks import loyalty as webhooks_loyalty
from taesan.webhooks.couriers import WebhookWorker


def event_handlers(hub: Hub) -> dict[str, list[Handler]]:
    """Event type → its handlers, lower floors first."""
    merged: dict[str, list[Handler]] = defaultdict(list)
    for of_domain in (
        channels.handlers(hub),
        refunds.handlers(hub),
        jars.handlers(hub),
        books.handlers(hub),
        wallets.handlers(hub),
        making.handlers(hub),
        sending.handlers(hub),
        redemption.handlers(hub),
        payouts.handlers(hub),
        transfers.handlers(hub),
        campaigns.handlers(hub),
        matters.handlers(hub),
        webhooks.handlers(hub),
        webhooks_loyalty.handlers(hub),
        insights.handlers(hub),
    ):
        for event, handler in of_domain.items():
            merged[event].append(handler)
    return merged


def undo_handlers(hub: Hub) -> dict[str, list[Handler]]:
    """Event type → what takes it back after a deep reorganisation, higher floors first."""
    merged: dict[str, list[Handler]] = defaultdict(list)
    for of_domain in (
        transfers.undo(hub),
        payouts.undo(hub),
        campaigns.undo(hub),  # which gives back what the one before has brought back
        redemption.undo(hub),
        sending.undo(hub),
        making.undo(hub),
        books.undo(hub),
        refunds.undo(hub),
        channels_undo.handlers(hub),
        jars.undo(hub),
    ):
        for event, handler in of_domain.items():
            merged[event].append(handler)
    return merged


# What goes on in a hub that is behind its chain, because it was restored.
CATCHING_UP = (
    "look for a restoration",
    "read chain",
    "resolve reorganisation",
    "book events",
    "reconcile",
    "check totals",
)


Steps = dict[str, Callable[[], bool]]


def _steps(hub: Hub, gate: Gate) -> Steps:
    """In the order of a tick."""
    return {
        "look for a restoration": gate.look,
        "watch signer": _signer_watch(hub).step,
        **_due_steps(hub),
        **_sending_steps(hub),
        **_reverted_steps(hub),
        **_reading_steps(hub),
        **_insights_steps(hub),
        "reconcile": lambda: not gate.is_open and reconcile.reconcile_step(hub),
        "check totals": lambda: audit.check_step(hub),
    }


def _due_steps(hub: Hub) -> Steps:
    """What payments, dates and requests have made due."""
    return {
        "relay deposits": lambda: channels.relay_deposits(hub),
        "relay refunds": lambda: refunds.relay_step(hub),
        "fire due rules": lambda: dated.fire_due_step(hub),
        "draw for gateways": lambda: funding.draw_step(hub),
        "collect gateways' claims": lambda: gateways.collect_step(hub),
        "collect wallets' claims": lambda: wallets.collect_step(hub),
        "send wallets' claims": lambda: wallets.send_step(hub),
        "follow payments": lambda: following.follow_step(hub),
        "let points lapse": lambda: lapsing.lapse_step(hub),
        "pay out cashback": lambda: rewards.pay_out_step(hub),
        "gather badges": lambda: badges.gather_step(hub),
        "relay badges": lambda: badges.relay_step(hub),
    }


def _sending_steps(hub: Hub) -> Steps:
    """Batches, and what else is sent to the chain, until it is mined deep enough."""
    direct = Gathering(hub, DirectPayment, "transfers", hub.settings.exact_max_items)
    tokens = token_transfers.gathering(hub)
    sent = Following(hub.db, hub.node, hub.signer, hub.clock, hub.settings.depth, hub.bidding)
    return {
        "freeze batch": lambda: pipeline.freeze_step(hub),
        "sign batch": lambda: pipeline.sign_step(hub),
        "send conversions": lambda: sending.send_step(hub),
        "gather direct payments": direct.gather_step,
        "gather token transfers": tokens.gather_step,
        "expire invoices": lambda: invoices.expire_step(hub),
        "relay redemptions": lambda: redemption.relay_step(hub),
        "order due payouts": lambda: schedule.order_step(hub),
        "relay payouts": lambda: payouts.relay_step(hub),
        "advance transactions": sent.step,
        "follow transactions": lambda: pipeline.follow_step(hub),
        "follow badges": lambda: badges.follow_step(hub),
        "follow direct payments": direct.follow_step,
        "follow token transfers": tokens.follow_step,
    }


def _reverted_steps(hub: Hub) -> Steps:
    """What was sent and has failed there goes back to its payer."""
    return {
        "return reverted deposits": lambda: hub.relayer.return_reverted(DepositRelay, "deposits"),
        "return reverted refunds": lambda: refunds.return_reverted_step(hub),
        "return reverted redemptions": lambda: redemption.return_reverted_step(hub),
        "return reverted wallets' claims": lambda: wallets.return_reverted_step(hub),
        "return reverted payouts": lambda: payouts.return_reverted_step(hub),
        "return reverted conversions": lambda: sending.return_reverted_step(hub),
        "return reverted badges": lambda: badges.return_reverted_step(hub),
    }


def _reading_steps(hub: Hub) -> Steps:
    """What the chain tells is read, booked, and handled."""
    handlers, undo, depth = event_handlers(hub), undo_handlers(hub), hub.settings.depth
    return {
        "read chain": lambda: watcher.index(
            hub.db,
            hub.node,
            hub.contracts,
            hub.clock,
            depth,
            may_stand_still=hub.settings.environment == "local",
            wallets=transfers.wallets,
            least_transfer=hub.settings.least_relayed,
        ),
        "resolve reorganisation": lambda: reorg.resolve(hub.db, undo, hub.clock, depth),
        "book events": lambda: _book_events(hub, handlers),
        "look for transfers": transfers.Lookout(hub).step,
        "free amounts": lambda: transfers.free_step(hub),
        "look for what lies about": Watch(hub).step,
    }


def _insights_steps(hub: Hub) -> Steps:
    """Nothing else waits for them."""
    return {
        "follow what moves": lambda: insights.follow_step(hub),
        "fill in what moved": lambda: filling.fill_step(hub),
        "look for duplicates": lambda: doubles.look_step(hub),
        "look for standing costs": lambda: keeping.look_step(hub),
        "watch budgets": lambda: budgeting.watch_step(hub),
    }


def build_worker(hub: Hub) -> Worker:
    gate = Gate(hub.db)
    steps = _steps(hub, gate)
    held_back = {name: step if name in CATCHING_UP else gate.behind(step) for name, step in steps.items()}
    tick_s, lease_s = hub.settings.worker_tick_s, hub.settings.worker_lease_s
    return Worker(hub.db, hub.clock, held_back, tick_s, lease_s, waits=glance.waits())


class Background:
    """All that a hub does by itself: the pipeline, and beside it, so that none waits for another, webhooks, persons' reports and mails."""

    def __init__(self, hub: Hub) -> None:
        self._pipeline = build_worker(hub)
        self._beside: list[Worker] = [WebhookWorker(hub), ReportWorker(hub)]
        if hub.settings.smtp_host is not None:
            self._beside.append(MailWorker(hub))

    def run(self) -> None:
        """Until told to stop."""
        beside = [threading.Thread(target=worker.run, name=f"{worker.lease} worker") for worker in self._beside]
        for thread in beside:
            thread.start()
        self._pipeline.run()
        for thread in beside:
            thread.join()

    def stop(self) -> None:
        for worker in (self._pipeline, *self._beside):
            worker.stopping.set()


def _signer_watch(hub: Hub) -> SignerWatch:
    chain_id = hub.contracts.deployment.chain_id
    least = hub.settings.signer_balance_min_gwei * 10**9
    return SignerWatch(hub.db, hub.node, hub.signer, hub.clock, chain_id, hub.fee_ceiling_wei, least)


def _book_events(hub: Hub, handlers: dict[str, list[Handler]]) -> bool:
    with hub.db.read() as session:
        if view.is_doubtful(session):
            return False  # first what is gone has to leave the books
    return outbox.deliver(hub.db, handlers, hub.clock) > 0
