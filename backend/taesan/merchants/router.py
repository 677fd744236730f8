"""A merchant's account, redemptions, payouts, invoices and refunds over HTTP. All need the merchant's API key, but for what
the payer of an invoice needs."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import PlainTextResponse
from sqlmodel import Session

from taesan.chain import view
from taesan.core import idempotency
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet, Needs
from taesan.identity.models import Merchant
from taesan.identity.rates import COUNTED
from taesan.merchants import (
    checkout,
    closings,
    invoices,
    payouts,
    queries,
    redemption,
    refunds,
    schedule,
    transfer_queries,
)
from taesan.merchants.models import (
    AccountPublic,
    AccountSettings,
    AccountSettingsPublic,
    Closing,
    InvoiceCreate,
    InvoicePublic,
    InvoiceRecord,
    InvoiceState,
    PayoutCreate,
    PayoutPublic,
    PersonalRefund,
    RedemptionCreate,
    RedemptionPublic,
    RefundCreate,
    RefundPublic,
    TransferPublic,
    TransferState,
)
from taesan.payments.models import MAX_INVOICE_ID

router = APIRouter(prefix="/v1", tags=["merchants"])
Day = Annotated[date, Path(ge=date(2000, 1, 1), le=date(2999, 1, 1), examples=["2026-11-26"])]

OfAccount = Annotated[Merchant, Depends(Needs("account:read"))]
ReadsRedemptions = Annotated[Merchant, Depends(Needs("redemptions:read"))]
Redeems = Annotated[Merchant, Depends(Needs("redemptions:write"))]
ReadsPayouts = Annotated[Merchant, Depends(Needs("payouts:read"))]
OrdersPayouts = Annotated[Merchant, Depends(Needs("payouts:write"))]
ReadsInvoices = Annotated[Merchant, Depends(Needs("invoices:read"))]
Invoices = Annotated[Merchant, Depends(Needs("invoices:write"))]
ReadsRefunds = Annotated[Merchant, Depends(Needs("refunds:read"))]
Refunds = Annotated[Merchant, Depends(Needs("refunds:write"))]


@router.get("/account", operation_id="getAccount", responses=problem_responses(401, 403))
def get_account(hub: HubDep, merchant: OfAccount) -> AccountPublic:
    """What the merchant is owed, and how far it is."""
    with hub.db.read() as session:
        return queries.public_account(session, hub, merchant)


@router.post(
    "/redemptions",
    operation_id="redeemGiftTokens",
    status_code=202,
    response_model=RedemptionPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 422, 429, 503),
)
def redeem(hub: HubDep, merchant: Redeems, body: RedemptionCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Redeems a holder's gift tokens at face value: the holder signs, the hub pays the gas, the merchant is credited."""
    now = hub.clock.now()

    def check() -> None:
        redemption.check(hub, merchant, body, now)

    def effect(session: Session) -> RedemptionPublic:
        return queries.public_redemption(session, redemption.request(session, merchant, body, now))

    scope = f"redemption:{merchant.id}"
    return idempotency.once(
        hub.db, scope, idempotency_key, body, now, effect, closed=view.closed, check=check, status=202
    )


@router.get("/redemptions", operation_id="listRedemptions", responses=problem_responses(401, 403, 422))
def list_redemptions(
    hub: HubDep, merchant: ReadsRedemptions, cursor: Cursor = None, limit: Limit = 100
) -> Page[RedemptionPublic]:
    """The merchant's redemptions, newest first."""
    with hub.db.read() as session:
        rows = queries.redemptions_of(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_redemption(session, row))


@router.get(
    "/redemptions/{redemption_id}", operation_id="getRedemption", responses=problem_responses(401, 403, 404, 422)
)
def get_redemption(hub: HubDep, merchant: ReadsRedemptions, redemption_id: str) -> RedemptionPublic:
    """How far a redemption has come."""
    with hub.db.read() as session:
        return queries.public_redemption(session, queries.find_redemption(session, merchant, redemption_id))


@router.post(
    "/payouts",
    operation_id="orderPayout",
    status_code=202,
    response_model=PayoutPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 422, 429, 503),
)
def order_payout(
    hub: HubDep, merchant: OrdersPayouts, body: PayoutCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Orders the payout of credit to the merchant's own address."""
    now = hub.clock.now()

    def effect(session: Session) -> PayoutPublic:
        return queries.public_payout(session, payouts.order(session, hub, merchant, body.amount, now))

    return idempotency.once(
        hub.db, f"payout:{merchant.id}", idempotency_key, body, now, effect, closed=view.closed, status=202
    )


@router.get("/payouts", operation_id="listPayouts", responses=problem_responses(401, 403, 422))
def list_payouts(hub: HubDep, merchant: ReadsPayouts, cursor: Cursor = None, limit: Limit = 100) -> Page[PayoutPublic]:
    """The merchant's payouts, newest first."""
    with hub.db.read() as session:
        rows = queries.payouts_of(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_payout(session, row))


@router.get("/payouts/{payout_id}", operation_id="getPayout", responses=problem_responses(401, 403, 404, 422))
def get_payout(hub: HubDep, merchant: ReadsPayouts, payout_id: str) -> PayoutPublic:
    """How far a payout has come."""
    with hub.db.read() as session:
        return queries.public_payout(session, queries.find_payout(session, merchant, payout_id))


# ----------------------------------------------------------------- invoices


@router.post(
    "/invoices",
    operation_id="createInvoice",
    status_code=201,
    response_model=InvoiceRecord,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 422, 429, 503),
)
def create_invoice(
    hub: HubDep, merchant: Invoices, body: InvoiceCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Asks for an amount. Its quote in the reserve asset holds until the invoice expires."""
    now = hub.clock.now()

    def effect(session: Session) -> InvoiceRecord:
        return invoices.record(session, hub, invoices.make(session, hub, merchant, body, now))

    return idempotency.once(
        hub.db, f"invoice:{merchant.id}", idempotency_key, body, now, effect, closed=view.closed, status=201
    )


@router.get("/invoices", operation_id="listInvoices", responses=problem_responses(401, 403, 422))
def list_invoices(
    hub: HubDep,
    merchant: ReadsInvoices,
    state: InvoiceState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[InvoiceRecord]:
    """The merchant's invoices, newest first. Refunded ones are found among the paid; one whose time has just run out may
    still be among the open."""
    with hub.db.read() as session:
        rows = invoices.of_merchant(session, merchant, state, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: invoices.record(session, hub, row))


@router.get("/invoices/{invoice_id}", operation_id="getInvoice", responses=problem_responses(404, 422))
def get_invoice(hub: HubDep, invoice_id: str) -> InvoicePublic:
    """An invoice as its payer sees it."""
    with hub.db.read() as session:
        return invoices.public(session, hub, invoices.find(session, invoice_id))


@router.get(
    "/invoices/{invoice_id}/record", operation_id="getInvoiceRecord", responses=problem_responses(401, 403, 404, 422)
)
def get_invoice_record(hub: HubDep, merchant: ReadsInvoices, invoice_id: str) -> InvoiceRecord:
    """An invoice as its merchant sees it."""
    with hub.db.read() as session:
        return invoices.record(session, hub, invoices.find_own(session, merchant, invoice_id))


@router.post(
    "/invoices/{invoice_id}/cancel",
    operation_id="cancelInvoice",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def cancel_invoice(hub: HubDep, merchant: Invoices, invoice_id: str) -> InvoiceRecord:
    """Nobody can pay it any more. Safe to repeat."""
    with hub.db.write() as session:
        row = invoices.cancel(session, merchant, invoice_id, hub.clock.now())
        return invoices.record(session, hub, row)


@router.post(
    "/invoices/{invoice_id}/redemptions",
    operation_id="payInvoiceInGiftTokens",
    status_code=202,
    response_model=RedemptionPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 404, 409, 422, 429, 503),
)
def pay_invoice_in_gift_tokens(
    hub: HubDep, invoice_id: str, body: RedemptionCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Pays an invoice in gift tokens: the holder signs exactly its quote over to its merchant, with a salt that begins as the
    invoice says; the hub pays the gas. It is `paying` until the chain has confirmed it."""
    now = hub.clock.now()

    def effect(session: Session) -> RedemptionPublic:
        return queries.public_redemption(session, checkout.pay(session, invoice_id, body, now))

    return idempotency.once(
        hub.db,
        f"invoice redemption:{invoice_id[:MAX_INVOICE_ID]}",
        idempotency_key,
        body,
        now,
        effect,
        closed=view.closed,
        check=lambda: checkout.check(hub, invoice_id, body, now),
        status=202,
    )


@router.get("/transfers", operation_id="listTransfers", responses=problem_responses(401, 403, 422))
def list_transfers(
    hub: HubDep,
    merchant: ReadsInvoices,
    state: TransferState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TransferPublic]:
    """Transfers of the reserve asset to the payout wallet, seen while invoices could be paid so, newest first: those that have
    paid one, and those that came late, twice or with an amount that is no invoice's."""
    with hub.db.read() as session:
        rows = transfer_queries.of_merchant(session, merchant, state, cursor, limit)
        return page(rows, limit, lambda row: row.id, transfer_queries.public)


@router.get("/transfers/{transfer_id}", operation_id="getTransfer", responses=problem_responses(401, 403, 404, 422))
def get_transfer(hub: HubDep, merchant: ReadsInvoices, transfer_id: str) -> TransferPublic:
    """How far a transfer has come."""
    with hub.db.read() as session:
        return transfer_queries.public(transfer_queries.find(session, merchant, transfer_id))


# ------------------------------------------------------------------ refunds


@router.post(
    "/refunds",
    operation_id="createRefund",
    status_code=202,
    response_model=RefundPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 429, 503),
)
def create_refund(
    hub: HubDep, merchant: Refunds, body: RefundCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Gives a payment back, whole or in part: it becomes gift tokens of who paid. It comes out of what the merchant was paid
    and is not settled yet; if that is too little, its credit is held until it is paid as much again."""
    now = hub.clock.now()

    def effect(session: Session) -> RefundPublic:
        return refunds.public(session, refunds.make(session, hub, merchant, body, now))

    return idempotency.once(
        hub.db, f"refund:{merchant.id}", idempotency_key, body, now, effect, closed=view.closed, status=202
    )


@router.get("/refunds", operation_id="listRefunds", responses=problem_responses(401, 403, 422))
def list_refunds(hub: HubDep, merchant: ReadsRefunds, cursor: Cursor = None, limit: Limit = 100) -> Page[RefundPublic]:
    """The merchant's refunds, newest first."""
    with hub.db.read() as session:
        rows = refunds.of_merchant(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: refunds.public(session, row))


@router.get("/refunds/{refund_id}", operation_id="getRefund", responses=problem_responses(401, 403, 404, 422))
def get_refund(hub: HubDep, merchant: ReadsRefunds, refund_id: str) -> RefundPublic:
    """How far a refund has come."""
    with hub.db.read() as session:
        return refunds.public(session, refunds.find(session, merchant, refund_id))


@router.get("/personal-refunds", operation_id="listPersonalRefunds", responses=problem_responses(401, 422))
def list_personal_refunds(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[PersonalRefund]:
    """What merchants have given back to the wallet, newest first."""
    with hub.db.read() as session:
        rows = refunds.to_account(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: refunds.personal(session, row))


# ------------------------------------------------- days, settings, schedules


@router.get("/account/settings", operation_id="getAccountSettings", responses=problem_responses(401, 403))
def get_settings(hub: HubDep, merchant: ReadsPayouts) -> AccountSettingsPublic:
    """The merchant's time zone and payout schedule."""
    with hub.db.read() as session:
        return schedule.public(schedule.settings_of(session, merchant))


@router.put(
    "/account/settings",
    operation_id="setAccountSettings",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 422, 429),
)
@retried
def set_settings(hub: HubDep, merchant: OrdersPayouts, body: AccountSettings) -> AccountSettingsPublic:
    """Sets them all. A schedule begins with the next midnight in the time zone, and pays out all of the credit."""
    with hub.db.write() as session:
        return schedule.public(schedule.set_up(session, merchant, body, hub.clock.now()))


@router.get(
    "/closings/{day}", operation_id="getClosing", dependencies=COUNTED, responses=problem_responses(401, 403, 422, 429)
)
def get_closing(hub: HubDep, merchant: OfAccount, day: Day) -> Closing:
    """What a day brought, in the merchant's time zone."""
    with hub.db.read() as session:
        return closings.close(session, hub, merchant, day, hub.clock.now())


@router.get(
    "/closings/{day}/csv",
    operation_id="getClosingAsCsv",
    dependencies=COUNTED,
    response_class=PlainTextResponse,
    responses=problem_responses(401, 403, 422, 429) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_closing_as_csv(hub: HubDep, merchant: OfAccount, day: Day) -> Response:
    """The same, a line for each sum."""
    with hub.db.read() as session:
        text = closings.as_csv(closings.close(session, hub, merchant, day, hub.clock.now()))
    headers = {"content-disposition": f'attachment; filename="closing-{day}.csv"'}
    return PlainTextResponse(text, headers=headers, media_type="text/csv")
