"""How the pages' scripts take what comes back from the hub, or does not."""

import pytest

from tests.support.modules import run_script

_ASKED = """
const { ask, Unanswered } = await import("/static/lib/hub.js");
const broken = () => new ReadableStream({ pull: (stream) => stream.error(new TypeError("terminated")) });
globalThis.fetch = async () => new Response(given.body ?? broken(), { status: given.status });
try {
  return { told: await ask("POST", "/v1/payments", { as: given.as }) };
} catch (error) {
  return { unanswered: error instanceof Unanswered, status: error.status ?? null };
}"""


@pytest.mark.parametrize(
    ("body", "as_"), [('{"id": "pay_', "json"), ("", "json"), (None, "json"), (None, "file")], ids=str
)
def test_an_answer_that_breaks_off_is_none(body: str | None, as_: str) -> None:
    """Whether it was done is not known: a payment with such an answer stays to be asked after."""
    told = run_script(_ASKED, {"body": body, "as": as_, "status": 201})
    assert told == {"unanswered": True, "status": None}


def test_a_whole_answer_is_told_and_a_refusal_is_one_without_its_body_too() -> None:
    assert run_script(_ASKED, {"body": '{"id": "pay_1"}', "as": "json", "status": 201}) == {"told": {"id": "pay_1"}}
    assert run_script(_ASKED, {"body": "{", "as": "json", "status": 409}) == {"unanswered": False, "status": 409}
