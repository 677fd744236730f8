"""What a person asks of insights is taken as it is meant, or told why not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from taesan.app import create_app
from tests.api.test_insights_budgets import Saver
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem

pytestmark = pytest.mark.database("sqlite", "postgresql")
ME = "/v1/insights/me"


@pytest.fixture
def anna(tmp_path: Path) -> Iterator[Saver]:
    """In Seoul, on the 3rd of November."""
    hub = offline_hub(tmp_path)
    with TestClient(create_app(hub)) as client:
        yield Saver(hub, client)
    hub.db.close()


def _get(anna: Saver, path: str) -> Any:
    answer = anna.client.get(f"/v1/insights/{path}", headers=anna.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_language_that_is_left_out_is_as_it_was_and_at_first_the_callers(anna: Saver) -> None:
    korean = anna.headers | {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}

    def puts(**terms: str) -> str:
        answer = anna.client.put(ME, json={"zone": "Asia/Seoul"} | terms, headers=korean)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["language"])

    assert anna.client.delete(ME, headers=anna.headers).status_code == 204
    assert puts() == "ko"
    assert puts(language="en") == "en"
    assert puts() == "en"


def test_a_first_day_is_told_though_nothing_can_be_forecast_of_it(anna: Saver) -> None:
    assert _get(anna, "forecast")["items"] == []
    anna.move(700)
    (told,) = _get(anna, "forecast")["items"]
    assert (told["spent"], told["due"]) == ("700", "0")
    assert (told["expected"], told["total"], told["low"], told["high"]) == (None, None, None, None)


@pytest.mark.parametrize(
    ("path", "status", "type_", "told"),
    [
        ("movements?from=2026-11-03&to=2026-11-03", 422, "no-days", "`to` is the day after the last"),
        ("sums?from=2026-11-03&to=2026-11-01", 422, "no-days", "later than 2026-11-03"),
        ("movements?merchnt=café&limit=1", 422, "unknown-parameter", "merchnt"),
        ("months/2026-11/csv?language=ko", 422, "unknown-parameter", "language"),
        ("movements/news?after=zzz", 422, "invalid-request", "send `cursor` of the answer before"),
        ("movements?cursor=zzz", 422, "invalid-request", "send `next_cursor` of the page before"),
        ("months/2026-13", 422, "invalid-request", "month: must be a month, such as 2026-11"),
        ("movements?merchant=%00", 422, "invalid-request", "merchant: has a character U+0000"),
        ("unusual?month=2031-01", 409, "month-to-come", "Today is 2026-11-03"),
    ],
)
def test_what_cannot_be_asked_is_told_so_in_words(anna: Saver, path: str, status: int, type_: str, told: str) -> None:
    answer = anna.client.get(f"/v1/insights/{path}", headers=anna.headers)
    assert told in assert_problem(answer, type_, status)["detail"]


def test_an_amount_that_is_too_large_is_told_so(anna: Saver) -> None:
    for amount in (str(2**63), "9" * 400):
        terms = {"scope": "all", "asset": "USD", "amount": amount}
        answer = anna.client.put("/v1/insights/budgets", json=terms, headers=anna.headers)
        assert f"must be at most {2**63 - 1}" in assert_problem(answer, "invalid-amount", 422)["detail"]


def test_days_are_asked_from_the_first_to_the_day_after_the_last(anna: Saver) -> None:
    anna.move(700)
    assert [line["day"] for line in _get(anna, "movements?from=2026-11-03&to=2026-11-04")["items"]] == ["2026-11-03"]
    assert _get(anna, "sums?to=2026-11-03")["items"] == []
    anna.move(500, name="Café GmbH")
    anna.move(500, "refunded", name="Café GmbH, refund")
    anna.move(100, merchant=anna.wallet)
    names = {line["key"]: line["name"] for line in _get(anna, "sums?by=merchant")["items"]}
    assert names == {"café": "Café GmbH", anna.wallet: anna.wallet}
