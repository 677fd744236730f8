"""What a payer's signed rules gather of each purchase: computed here by the very words that were signed, and checked by the hub."""

import secrets
from dataclasses import dataclass, field, replace

from taesan.client import signing
from taesan.client.errors import ClientError, Refused, require_address, require_amount, require_price
from taesan.client.flows import Flows
from taesan.client.signing import Json
from taesan.client.steps import Flow
from taesan.jars import signed, sources
from taesan.jars.grammar import CASHBACK, Words, parse

FOR_EVER = 2**40
ALLOWED_FOR_S = 90 * 86_400
"""A permit waits with the hub for the first conversion that needs it, for so long; the allowance that it gives stays."""
GOOD_FOR_S = 60.0  # what is known of the rules; another device may have changed them
OUT_OF_DATE = ("rule-mismatch", "rule-not-active", "rule-cap-reached", "unknown-rule")
IN_THE_WALLET = (signed.Destination(signed.WALLET, 10_000, "0x" + "00" * 20, "0x" + "00" * 20, 0),)


class TakesNoRules(ClientError):
    """The hub's deployment has no `StandingOrders`."""


@dataclass(frozen=True)
class Terms:
    """A rule's; see `taesan.jars.grammar` for the words, and `taesan.jars.signed` for the rest. Of itself all that fires stays in the
    wallet as gift tokens."""

    gather: str
    fires: str
    only: str = ""
    destinations: tuple[signed.Destination, ...] = IN_THE_WALLET
    per_day: int = 0
    valid_until: int = FOR_EVER


@dataclass
class Change:
    """:ivar known: the rules that gather, the oldest first, as the hub tells them :ivar known_at: by the flows' clock
    :ivar why_nothing: why the last purchase has put nothing into the jar"""

    flows: Flows
    known: list[Json] | None = None
    known_at: float = field(default=0.0)
    why_nothing: str | None = None

    def sign(self, terms: Terms, number: int | None) -> Flow[Json]:
        """:raises NotARule: it makes no sense, so nothing is signed. :raises TakesNoRules: :raises Refused:"""
        facts, id_ = (yield from self.flows.hub()), (yield from self.flows.channel())
        parse(terms.gather, terms.fires, terms.only)
        to = tuple(
            replace(one, recipient=require_address(one.recipient), token=require_address(one.token))
            for one in terms.destinations
        )
        if facts.standing_orders_domain is None:
            raise TakesNoRules(f"{self.flows.site} takes no signed rules")
        rule = signed.Rule(
            self.flows.wallet.address,
            secrets.randbits(62) if number is None else number,
            terms.gather,
            terms.fires,
            terms.only,
            to,
            terms.per_day,
            terms.valid_until,
        )
        body = signing.rule(facts.standing_orders_domain, self.flows.wallet, rule)
        self.known = None
        answer: Json = yield from self.flows.as_wallet("POST", f"/v1/channels/{id_}/rules", body, is_safe=True)
        return answer

    def allow(self, amount: int) -> Flow[Json]:
        """:raises TakesNoRules: :raises Refused:"""
        require_amount(amount, least=0)
        facts = yield from self.flows.hub()
        if facts.standing_orders_domain is None:
            raise TakesNoRules(f"{self.flows.site} takes no signed rules")
        spender = facts.standing_orders_domain.verifying_contract
        told = yield from self.flows.as_wallet("GET", "/v1/allowance")
        ends = int((yield from self.flows.signed_now()).timestamp()) + ALLOWED_FOR_S
        body = signing.permit(facts, self.flows.wallet, spender, amount, told["nonce"], ends)
        answer: Json = yield from self.flows.as_wallet("PUT", "/v1/allowance", body, is_safe=True)
        return answer

    def rules(self) -> Flow[list[Json]]:
        """Those that gather now, the oldest first."""
        id_, found, cursor = (yield from self.flows.channel()), [], ""
        while True:
            page = yield from self.flows.as_wallet("GET", f"/v1/channels/{id_}/rules?limit=100{cursor}")
            found += [rule for rule in page["items"] if rule["state"] == "active"]
            if page["next_cursor"] is None:
                self.known, self.known_at = found[::-1], self.flows.clock()
                return self.known
            cursor = f"&cursor={page['next_cursor']}"

    def add(
        self, price: Json, merchant_id: str | None, category: str | None, reference: str | None, key: str | None
    ) -> Flow[Json | None]:
        """What is to be gathered of a purchase goes into the jar; None if nothing is, and `why_nothing` says why. A key that did so before gets
        its first answer."""
        money, self.why_nothing = require_price(price), None
        facts, id_ = (yield from self.flows.hub()), (yield from self.flows.channel())
        if key is not None:
            yield from self.flows.resolve(id_)
            before = self.flows.state.find(id_, key)
            if before is not None and before.answer is not None:
                return before.answer
        names = {"merchant_id": merchant_id, "category": category}
        purchase = {"value": str(money.value), "asset": money.currency}
        purchase |= {name: value for name, value in names.items() if value is not None}
        extra: Json = {"purchase": purchase} | ({} if reference is None else {"reference": reference})
        paid = sources.in_units(money, facts.asset_exponent)
        for is_last in (False, True):
            rule, words = yield from self._rule(merchant_id, category)
            if rule is None or words is None or paid is None:
                self.why_nothing = "no active rule takes such a purchase"
                return None
            if any(amount.currency != money.currency for amount in words.gather.amounts):
                self.why_nothing = (
                    f"the rule {rule['id']} gathers in {words.gather.amounts[0].currency}, and not in {money.currency}"
                )
                return None
            by_tier = sources.multiplier(rule["perks"], merchant_id)
            amount = sources.of_purchase(words.gather, paid, facts.asset_exponent, by_tier)
            left, most = rule["progress"]["left_today"], int(rule["progress"]["most_at_once"])
            amount = sources.within(amount, None if left is None else int(left), most)
            if not amount:
                nothing = (
                    "has gathered as much as its caps leave" if left == "0" else "finds nothing to gather in this price"
                )
                self.why_nothing = f"the rule {rule['id']} {nothing}"
                return None
            try:
                return (yield from self.flows.pay(amount, {"type": "jar", "rule_id": rule["id"]}, extra, key))
            except Refused as refused:
                if is_last or refused.type not in OUT_OF_DATE:
                    raise
                self.known = None
        raise AssertionError("unreachable")

    def add_cashback(self) -> Flow[list[Json]]:
        """As much as campaigns have given the wallet since its oldest rule for `cashback` was signed, each reward once; returns what
        was paid. What the rule's caps cut off one is not made up for."""
        id_, rules = (yield from self.flows.channel()), (yield from self.rules())
        rule = next((r for r in rules if CASHBACK in parse(r["gather"], r["fires"], r["only"]).gather.inflows), None)
        if rule is None:
            return []
        yield from self.flows.resolve(id_)
        paid: list[Json] = []
        for reward in (yield from self._rewards_since(rule["created_at"])):
            key = f"cashback-{reward['payment_id']}"
            if self.flows.state.find(id_, key) is None:
                told = yield from self.flows.as_wallet("GET", f"/v1/channels/{id_}/rules/{rule['id']}")
                left, most = told["progress"]["left_today"], int(told["progress"]["most_at_once"])
                amount = int(reward["amount"]) - int(reward["reversed"])
                if amount := sources.within(amount, None if left is None else int(left), most):
                    to, extra = {"type": "jar", "rule_id": rule["id"]}, {"reference": reward["payment_id"]}
                    paid.append((yield from self.flows.pay(amount, to, extra, key)))
        return paid

    def _rewards_since(self, begin: str) -> Flow[list[Json]]:
        """What campaigns have paid out to the wallet, the oldest first. :param begin: as the hub tells times"""
        found: list[Json] = []
        cursor = ""
        while True:
            page = yield from self.flows.as_wallet("GET", f"/v1/rewards?limit=100{cursor}")
            since = [reward for reward in page["items"] if reward["made_at"] >= begin]
            found += [reward for reward in since if reward["state"] == "done"]
            if page["next_cursor"] is None or len(since) < len(page["items"]):
                return found[::-1]
            cursor = f"&cursor={page['next_cursor']}"

    def _rule(self, merchant_id: str | None, category: str | None) -> Flow[tuple[Json | None, Words | None]]:
        """Which of the rules gathers of such a purchase."""
        known = self.known
        if known is None or self.flows.clock() - self.known_at > GOOD_FOR_S:
            known = yield from self.rules()
        read = [(rule, parse(rule["gather"], rule["fires"], rule["only"])) for rule in known]
        gathering = [(words.only, (rule, words)) for rule, words in read if words.gather.of_purchases]
        chosen = sources.choose(gathering, merchant_id, category)
        if chosen is None:
            return None, None
        rule, words = chosen
        if rule["progress"]["left_today"] is not None:  # changes with each payment, and with each day
            rule = yield from self.flows.as_wallet("GET", f"/v1/channels/{rule['channel_id']}/rules/{rule['id']}")
        return rule, words
