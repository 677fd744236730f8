"""What a person asks of insights is taken as it is meant, or told why not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from taesan.app import create_app
from tests.api.test_insights_budgets import Saver
from tests.support.offline import offline_hub

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
