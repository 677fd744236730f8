"""A person's month, asked of the hub and of the command."""

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from taesan.demo import folder
from tests.support.commands import run_here
from tests.support.insights import ask_for_insights, link_wallet, read_all
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, key
from tests.support.wallet import Json

NOTHING_BEFORE = {"count_before": 0, "count_year_before": 0, "before": "0", "year_before": "0"}
pytestmark = pytest.mark.database("sqlite", "postgresql")


def _people(stage: Stage) -> tuple[Payer, Payer]:
    """One person with two wallets, in UTC; what she has gathered, spent and got back."""
    anna, hers = stage.payer(), stage.payer()
    ask_for_insights(stage, anna.headers(), zone="UTC")
    assert link_wallet(stage, anna.headers(), hers.wallet).status_code == 200
    cafe = stage.merchant("Café <b>Dust</b>")
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    campaign = {"name": "x", "rate": 1_000, "budget": str(DOLLAR), "ends_at": "2999-01-01T00:00:00Z"}
    assert stage.client.post("/v1/campaigns", json=campaign, headers=cafe.headers | key()).status_code == 201
    paid = hers.pay(DOLLAR, cafe)["id"]
    hers.set_rule(trigger_count=2)
    for amount in (3 * CENT, 4 * CENT, 5 * CENT):
        hers.pay(amount)
    anna.sign_rule("top-ups", "every 1 payments").pay(6 * CENT)
    stage.tick()
    assert cafe.refund(paid, 20 * CENT).status_code == 202
    stage.settle()
    read_all(stage, anna.headers())
    return anna, hers


def _moved(audit: Json) -> dict[tuple[str, str], tuple[int, int]]:
    """(asset, kind) → (count, amount)"""
    return {
        (asset["asset"], moved["kind"]): (moved["count"], int(moved["amount"]))
        for asset in audit["assets"]
        for moved in asset["moved"]
    }


def test_a_month_is_told_in_all_forms(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna, hers = _people(stage)
    month = f"{stage.clock.now():%Y-%m}"
    path = f"/v1/insights/months/{month}"
    audit = stage.get(path, **anna.headers())
    assert audit == stage.get(path, **hers.headers())
    dollar = stage.hub.asset.id
    assert _moved(audit) == {
        (dollar, "spent"): (2, 3 * DOLLAR),
        (dollar, "refunded"): (1, 18 * CENT),  # without its part of the cashback
        (dollar, "gathered"): (4, 18 * CENT),
        (dollar, "rewarded"): (1, 10 * CENT),
    }
    became = audit["became"]
    assert became["fired"] == NOTHING_BEFORE | {"count": 2, "amount": str(13 * CENT)}
    assert became["promised"] == NOTHING_BEFORE | {"count": 1, "amount": str(10 * CENT)}
    assert (became["in_jars"], became["taken_back"]["amount"]) == (str(5 * CENT), str(2 * CENT))
    (place,) = audit["assets"][0]["merchants"]["items"]
    assert (place["name"], place["net"], place["count"]) == ("Café <b>Dust</b>", str(3 * DOLLAR - 18 * CENT), 2)
    assert (audit["is_over"], audit["complete"]) == (False, True)

    answer = stage.client.get(f"{path}/csv", headers=anna.headers())
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["amount"] for row in rows if row["key"] == "spent"] == [str(3 * DOLLAR)]
    page = stage.client.get(f"{path}/page?language=ko", headers=anna.headers())
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Café &lt;b&gt;Dust&lt;/b&gt;" in page.text
    paper = stage.client.get(f"{path}/pdf?language=en", headers=anna.headers())
    assert paper.headers["content-type"] == "application/pdf"
    assert "2.82 TUSD" in PdfReader(BytesIO(paper.content)).pages[0].extract_text()

    _tells_by_the_command(stage, hers, month, tmp_path)
    _tells_of_a_folder(stage, hers, month, tmp_path, monkeypatch)
    _refuses(stage, anna, hers)


def _tells_of_a_folder(stage: Stage, payer: Payer, month: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a devnet that is up, whose folder says all that the settings would."""
    path = tmp_path / "of-folder.json"
    told = ("report", "--payer", payer.address, "--month", month, "--output", str(path), "--folder")
    code, output = run_here(*told, str(tmp_path / "nowhere"), environment={})
    assert (code, "there is no folder" in output, path.exists()) == (2, True, False), output
    monkeypatch.setattr(folder, "settings", lambda *_: stage.settings)
    with folder.held(tmp_path):
        code, output = run_here(*told, str(tmp_path), environment={})
    assert (code, json.loads(path.read_text())["month"]) == (0, month), output


def _tells_by_the_command(stage: Stage, payer: Payer, month: str, place: Path) -> None:
    """In both languages, whose text is read back."""
    told = ("--payer", payer.address, "--month", month)
    for language, words in (("en", ("Your small money in", "By merchant")), ("ko", ("소액 지출 보고서", "가맹점별"))):
        path = place / f"{language}.pdf"
        code, output = run_here(
            "report", *told, "--language", language, "--output", str(path), environment=stage.environment
        )
        assert (code, str(path) in output) == (0, True), output
        text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
        for word in (*words, "Café <b>Dust</b>", "3.00 TUSD", "2.82 TUSD", "0.13 TUSD", "0.05 TUSD"):
            assert word in text, (language, word)
    assert path.stat().st_mode & 0o777 == 0o600
    path = place / "month.json"
    code, output = run_here("report", *told, "--output", str(path), environment=stage.environment)
    assert (code, json.loads(path.read_text())["month"]) == (0, month), output
    for arguments, said in (
        (("--payer", "0x12", "--month", month), "must be 0x and 40 hexadecimal digits"),
        (("--payer", payer.address, "--month", "2026-13"), "month must be in 1..12"),
        ((*told, "--language", "fr"), "--language is one of en, ko"),
        ((*told, "--output", "month.doc"), "month.doc has to end with"),
        (("--payer", stage.hub.signer.address, "--month", month), "Nothing is gathered about this wallet."),
        ((*told, "--output", str(place / "none" / "a.pdf")), "No such file or directory"),
    ):
        code, output = run_here("report", *arguments, environment=stage.environment)
        assert (code, said in output, "Traceback" in output) == (2, True, False), output


def _refuses(stage: Stage, anna: Payer, hers: Payer) -> None:
    stranger = stage.stranger()
    path = "/v1/insights/months"
    for form in ("", "/csv", "/page", "/pdf"):
        answer = stage.client.get(f"{path}/2026-01{form}", headers=stranger.headers())
        assert_problem(answer, "no-insights", 404)
        assert stage.client.get(f"{path}/2026-01{form}").status_code == 401
        assert_problem(stage.client.get(f"{path}/2999-01{form}", headers=anna.headers()), "month-to-come", 409)
        assert_problem(stage.client.get(f"{path}/2026-13{form}", headers=anna.headers()), "invalid-request", 422)
    unlinked = stage.client.delete(f"/v1/insights/me/wallets/{hers.address}", headers=anna.headers())
    assert unlinked.status_code == 200
    read_all(stage, anna.headers())
    audit = stage.get(f"{path}/{stage.clock.now():%Y-%m}", **anna.headers())
    assert _moved(audit)[stage.hub.asset.id, "spent"] == (1, 2 * DOLLAR)
    assert audit["became"]["promised"] == NOTHING_BEFORE | {"count": 0, "amount": "0"}
