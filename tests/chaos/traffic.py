"""A small steady load: payers, a merchant and holders of gift tokens, each a thread that asks until it knows.

Whatever is not answered for good (no answer, 429, 500, 503) is asked again with the same key and body. So when all have been
brought to a stop, each payment is either accepted or refused, and `accepted` and `refused` say which.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from web3.exceptions import Web3RPCError

from tests.support.contract_payer import ContractPayer
from tests.support.stage import CENT, DOLLAR, Merchant, Payer
from tests.support.wallet import Json

UNKNOWN = (429, 500, 503)
RETRY_S, TIMEOUT_S, STOP_S = 0.2, 40, 90
BULK = 18  # more than the intake verifies by itself


@dataclass(frozen=True)
class Accepted:
    """:ivar sent_at: of its first request, by `time.monotonic`"""

    id: str
    channel: str
    key: str
    cumulative: int
    sent_at: float


class Traffic:
    """:ivar refused: (channel, Idempotency-Key). :ivar wrong: answers that should not be. :ivar retries: requests sent again
    :ivar told: status → how often it was answered"""

    def __init__(self, port: int, payers: list[Payer], wallet: ContractPayer, merchant: Merchant, seed: str) -> None:
        self.port, self.merchant = port, merchant
        self.accepted: list[Accepted] = []
        self.refused: list[tuple[str, str]] = []
        self.wrong: list[str] = []
        self.told: dict[int, int] = {}
        self.going, self.ending = threading.Event(), threading.Event()
        self._asked = 0  # and not answered for good
        self._lock = threading.Lock()
        *singly, in_bulk = payers
        acts: list[tuple[Callable[[_Person], None], float]] = [
            *((_Paying(self, payer, merchant), 0.4) for payer in singly),
            (_PayingInBulk(self, in_bulk, merchant), 3.0),
            (_PayingByContract(self, wallet, merchant), 0.6),
            (_Depositing(self, singly), 1.0),
            (_Redeeming(self, singly, merchant), 0.8),
            (_CashingIn(self, merchant), 1.0),
        ]
        self._people = [_Person(self, act, pause_s, f"{seed} {n}") for n, (act, pause_s) in enumerate(acts)]
        for person in self._people:
            person.start()

    # ------------------------------------------------------------ from outside

    @property
    def outstanding(self) -> int:
        return self._asked

    def go(self) -> None:
        self.going.set()

    def stop(self) -> None:
        """Until everybody knows what became of what they asked. :raises TimeoutError: somebody is not told"""
        self.going.clear()
        end = time.monotonic() + STOP_S
        while any(person.is_busy for person in self._people):
            if time.monotonic() > end:
                raise TimeoutError(f"{self.outstanding} requests are not answered for good after {STOP_S} s")
            time.sleep(0.02)

    def close(self) -> None:
        self.ending.set()
        self.going.set()
        for person in self._people:
            person.join()

    def first_after(self, moment: float) -> Accepted | None:
        """The first payment that was sent after a moment and accepted."""
        return next((a for a in list(self.accepted) if a.sent_at >= moment), None)

    # -------------------------------------------------------- for those within

    def note(self, status: int) -> None:
        with self._lock:
            self.told[status] = self.told.get(status, 0) + 1

    def note_asked(self, count: int) -> None:
        with self._lock:
            self._asked += count


class Ended(Exception):
    """All are sent home."""


class _Person(threading.Thread):
    """Does the same thing again and again. :ivar is_busy: whether it has begun and not ended it"""

    def __init__(self, traffic: Traffic, act: "Callable[[_Person], None]", pause_s: float, seed: str) -> None:
        super().__init__(daemon=True)
        self.traffic, self._act, self._pause_s = traffic, act, pause_s
        self.chance = random.Random(seed)
        self.is_busy = False
        self._line: http.client.HTTPConnection | None = None

    def run(self) -> None:
        traffic = self.traffic
        while not traffic.ending.wait(self._pause_s * (0.5 + self.chance.random())):
            traffic.going.wait()
            self.is_busy = True
            try:
                if traffic.going.is_set() and not traffic.ending.is_set():
                    self._act(self)
            except Ended:
                pass
            except Exception as error:
                traffic.wrong.append(f"a client failed: {error!r}")
            finally:
                self.is_busy = False

    def ask(
        self, method: str, path: str, body: Json | None, headers: Json, payments: int = 0
    ) -> tuple[int, Json, dict[str, str]]:
        """Until it is answered for good: (status, answer, headers). :param payments: that are asked for with it"""
        self.traffic.note_asked(payments)
        try:
            while True:
                status, answer, told = self._try(method, path, body, headers)
                self.traffic.note(status)
                if status not in UNKNOWN and not any(r["status"] in UNKNOWN for r in answer.get("results", [])):
                    return status, answer, told
                if self.traffic.ending.wait(RETRY_S):
                    raise Ended
        finally:
            self.traffic.note_asked(-payments)

    def _try(self, method: str, path: str, body: Json | None, headers: Json) -> tuple[int, Json, dict[str, str]]:
        """Once; 503 if there is no answer."""
        content = None if body is None else json.dumps(body)
        try:
            if self._line is None:
                self._line = http.client.HTTPConnection("127.0.0.1", self.traffic.port, timeout=TIMEOUT_S)
            self._line.request(method, path, content, {"content-type": "application/json"} | headers)
            answer = self._line.getresponse()
            return answer.status, json.loads(answer.read()), {k.lower(): v for k, v in answer.getheaders()}
        except (OSError, http.client.HTTPException, ValueError):
            if self._line is not None:
                self._line.close()
            self._line = None
            return 503, {}, {}


class _Paying:
    """Pays, mostly into the jar. Now and then repeats itself, and now and then somebody forges its signature."""

    def __init__(self, traffic: Traffic, payer: Payer, merchant: Merchant) -> None:
        self._traffic, self._payer, self._merchant, self._count = traffic, payer, merchant, 0

    def __call__(self, me: _Person) -> None:
        self._count += 1
        amount = me.chance.randrange(1, 60) * CENT
        body = self._payer.payment(amount, self._merchant if me.chance.random() < 0.3 else None)
        key = f"k{self._count}"
        if me.chance.random() < 0.05:
            forged = body | {"voucher": body["voucher"] | {"signature": "0x" + "2c" * 64 + "1b"}}
            status, answer, _ = self._ask(me, forged, f"{key}-forged")
            self._expect(status == 403, f"a forged payment is answered {status}: {answer}")
            self._traffic.refused.append((self._payer.id, f"{key}-forged"))
        sent_at = time.monotonic()
        status, answer, _ = self._ask(me, body, key)
        if status != 201:
            self._traffic.refused.append((self._payer.id, key))
            self._expect(False, f"a good payment is answered {status}: {answer}")
            return
        self._payer.charged += amount
        self._traffic.accepted.append(Accepted(answer["id"], self._payer.id, key, self._payer.charged, sent_at))
        if me.chance.random() < 0.05:
            status, again, headers = self._ask(me, body, key)
            is_same = (status, again, headers.get("idempotent-replayed")) == (201, answer, "true")
            self._expect(is_same, f"a repeated payment is answered {status}: {again}, not {answer}")

    def _ask(self, me: _Person, body: Json, key: str) -> tuple[int, Json, dict[str, str]]:
        return me.ask("POST", "/v1/payments", body, {"idempotency-key": key}, 1)

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self._traffic.wrong.append(otherwise)


class _PayingInBulk:
    """As a wallet that was offline, or a gateway."""

    def __init__(self, traffic: Traffic, payer: Payer, merchant: Merchant) -> None:
        self._traffic, self._payer, self._merchant, self._count = traffic, payer, merchant, 0

    def __call__(self, me: _Person) -> None:
        payer, first, items, totals = self._payer, self._payer.charged, [], []
        for n in range(BULK):
            self._count += 1
            amount = me.chance.randrange(1, 20) * CENT
            body = payer.payment(amount, None if n % 3 else self._merchant)
            items.append(body | {"idempotency_key": f"b{self._count}"})
            payer.charged += amount
            totals.append(payer.charged)
        sent_at = time.monotonic()
        status, answer, _ = me.ask("POST", "/v1/payments/bulk", {"payments": items}, {}, BULK)
        results = answer.get("results", [])
        if status != 200 or any(result["status"] != 201 for result in results):
            self._traffic.wrong.append(f"good payments in bulk are answered {status}: {answer}")
            payer.charged = first
            return
        for item, total, result in zip(items, totals, results, strict=True):
            paid = Accepted(result["payment"]["id"], payer.id, item["idempotency_key"], total, sent_at)
            self._traffic.accepted.append(paid)


class _PayingByContract:
    """A contract wallet pays the merchant as far as the hub stands in for it."""

    def __init__(self, traffic: Traffic, payer: ContractPayer, merchant: Merchant) -> None:
        self._traffic, self._payer, self._merchant, self._count = traffic, payer, merchant, 0

    def __call__(self, me: _Person) -> None:
        self._count += 1
        key, amount, sent_at = f"c{self._count}", 5 * CENT, time.monotonic()
        body = self._payer.payment(amount, self._merchant)
        status, answer, _ = me.ask("POST", "/v1/payments", body, {"idempotency-key": key}, 1)
        if status == 201:
            self._payer.charged += amount
            self._traffic.accepted.append(Accepted(answer["id"], self._payer.id, key, self._payer.charged, sent_at))
            return
        self._traffic.refused.append((self._payer.id, key))
        if not answer.get("type", "").endswith("contract-wallet-limit"):
            self._traffic.wrong.append(f"a contract wallet's payment is answered {status}: {answer}")


class _Depositing:
    """Payers add to their channels by turns; the hub relays it."""

    def __init__(self, traffic: Traffic, payers: list[Payer]) -> None:
        self._traffic, self._payers, self._count = traffic, payers, 0

    def __call__(self, me: _Person) -> None:
        self._count += 1
        payer = self._payers[self._count % len(self._payers)]
        deposit = payer.wallet.deposit(payer.stage.facts, payer.config, DOLLAR)
        headers = {"idempotency-key": f"d{self._count}"}
        status, answer, _ = me.ask("POST", "/v1/channels", {"config": payer.config, "deposit": deposit}, headers)
        if status != 202:
            self._traffic.wrong.append(f"a deposit is answered {status}: {answer}")


class _Redeeming:
    """Holders spend gift tokens at the merchant, each the next only when the last is done."""

    def __init__(self, traffic: Traffic, payers: list[Payer], merchant: Merchant) -> None:
        self._traffic, self._merchant, self._count = traffic, merchant, 0
        self._last: dict[str, str] = {}
        self._holders = payers

    def __call__(self, me: _Person) -> None:
        holder = self._holders[self._count % len(self._holders)]
        self._count += 1
        last = self._last.get(holder.id)
        if last is not None:
            _, answer, _ = me.ask("GET", f"/v1/redemptions/{last}", None, self._merchant.headers)
            if answer["state"] not in ("confirmed", "failed"):
                return
        try:
            held = holder.stage.gift_tokens(holder.address)
        except (OSError, Web3RPCError):
            return  # the node is away, or on its way back behind the block that it calls the latest
        if not held:
            return
        body = holder.wallet.redemption(holder.stage.facts, self._merchant.address, held)
        headers = self._merchant.headers | {"idempotency-key": f"r{self._count}"}
        status, answer, _ = me.ask("POST", "/v1/redemptions", body, headers)
        if status == 202:
            self._last[holder.id] = answer["id"]
        elif status != 422:  # a reorganisation may have taken the tokens back
            self._traffic.wrong.append(f"a redemption is answered {status}: {answer}")


class _CashingIn:
    """The merchant has its credit paid out."""

    def __init__(self, traffic: Traffic, merchant: Merchant) -> None:
        self._traffic, self._merchant, self._count = traffic, merchant, 0

    def __call__(self, me: _Person) -> None:
        self._count += 1
        headers: dict[str, Any] = self._merchant.headers | {"idempotency-key": f"o{self._count}"}
        status, answer, _ = me.ask("POST", "/v1/payouts", {}, headers)
        if status not in (202, 422):  # no credit just now
            self._traffic.wrong.append(f"a payout is answered {status}: {answer}")
