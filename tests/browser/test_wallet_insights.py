"""Insights as a payer sees them: nothing before she asks, then her month with its figures, a bank's file, a budget, and away again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from playwright.sync_api import Page, expect

from tests.support.browser_wallet import Extension
from tests.support.live import LiveHub

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000
CARD = "이용일자,이용가맹점,이용금액\n2026-11-03,동네책방,12000\n2026-11-10,편의점,3500\n"


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_a_payer_sees_where_it_went(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, tmp_path: Path, language: str, width: int
) -> None:
    payer = live_hub.payers[1 if language == "ko" else 2]
    live_hub.pay_once(to_merchant=True, by=payer)
    extension = Extension(Account.from_key(bytes(payer["wallet"].key.key)))
    page = visit(f"{live_hub.url}/wallet/insights", language=language, width=width, extension=extension, forgive="404")
    page.get_by_role("button", name="Anna's wallet").click()
    expect(page.locator("#of-month")).to_be_hidden()  # nothing is gathered of who has not asked
    page.locator("#begin button").click()
    expect(page.locator("#spent .sums dd").first).to_contain_text("$", timeout=PATIENCE_MS)
    expect(page.locator("#places .list li").first).to_contain_text("Café Dust", timeout=PATIENCE_MS)

    page.locator("#budget-amount").fill("0.01")
    page.locator("#budgets form button").click()
    expect(page.locator("#budgets .flag").first).to_be_visible()

    statement = tmp_path / "카드.csv"
    statement.write_bytes(CARD.encode("cp949"))
    page.locator("input[type=file]").set_input_files(statement)
    expect(page.locator("#preview tbody tr")).to_have_count(2)
    page.locator("#preview button").click()
    expect(page.locator("#sources .list").nth(1)).to_contain_text("카드.csv")
    broken = tmp_path / "broken.csv"
    broken.write_bytes(CARD.replace("12000", "zwölf").encode())
    page.locator("input[type=file]").set_input_files(broken)
    expect(page.locator("#preview .failed").first).to_be_visible()

    with page.expect_download() as report:
        page.get_by_role("button", name="PDF").click()
    assert Path(report.value.path()).read_bytes().startswith(b"%PDF")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    screenshot(page, f"wallet-insights-{language}-{width}")

    page.locator("#privacy button.danger").click()
    page.locator("dialog button[value=yes]").click()
    expect(page.locator("#begin button")).to_be_visible()
