"""What lies about and should not be forgotten, over HTTP: for whose it is."""

from fastapi import APIRouter

from taesan.core.http import problem_responses
from taesan.core.pages import Cursor, Limit, Page
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.reminders import matters
from taesan.reminders.models import ReminderPublic

router = APIRouter(prefix="/v1", tags=["reminders"])


@router.get("/reminders", operation_id="listReminders", responses=problem_responses(401, 422))
def list_reminders(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[ReminderPublic]:
    """What the wallet may have forgotten, the newest first: small change in a jar that nothing comes into any more, gift tokens that are
    settled and not minted or that a rule cannot convert, cashback that waits, points that expire soon, gift links that nobody has
    used or taken back."""
    with hub.db.read() as session:
        return matters.page_of(session, hub, wallet, cursor, limit, hub.chain_clock.now())
