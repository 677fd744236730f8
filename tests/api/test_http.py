"""What every answer has in common, and the documents that describe the API."""

import re
from typing import Any

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage


@pytest.fixture(scope="module")
def anna(shared_stage: Stage) -> Payer:
    anna = shared_stage.payer()
    anna.pay(DOLLAR)
    shared_stage.settle()
    return anna


def test_clients_learn_what_they_have_to_sign_for(shared_stage: Stage) -> None:
    facts, chain = shared_stage.facts, shared_stage.chain
    deployment = chain.deployment
    assert facts["network"] == "eip155:31337"
    assert facts["asset"] == f"eip155:31337/erc20:{deployment.asset}"
    assert (facts["asset_symbol"], facts["asset_exponent"]) == ("TUSD", 6)
    assert facts["voucher_domain"]["verifyingContract"] == deployment.channels
    assert (facts["settlement"], facts["collector"]) == (deployment.settlement, deployment.collector)
    for role in ("asset", "gift"):
        domain = facts[f"{role}_domain"]
        on_chain = chain.read("asset" if role == "asset" else "gift_token", "eip712Domain")
        assert [domain[k] for k in ("name", "version", "chainId", "verifyingContract")] == on_chain[1:5]


@pytest.mark.parametrize(
    ("path", "type_", "status"),
    [
        ("/v1/nothing", "not-found", 404),
        ("/v1/payments/pay_none", "not-found", 404),
        ("/v1/payments/pay_none/proof", "not-found", 404),
        ("/v1/batches/99", "not-found", 404),
        ("/v1/batches/0", "not-found", 404),
        ("/v1/batches/-1", "not-found", 404),
        (f"/v1/batches/{2**63}", "not-found", 404),
        (f"/v1/batches/{10**50}", "not-found", 404),
        ("/v1/batches/x", "invalid-request", 422),
        (f"/batches/{10**50}", "not-found", 404),
        ("/v1/entitlements/0x0000000000000000000000000000000000000001", "not-found", 404),
        ("/v1/entitlements/anna", "invalid-address", 422),
        pytest.param(
            "/v1/merchants/%00", "not-found", 404, marks=pytest.mark.database("sqlite", "postgresql"), id="U+0000"
        ),
        ("/v1/payments/" + "x" * 5_000, "not-found", 404),
        ("/static/../../settings.py", "not-found", 404),
    ],
)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_not_there_is_told_as_a_problem(
    shared_stage: Stage, path: str, type_: str, status: int, language: str
) -> None:
    answer = shared_stage.client.get(path, headers={"Accept-Language": language})
    body = assert_problem(answer, type_, status)
    assert len(body.get("detail", "")) < 300
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_method_that_is_not_offered_is_told_as_a_problem(shared_stage: Stage, method: str) -> None:
    answer = shared_stage.client.request(method, "/v1/payments", headers={"Accept-Language": "ko"})
    assert_problem(answer, "method-not-allowed", 405)
    assert "POST" in answer.headers["allow"]


def test_a_fault_of_ours_is_told_without_its_inside(shared_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from taesan.payments import queries

    def broken(*_: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(queries, "find", broken)
    answer = shared_stage.client.get("/v1/payments/pay_1", headers={"Accept-Language": "ko"})
    assert_problem(answer, "internal-error", 500)
    assert "secret" not in answer.text


def test_amounts_are_strings_and_times_are_utc_everywhere(shared_stage: Stage, anna: Payer) -> None:
    payment = anna.pay(CENT)
    answers = [
        shared_stage.get("/v1/overview"),
        shared_stage.get("/v1/hub"),
        shared_stage.get("/v1/batches/1"),
        shared_stage.get(f"/v1/payments/{payment['id']}"),
        shared_stage.get(f"/v1/entitlements/{anna.address}"),
        anna.channel(),
        anna.jar(),
        payment,
    ]
    money = re.compile("amount|value|available|gathered|charged|claimed|credited|entitled|cumulative|deposited|minted")
    counts = ("payments", "trigger_count")

    def look(value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                look(inner, key)
        elif isinstance(value, list):
            for inner in value:
                look(inner, name)
        else:
            assert not isinstance(value, float), name
            if money.search(name) and name not in counts and value is not None:
                assert isinstance(value, str), name
            if name.endswith("_at") and value is not None:
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), name

    for answer in answers:
        look(answer)


# ------------------------------------------------------------------- the document


@pytest.fixture(scope="module")
def document(shared_stage: Stage) -> Any:
    return shared_stage.get("/openapi.json")


def _operations(document: Any) -> list[tuple[str, Any]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_each_operation_has_a_name_a_tag_and_a_summary(document: Any) -> None:
    operations = _operations(document)
    assert len(operations) >= 15
    ids = [operation["operationId"] for _, operation in operations]
    assert len(ids) == len(set(ids))
    assert not [name for name, o in operations if not o.get("tags") or not o.get("description")]
    known = {tag["name"] for tag in document["tags"]}
    assert {tag for _, o in operations for tag in o["tags"]} <= known


def test_errors_are_described_as_problems(document: Any) -> None:
    others = [
        (name, status)
        for name, operation in _operations(document)
        for status, answer in operation["responses"].items()
        if status.startswith(("4", "5")) and list(answer["content"]) != ["application/problem+json"]
    ]
    assert not others


def test_money_posts_ask_for_an_idempotency_key(document: Any) -> None:
    for path in ("/v1/payments", "/v1/channels", "/v1/redemptions", "/v1/payouts"):
        parameters = document["paths"][path]["post"]["parameters"]
        assert [p["required"] for p in parameters if p["name"] == "Idempotency-Key"] == [True], path


def test_the_documents_own_example_is_a_well_formed_payment(document: Any) -> None:
    from taesan.payments.models import PaymentCreate

    for example in document["components"]["schemas"]["PaymentCreate"]["examples"]:
        PaymentCreate.model_validate(example)


def test_amounts_are_described_as_strings(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Money"]["properties"]["value"]["type"] == "string"
    assert schemas["BatchPublic"]["properties"]["claimed"]["type"] == "string"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/gifts/gift_nope", "선물을 보낸 분에게"),
        ("/pay/inv_nope", "청구서"),
        ("/batches/99999", "정산 묶음"),
        ("/batches/x", "정산 묶음"),
        ("/nope", "페이지"),
    ],
)
def test_people_who_follow_a_link_that_leads_nowhere_are_shown_a_page(
    shared_stage: Stage, path: str, said: str
) -> None:
    asked = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "ko"}
    answer = shared_stage.client.get(path, headers=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert said in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-language"] == "ko"
    programs = shared_stage.client.get(path, headers={"Accept": "*/*"})
    assert programs.headers["content-type"] == "application/problem+json"
    api = shared_stage.client.get("/v1" + path, headers=asked)
    assert api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/wallet", "/nope"])
def test_a_page_is_packed_for_who_can_unpack_it(shared_stage: Stage, path: str) -> None:
    plain, packed = (
        shared_stage.client.get(path, headers={"Accept": "text/html", "Accept-Encoding": coding})
        for coding in ("identity", "gzip")
    )
    assert packed.text == plain.text
    assert ("content-encoding" in plain.headers, packed.headers["content-encoding"]) == (False, "gzip")
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["vary"]


def test_a_body_that_is_no_json_is_told_so(shared_stage: Stage) -> None:
    answer = shared_stage.client.post(
        "/v1/auth/sessions", content='{"a": ', headers={"content-type": "application/json"}
    )
    assert_problem(answer, "invalid-request", 422)
    assert answer.json()["detail"].startswith("Its body is no JSON, from character ")
    assert "errors" not in answer.json()
