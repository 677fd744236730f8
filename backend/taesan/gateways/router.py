"""Gateways over HTTP: what they post is signed by their secret; what they see and set needs their wallet's session."""

from typing import Annotated

from fastapi import APIRouter, Body, Request

from taesan.chain import view
from taesan.core import signing_secrets
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.i18n import language_of, translate
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.gateways import customers, funding, reports, service
from taesan.gateways.models import (
    FundingSign,
    GatewayAnswer,
    GatewayCreate,
    GatewayCreated,
    GatewayPaymentPublic,
    GatewayPublic,
    GatewayResult,
    LinkAsked,
    LinkCode,
    LinkCreate,
    LinkPublic,
    PaymentsMade,
    PaymentsRefunded,
    SecretRotate,
)
from taesan.gateways.signed import SignedBy
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.operators import OperatorDep
from taesan.identity.rates import COUNTED, RatesDep

router = APIRouter(prefix="/v1")

Message = Annotated[PaymentsMade | PaymentsRefunded, Body(discriminator="type")]


# ------------------------------------------------------------ what a gateway posts


@router.post(
    "/gateways/{gateway_id}/webhook",
    tags=["gateways"],
    operation_id="reportGatewayPayments",
    responses=problem_responses(401, 404, 409, 413, 422, 429),
)
@retried
def report(request: Request, hub: HubDep, signed: SignedBy, rates: RatesDep, body: Message) -> GatewayAnswer:
    """Takes in payments that were made elsewhere, or their refunds: one, or up to 1,000 in a list, each for itself. Signed
    by the Standard Webhooks specification with the gateway's secret. What is answered is durable; a message may be sent again
    at any time.

    What a payment converts is drawn from the gateway's funding at once, or waits until the funding covers it. If the one payment
    of a message is refused, the answer is its problem.
    """
    rates.count_reports(signed.gateway_id, reports.count(body))
    with hub.db.write() as session:
        if problem := view.closed(session):
            raise problem
        gateway = service.find(session, signed.gateway_id)
        outcomes = reports.take(session, hub, gateway, body, hub.clock.now())
        if not isinstance(body.data, list) and outcomes[0].problem is not None:
            raise outcomes[0].problem
        language = language_of(request.headers.get("accept-language"))
        return GatewayAnswer(results=[_result(outcome, language) for outcome in outcomes])


def _result(outcome: reports.Outcome, language: str) -> GatewayResult:
    problem = outcome.problem
    if problem is not None:
        return GatewayResult(status=problem.status, problem=problem.body(translate(problem.title, language)))
    assert outcome.payment is not None
    return GatewayResult(status=200, replayed=outcome.replayed, payment=reports.public(outcome.payment))


@router.post(
    "/gateways/{gateway_id}/link-codes",
    tags=["gateways"],
    operation_id="createLinkCode",
    status_code=201,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def create_link_code(hub: HubDep, signed: SignedBy, rates: RatesDep, body: LinkAsked) -> LinkCode:
    """A code by which a customer of the gateway links a wallet, for the gateway to hand on. Signed as the webhook is, by a
    `webhook-id` that is new each time. Good for 15 minutes; the customer's earlier codes end."""
    rates.count_reports(signed.gateway_id, 1)
    with hub.db.write() as session:
        gateway = service.find(session, signed.gateway_id)
        return customers.new_code(session, gateway, signed.message_id, body, hub.clock.now())


# ------------------------------------------------------------ what its wallet sees and sets


@router.get(
    "/gateways/{gateway_id}",
    tags=["gateways"],
    operation_id="getGateway",
    responses=problem_responses(401, 404, 422),
)
def get_gateway(hub: HubDep, wallet: CurrentWallet, gateway_id: str) -> GatewayPublic:
    """Its funding, how much of it is drawn, and what waits for more."""
    with hub.db.read() as session:
        return service.public(session, hub, service.find_own(session, gateway_id, wallet))


@router.get(
    "/gateways/{gateway_id}/payments",
    tags=["gateways"],
    operation_id="listGatewayPayments",
    responses=problem_responses(401, 404, 422),
)
def list_gateway_payments(
    hub: HubDep, wallet: CurrentWallet, gateway_id: str, cursor: Cursor = None, limit: Limit = 100
) -> Page[GatewayPaymentPublic]:
    """What it has reported, newest first, and whether it is drawn."""
    with hub.db.read() as session:
        rows = reports.page(session, service.find_own(session, gateway_id, wallet), cursor, limit)
        return page(rows, limit, lambda row: row.id, reports.public)


@router.put(
    "/gateways/{gateway_id}/funding",
    tags=["gateways"],
    operation_id="signGatewayFunding",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def sign_funding(hub: HubDep, wallet: CurrentWallet, gateway_id: str, body: FundingSign) -> GatewayPublic:
    """Takes a voucher for all that may be drawn of the gateway's channel, past and to come. The first names the channel, which
    has paid nothing before and pays for nothing else from then on; later ones are for more."""
    with hub.db.write() as session:
        gateway = service.find_own(session, gateway_id, wallet)
        service.sign_funding(session, hub, gateway, body.voucher)
        funding.draw(session, hub, gateway, hub.clock.now())
        return service.public(session, hub, gateway)


@router.post(
    "/gateways/{gateway_id}/rotate",
    tags=["gateways"],
    operation_id="rotateGatewaySecret",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def rotate_secret(hub: HubDep, wallet: CurrentWallet, gateway_id: str, body: SecretRotate) -> GatewayCreated:
    """A new secret. During the overlap the old one is good, too."""
    with hub.db.write() as session:
        gateway = service.find_own(session, gateway_id, wallet)
        signing_secrets.rotate(gateway, body.overlap_s, hub.clock.now())
        return GatewayCreated(**service.public(session, hub, gateway).model_dump(), secret=gateway.secret)


# ------------------------------------------------------------ customers


@router.post(
    "/gateway-links",
    tags=["gateways"],
    operation_id="linkWallet",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 410, 422, 429, 503),
)
@retried
def link_wallet(hub: HubDep, wallet: CurrentWallet, body: LinkCreate) -> LinkPublic:
    """Makes the signed-in wallet that of a gateway's customer, by a code that the gateway has given to the customer. All that is
    gathered goes to the wallet as gift tokens, with the next batch; what comes, whenever it is worth one."""
    with hub.db.write() as session:
        if problem := view.closed(session):
            raise problem
        return customers.public(session, hub, customers.link(session, hub, body.code, wallet, hub.clock.now()))


@router.get("/gateway-links", tags=["gateways"], operation_id="listWalletLinks", responses=problem_responses(401, 422))
def list_links(hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100) -> Page[LinkPublic]:
    """Whose gateways' customer the signed-in wallet is, and what is gathered, waiting and released of each."""
    with hub.db.read() as session:
        rows = customers.of_wallet(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: customers.public(session, hub, row))


# ------------------------------------------------------------ operators


@router.post(
    "/operator/gateways",
    tags=["operator"],
    operation_id="registerGateway",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
@retried
def register_gateway(hub: HubDep, operator: OperatorDep, body: GatewayCreate) -> GatewayCreated:
    """Makes a gateway, which may report payments from then on; its wallet funds them, and rotates the secret."""
    with hub.db.write() as session:
        gateway = service.register(session, body, operator, hub.clock.now())
        return GatewayCreated(**service.public(session, hub, gateway).model_dump(), secret=gateway.secret)


@router.get("/operator/gateways", tags=["operator"], operation_id="listGateways", responses=problem_responses(401, 403))
def list_gateways(hub: HubDep, _operator: OperatorDep) -> list[GatewayPublic]:
    """All gateways, oldest first."""
    with hub.db.read() as session:
        return [service.public(session, hub, row) for row in service.every(session)]
