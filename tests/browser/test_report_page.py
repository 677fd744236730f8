"""A month's report as a person opens it: from a file, on a telephone and a screen, in the dark and in the light."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from taesan.insights import report
from tests.unit.test_insights_reports import HOSTILE, audit_of, document_in


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_keeps_its_own_rules(
    browser: Browser, tmp_path: Path, width: int, scheme: Literal["dark", "light"]
) -> None:
    file = tmp_path / "report.html"
    file.write_text(report.as_page(document_in("ko", audit_of(HOSTILE))))
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.evaluate("(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))")
    assert colours == (
        ["rgb(232, 239, 236)", "rgb(15, 24, 23)"] if scheme == "dark" else ["rgb(20, 32, 29)", "rgb(245, 247, 245)"]
    )
    assert page.get_by_role("img").get_attribute("aria-label") == page.locator("figcaption").inner_text() + ". " + (
        page.locator("summary").inner_text()
    )
    assert page.locator("svg rect:not(.cut)").count() == 30
    assert page.locator(".axis span").all_inner_texts()[::5] == ["1", "", "", "", "", ""]
    assert page.locator(".axis").inner_text().split() == ["1", "5", "10", "15", "20", "25", "30"]
    name, net = page.locator("section:nth-of-type(2) tbody tr").first.locator("td:first-child, td.main").all()
    on_one_line = [box["y"] for cell in (name, net) if (box := cell.bounding_box()) is not None]
    assert len(on_one_line) == 2
    assert on_one_line[0] == on_one_line[1]
    assert page.evaluate("getComputedStyle(document.querySelector('p')).wordBreak") == "keep-all"
    page.locator("summary").click()
    assert page.locator("details tr").count() == 30
    assert said == []
    page.close()
