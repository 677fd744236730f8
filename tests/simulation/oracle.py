"""The promises. Some are looked at after each action; all of them, with the service's own audit, when everything is at rest."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.crypto import keccak
from web3 import Web3

from taesan.auditing import audit
from tests.simulation.actions import DEPTH
from tests.simulation.moments import Violation
from tests.simulation.people import ACCEPTED, REFUSED, Order, Request
from tests.simulation.service import OPERATOR, Service

_CREDIT_WITHDRAWN = keccak(text="CreditWithdrawn(address,uint256)")
_REDEEMED_TO_CREDIT = keccak(text="RedeemedToCredit(address,address,uint256)")
_TRANSFER = keccak(text="Transfer(address,address,uint256)")
_TABLES = {"deposit": "deposit_relay", "redemption": "redemption", "payout": "payout"}

_LEFT = {
    "events to be booked": "SELECT count(*) FROM outbox_event WHERE handled_at IS NULL",
    "transactions under way": "SELECT count(*) FROM chain_transaction WHERE state IN ('signed', 'broadcast', 'mined')",
    "batches that are not posted": "SELECT count(*) FROM batch WHERE state <> 'posted'",
    "payments in no batch": "SELECT count(*) FROM payment WHERE batch_id IS NULL",
    **{
        f"{what}s under way": f"SELECT count(*) FROM {table} WHERE state IN ('received', 'sent')"
        for what, table in _TABLES.items()
    },
}


class _Row(NamedTuple):
    id: int
    channel: str
    key: str
    amount: int
    cumulative: int
    merchant_id: str | None


class Oracle:
    def __init__(self, service: Service, requests: Sequence[Request], orders: Sequence[Order]) -> None:
        self._service, self._chain = service, service.chain
        self._requests, self._orders = requests, orders
        self._entry = 0
        self._stored: dict[tuple[str, str], _Row] = {}
        self._last_row = 0
        self._looked_at = b""

    def balance(self, kind: str, owner: str) -> int:
        """What is in an account of the books, on its own side."""
        name = f"{kind}:{owner}:{self._service.hub.asset.id}"
        found = self._service.rows("SELECT amount FROM balance JOIN account ON id = account_id WHERE name = ?", name)
        return int(found[0][0]) if found else 0

    def left(self) -> str:
        """What is still to be done; empty when everything is at rest."""
        if not self._service.is_up:
            return "the service has not started"
        found = {what: self._service.rows(sql)[0][0] for what, sql in _LEFT.items()}
        found["transactions in the pool"] = len(self._chain.pool)
        (read_to,) = self._service.rows("SELECT block_number FROM chain_cursor")[0]
        found["blocks to be read"] = self._chain.head.number - DEPTH - read_to
        return ", ".join(f"{count} {what}" for what, count in found.items() if count)

    # ------------------------------------------------------------ after each action

    def look(self) -> None:
        """:raises Violation:"""
        self._entries_balance()
        self._answers_are_kept()
        self._nothing_is_stuck()
        if self._looked_at != self._chain.head.hash:
            self._looked_at = self._chain.head.hash
            self._reserve_covers_liabilities()
            self._what_is_posted_is_on_the_chain()
            self._nobody_is_paid_twice()

    def _entries_balance(self) -> None:
        wrong = self._service.rows(
            "SELECT entry_id, asset, sum(amount) FROM posting JOIN account ON account.id = account_id "
            "WHERE entry_id > ? GROUP BY entry_id, asset HAVING sum(amount) <> 0",
            self._entry,
        )
        if wrong:
            raise Violation(f"entries that do not balance: {wrong}")
        self._entry = self._service.rows("SELECT coalesce(max(id), 0) FROM journal_entry")[0][0]

    def _answers_are_kept(self) -> None:
        """What was accepted is in the database as it was sent, and nothing else is."""
        rows = self._service.rows(
            "SELECT id, channel_id, idempotency_key, amount, cumulative, merchant_id FROM payment WHERE id > ?",
            self._last_row,
        )
        for row in map(_Row._make, rows):
            self._stored[row.channel, row.key] = row
            self._last_row = max(self._last_row, row.id)
        sent = {request.key: request for request in self._requests}
        if strange := self._stored.keys() - sent.keys():
            raise Violation(f"payments that nobody has sent: {strange}")
        for key, request in sent.items():
            stored, submission = self._stored.get(key), request.submission
            if stored is None and request.state == ACCEPTED:
                raise Violation(f"{key[1]} was accepted and is not in the database")
            if stored is not None and request.state == REFUSED:
                raise Violation(f"{key[1]} was refused and is in the database")
            if stored is not None and stored[3:] != (submission.amount, submission.cumulative, submission.merchant_id):
                raise Violation(f"{key[1]} is in the database as {stored}")

    def _nothing_is_stuck(self) -> None:
        errors = self._service.rows("SELECT last_error FROM outbox_event WHERE handled_at IS NULL AND last_error <> ''")
        if errors:
            raise Violation(f"an event cannot be booked: {errors[0][0]}")
        for (differences,) in self._service.rows("SELECT difference_count FROM chain_check"):
            if differences:
                raise Violation(f"the service finds {differences} differences between its books and the chain")

    def _reserve_covers_liabilities(self) -> None:
        reserve = self._chain.read("asset", "balanceOf", self._chain.ground.deployment.settlement)
        liabilities = self._chain.read("settlement", "liabilities")
        if reserve < liabilities:
            raise Violation(f"the reserve holds {reserve} and owes {liabilities}")

    def _what_is_posted_is_on_the_chain(self) -> None:
        for (batch,) in self._service.rows("SELECT id FROM batch WHERE state = 'posted'"):
            if not self._chain.read("settlement", "batches", batch):
                raise Violation(f"batch {batch} is posted and not on the chain")

    def _nobody_is_paid_twice(self) -> None:
        """No merchant has more from the chain than it ordered."""
        ordered = Counter(
            dict(self._service.rows("SELECT address, sum(amount) FROM payout WHERE state <> 'failed' GROUP BY 1"))
        )
        for merchant, amount in self._sums(_CREDIT_WITHDRAWN, by=1).items():
            if amount > ordered[merchant]:
                raise Violation(f"{merchant} ordered {ordered[merchant]} and is paid {amount}")

    # ------------------------------------------------------------------ at the end

    def look_at_everything(self) -> None:
        """:raises Violation:"""
        self.look()
        report = audit(self._service.hub)
        if report.differences:
            raise Violation(f"the audit finds {report.differences[:5]}")
        self._every_order_counts_once()
        self._tokens_are_accounted_for()
        self._nonces_have_no_gap()

    def _every_order_counts_once(self) -> None:
        taken = Counter(order.what for order in self._orders if order.answer is not None)
        for what, table in _TABLES.items():
            (stored,) = self._service.rows(f"SELECT count(*) FROM {table}")[0]
            if stored != taken[what]:
                raise Violation(f"{taken[what]} {what}s were accepted, {stored} are stored")
        paid = dict(self._service.rows("SELECT address, sum(amount) FROM payout WHERE state = 'paid' GROUP BY 1"))
        if paid != self._sums(_CREDIT_WITHDRAWN, by=1):
            raise Violation(f"payouts: {paid} by our rows, {self._sums(_CREDIT_WITHDRAWN, by=1)} by the chain")
        redeemed = dict(
            self._service.rows(
                "SELECT address, sum(amount) FROM redemption JOIN merchant ON merchant.id = merchant_id "
                "WHERE state = 'confirmed' GROUP BY 1"
            )
        )
        if redeemed != self._sums(_REDEEMED_TO_CREDIT, by=2):
            raise Violation(
                f"redemptions: {redeemed} by our rows, {self._sums(_REDEEMED_TO_CREDIT, by=2)} by the chain"
            )

    def _tokens_are_accounted_for(self) -> None:
        """Minted − burned = what was claimed − what was redeemed = what the books say."""
        gift = self._chain.ground.deployment.gift_token
        nobody = "0x" + "0" * 40
        minted = self._sums(_TRANSFER, by=1, of=gift)[nobody]
        burned = self._sums(_TRANSFER, by=2, of=gift)[nobody]
        (claimed,) = self._service.rows("SELECT coalesce(sum(claimed), 0) FROM entitlement")[0]
        (redeemed,) = self._service.rows("SELECT coalesce(sum(amount), 0) FROM redemption WHERE state = 'confirmed'")[0]
        if minted != claimed or burned != redeemed:
            raise Violation(f"{minted} minted for {claimed} claimed, {burned} burned for {redeemed} redeemed")

    def _nonces_have_no_gap(self) -> None:
        ((ours,),) = self._service.rows("SELECT next_nonce FROM signer_account")
        theirs = self._chain.nonce(OPERATOR)
        if ours < theirs:
            # Somebody else has used the key, which is noticed with the next transaction.
            return
        if ours != theirs:
            raise Violation(f"the next nonce is {ours} here and {theirs} on the chain")

    def _sums(self, topic: bytes, by: int, of: str = "") -> Counter[str]:
        """Amounts of an event, by one of its addresses. :param by: which topic; :param of: the contract, if not all"""
        sums: Counter[str] = Counter()
        for _, _, log in self._chain.logs(0, self._chain.head.number):
            if log.topics[0] == topic and of in ("", log.address):
                sums[Web3.to_checksum_address(log.topics[by][-20:])] += int.from_bytes(log.data[:32], "big")
        return sums
