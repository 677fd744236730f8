"""For merchants whose server is x402's own (`x402ResourceServer`): the scheme to register with it, so that the hub is its facilitator.

    server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url="https://hub.example/x402")))
    server.register("eip155:8453", HubChannels("https://hub.example", "mer_6f0c2a9b1d3e4f5061728394"))

The SDK's own `BatchSettlementEvmScheme` keeps each channel's state by itself. Here a channel pays all of a hub's merchants, so
the hub alone knows it, and each payment is settled there.
"""

from dataclasses import dataclass, field
from typing import Any

from taesan.paywall import terms
from taesan.paywall.facilitator import Facilitator, Refused, Unknown
from taesan.paywall.terms import Json, Price

_MISMATCH = "invalid_batch_settlement_evm_cumulative_amount_mismatch"


@dataclass
class _Amount:
    """As the SDK's `AssetAmount`."""

    amount: str
    asset: str = ""
    extra: Json = field(default_factory=dict)


class HubChannels:
    """The SDK's `SchemeNetworkServer`. :param deposit: what a payer is asked to deposit at a time, such as `"5"`"""

    scheme = terms.SCHEME
    default_asset_transfer_method = "eip3009"

    def __init__(self, hub: str, merchant: str, deposit: str | None = None) -> None:
        self.payment_flows = {"eip3009": {"supported": ("authorization",), "default": "authorization"}}
        self._facilitator, self._merchant, self._deposit = Facilitator(hub), merchant, deposit

    def parse_price(self, price: Any, _network: str) -> _Amount:
        """In whole units of the hub's asset; which that is, the hub tells only later."""
        return _Amount(str(price))

    def enhance_payment_requirements(self, requirements: Any, supported_kind: Any, _extensions: list[str]) -> Any:
        """The whole offer comes from the hub, whom it pays as well: `pay_to` does not matter."""
        kind = {"scheme": self.scheme, "network": requirements.network, "extra": supported_kind.extra}
        made = terms.offer(kind, self._merchant, Price(requirements.amount), self._deposit)
        requirements.asset, requirements.amount, requirements.pay_to = made["asset"], made["amount"], made["payTo"]
        requirements.extra = made["extra"]
        return requirements

    def after_verify(self, context: Any) -> Any:
        """A refund buys nothing: the handler is left out."""
        if not terms.is_refund({"payload": context.payment_payload.payload}) or not context.result.is_valid:
            return None
        from x402.schemas.hooks import SkipHandlerDirective, SkipHandlerResult  # only who has the SDK comes here

        return SkipHandlerResult(SkipHandlerDirective("application/json", {"message": "Refunded."}))

    def enrich_settlement_response(self, context: Any) -> Json | None:
        """What the client counts on."""
        payment, amount = {"payload": context.payment_payload.payload}, context.requirements.amount
        extra: Json | None = terms.receipt({}, payment, amount).get("extra")
        return extra

    async def enrich_payment_required_response(self, context: Any) -> list[Any] | None:
        """What a client needs to resynchronise. The SDK does not hand on what the hub told, so the hub is asked again."""
        header = context.transport_context and context.transport_context.request.adapter.get_header(
            terms.PAYMENT_SIGNATURE
        )
        payment = terms.read_payment(header) if header and context.error == _MISMATCH else None
        if payment is None:
            return None
        for accept in context.requirements:
            offered = accept.model_dump(by_alias=True)
            if terms.taken([offered], payment):
                try:
                    extra = (await self._facilitator.verify(payment, offered)).get("extra") or {}
                except (Unknown, Refused):
                    return None
                accept.extra = terms.resynchronising(accept.extra, extra)
        return list(context.requirements)
