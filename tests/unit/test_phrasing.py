"""A language model may phrase advice; whatever it does, nothing is told that was not computed."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from taesan.insights import phrasing
from taesan.insights.phrasing import Phraser
from taesan.settings import Settings
from tests.support.chain import free_port
from tests.support.model import Model

OWN = ["FILM costs ₩9,900 now and was ₩7,900 before: ₩24,000 more a year.", "Round up to ₩500 at GS25."]
NAMES = {"FILM", "GS25"}


@pytest.fixture
def model() -> Iterator[Model]:
    found = Model()
    yield found
    found.close()


def _phraser(url: str, key: str | None = None) -> Phraser:
    return Phraser(Settings(advice_llm_url=url, advice_llm_model="small", advice_llm_key=key))  # type: ignore[arg-type]


def test_it_is_given_our_sentences_alone_and_what_it_makes_of_them_is_told(model: Model) -> None:
    said = ["FILM went up from ₩7,900 to ₩9,900,\n ₩24,000 more each year.", "At GS25, try rounding up to ₩500."]
    model.say = lambda _: said
    phraser = _phraser(model.url + "/", "s3cret")
    assert phraser.phrased(OWN, NAMES, "en") == [" ".join(text.split()) for text in said]
    (asked,) = model.asked
    assert asked["path"] == "/v1/chat/completions"
    assert (asked["model"], asked["temperature"]) == ("small", 0)
    assert [message["content"] for message in asked["messages"]] == [
        phrasing.TASK.format(language="English"),
        '["' + '", "'.join(OWN) + '"]',
    ]
    assert model.headers["authorization"] == "Bearer s3cret"


def test_a_model_that_invents_a_number_is_not_told_and_not_asked_again(model: Model) -> None:
    model.say = lambda _: ["FILM costs ₩9,900, that is ₩118,800 a year.", "Round up to ₩500 at GS25, it is easy."]
    phraser = _phraser(model.url)
    for _ in range(2):
        assert phraser.phrased(OWN, NAMES, "en") == [None, "Round up to ₩500 at GS25, it is easy."]
    assert len(model.asked) == 1
    assert "authorization" not in model.headers
    phraser.phrased([*OWN, "Another."], NAMES, "en")
    assert model.asked[1]["messages"][1]["content"] == '["Another."]'


@pytest.mark.parametrize(
    "told",
    [
        500,
        302,
        b"",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        "Here you are: nothing.",
        ["one alone"],
        [1, 2],
        {"0": "x", "1": "y"},
        ["x" * phrasing.MAX_ANSWER, "y"],
        b"[" * 60_000,
    ],
    ids=lambda told: str(told)[:20],
)
def test_an_answer_of_another_form_leaves_our_own_words(model: Model, told: Any) -> None:
    model.say = lambda _: told
    phraser = _phraser(model.url)
    for _ in range(2):
        assert phraser.phrased(OWN, NAMES, "en") == [None, None]
    assert len(model.asked) == 1, "an endpoint that fails is left alone for a while"


def test_an_answer_in_a_fence_is_read(model: Model) -> None:
    model.say = lambda _: '```json\n["Try ₩500 at GS25."]\n```'
    assert _phraser(model.url).phrased(OWN[1:], NAMES, "en") == ["Try ₩500 at GS25."]


def test_where_nobody_answers_or_nobody_is_named_our_own_words_stand() -> None:
    assert Settings().advice_llm_url is None
    assert Phraser(Settings()).phrased(OWN, NAMES, "en") == [None, None]
    phraser = _phraser(f"http://127.0.0.1:{free_port()}/v1")
    assert phraser.phrased(OWN, NAMES, "en") == [None, None]
    assert phraser._quiet_until > 0


def test_a_slow_model_is_given_up(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(phrasing, "WHOLE_S", 0.05)
    model.say = lambda sentences: sentences if given_up.wait(10) else 500
    assert _phraser(model.url).phrased(OWN, NAMES, "en") == [None, None]
    given_up.set()


@pytest.mark.parametrize(
    "settings",
    [
        {"advice_llm_url": "http://127.0.0.1:1/v1"},
        {"advice_llm_model": "small"},
        {"advice_llm_url": "file:///etc/passwd", "advice_llm_model": "small"},
    ],
)
def test_what_an_operator_names_is_whole(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**settings)


def test_neither_key_nor_url_is_shown() -> None:
    settings = Settings(advice_llm_url="http://u:pw@x/v1", advice_llm_model="m", advice_llm_key="s3cret")  # type: ignore[arg-type]
    assert "s3cret" not in repr(settings)
    assert "pw@x" not in repr(settings)
