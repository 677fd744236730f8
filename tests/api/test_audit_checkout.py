"""The audit finds what was changed in invoices, and in what was given back, behind the service's back."""

import pytest

from tests.support import databases
from tests.support.stage import CENT, DOLLAR, Stage

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture(scope="module")
def played(shared_stage: Stage) -> Stage:
    """An invoice paid in channel credit and one in gift tokens, both refunded in part."""
    stage = shared_stage
    anna, ben, cafe, kiosk = stage.payer(), stage.payer(), stage.merchant(), stage.merchant("Kiosk")
    anna.pay(2 * DOLLAR)
    paid = anna.pay_invoice(cafe.invoice(100)).json()["id"]
    stage.settle()
    redeemed = anna.pay_invoice_in_tokens(cafe.invoice(200)).json()["id"]
    stage.confirm()
    ben.pay(DOLLAR, kiosk)
    for source in (paid, redeemed):
        assert cafe.refund(source, 50 * CENT).status_code == 202
    assert stage.audit().differences == []
    return stage


_OF_PAYMENT, _OF_TOKENS = "source LIKE 'pay_%'", "source LIKE 'red_%'"
_REFUNDS, _TOO_MUCH = "refunds that are not what their payment says", "more was refunded than was paid"
_IN_TOKENS = "invoices that are not what their redemption says"
_OTHER_MERCHANT = "(SELECT id FROM merchant WHERE name = 'Kiosk')"

FORGERIES = [
    *(
        (f"UPDATE refund SET {forged} WHERE {which}", told)
        for which in (_OF_PAYMENT, _OF_TOKENS)
        for forged, told in (
            ("amount = amount + 2000000", _TOO_MUCH),
            ("account = address", _REFUNDS),
            ("address = account", _REFUNDS),
            (f"merchant_id = {_OTHER_MERCHANT}", _REFUNDS),
            ("source = source || 'x'", _REFUNDS),
        )
    ),
    ("UPDATE redemption SET state = 'failed'", _REFUNDS),
    ("UPDATE redemption SET state = 'failed'", _IN_TOKENS),
    ("UPDATE redemption SET amount = amount - 1", _IN_TOKENS),
    ("UPDATE redemption SET invoice_id = NULL", _IN_TOKENS),
    (f"UPDATE redemption SET merchant_id = {_OTHER_MERCHANT}", _IN_TOKENS),
    ("UPDATE invoice SET paid_by = 'red_forged' WHERE paid_by LIKE 'red_%'", _IN_TOKENS),
    ("UPDATE invoice SET paid_by = (SELECT public_id FROM redemption), state = 'paid'", _IN_TOKENS),
    ("UPDATE invoice SET quote = quote + 1 WHERE paid_by LIKE 'red_%'", _IN_TOKENS),
]


@pytest.mark.parametrize(("statement", "told"), FORGERIES)
def test_a_forged_row_is_told(played: Stage, statement: str, told: str) -> None:
    with played.undone():
        assert databases.forge(played.settings.database_url, statement) > 0
        differences = played.audit().differences
    assert any(told in difference for difference in differences), differences
    assert played.audit().differences == [], "and the honest rows are still honest"
