"""Statements of banks and card companies: previewed, imported, known again, removed; and purchases that two sources tell."""

import json
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from taesan.insights import doubles, importing, imports
from tests.support.bank_files import SAMPLES, sample
from tests.support.insights import link_wallet, look_for_standing_costs, number_of, pays, read_all
from tests.support.problems import assert_problem
from tests.support.stage import DOLLAR, Payer, Stage
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
KR_CARD, KR_ACCOUNT, US = sample("kr_card_cp949.csv"), sample("kr_account_cp949.csv"), sample("us_card.csv")
TABLES = ("movement", "statement_import", "statement_line", "statement_mapping", "duplicate_verdict")


class Person:
    def __init__(self, stage: Stage, headers: Json) -> None:
        self.stage, self.headers = stage, headers
        terms = {"zone": "Asia/Seoul", "language": "ko"}
        assert stage.client.put("/v1/insights/me", json=terms, headers=headers).status_code == 200

    def preview(self, file: bytes, **told: str) -> Any:
        answer = self._post("imports/preview", file, told)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def try_to_import(self, file: bytes, language: str = "en", **told: str) -> httpx.Response:
        return self._post("imports", file, told, language)

    def bring(self, file: bytes, **told: str) -> Any:
        """Confirms what is guessed of its columns, if that has not been done, and imports it."""
        answer = self.try_to_import(file, **told)
        if answer.status_code == 409:
            problem = assert_problem(answer, "mapping-unconfirmed", 409)
            assert self.confirm_columns(problem["fingerprint"], problem["mapping"]).status_code == 200
            answer = self.try_to_import(file, **told)
        assert answer.status_code == 201, answer.text
        return answer.json() | {"replayed": "idempotent-replayed" in answer.headers}

    def confirm_columns(self, fingerprint: str, mapping: Json) -> httpx.Response:
        path = f"/v1/insights/statement-mappings/{fingerprint}"
        answer: httpx.Response = self.stage.client.put(path, json=mapping, headers=self.headers)
        return answer

    def remove(self, made: Json) -> httpx.Response:
        path = f"/v1/insights/imports/{made['id']}"
        answer: httpx.Response = self.stage.client.delete(path, headers=self.headers)
        return answer

    def get(self, path: str) -> Any:
        return self.stage.get(f"/v1/insights/{path}", **self.headers)

    def say(self, what: str, duplicate: Json) -> Any:
        path = f"/v1/insights/duplicates/{duplicate['movement']['id']}/{what}"
        answer = self.stage.client.post(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put_in_or_out(self, what: str, movement: Json) -> Any:
        answer = self.stage.client.post(f"/v1/insights/movements/{movement['id']}/{what}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def movements(self, source: str = "statement") -> list[Json]:
        items: list[Json] = self.get(f"movements?limit=500&source={source}")["items"]
        return items

    def standing(self) -> list[str]:
        """The merchants of standing costs, as soon as the worker has looked."""
        look_for_standing_costs(self.stage)
        return [cost["merchant"] for cost in self.get("recurring")["items"]]

    def spent(self, asset: str) -> int:
        """In 2026, in all sums."""
        sums = self.get("sums?by=month&from=2026-01-01&to=2027-01-01")["items"]
        return sum(int(s["amount"]) for s in sums if (s["kind"], s["asset"]) == ("spent", asset))

    def _post(self, path: str, file: bytes, told: Json, language: str = "en") -> httpx.Response:
        headers = self.headers | {"accept-language": language}
        path = f"/v1/insights/{path}"
        answer: httpx.Response = self.stage.client.post(path, content=file, params=told, headers=headers)
        return answer


@pytest.fixture
def person(shared_stage: Stage) -> Person:
    return Person(shared_stage, shared_stage.session_of(Wallet()))


def kept(stage: Stage) -> Json:
    counts = stage.row_counts()
    return {table: counts[table] for table in TABLES}


# ------------------------------------------------------------------- importing


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_imported_and_imported_again_without_a_duplicate(person: Person, name: str) -> None:
    file = sample(name)
    first = person.bring(file, name=name)
    assert (first["replayed"], first["added"], first["name"]) == (False, first["lines"], name)
    movements = person.movements()
    assert len(movements) == first["lines"] > 3
    assert [m["day"] for m in movements] == sorted((m["day"] for m in movements), reverse=True)
    before = kept(person.stage)
    assert person.bring(file, name="again") == first | {"replayed": True}
    # The same lines in a file of other bytes.
    other = person.bring(file.replace(b"STREAMLY", b"Streamly").replace(b"<OFX>", b"\n<OFX>") + b"\n")
    assert (other["added"], other["lines"]) == (0, first["lines"])
    assert person.movements() == movements
    assert kept(person.stage) == before | {
        "statement_import": before["statement_import"] + 1,
        "statement_line": before["statement_line"] + first["lines"],
    }


def test_korean_figures_are_exact(person: Person) -> None:
    person.bring(KR_CARD)
    person.bring(KR_ACCOUNT)
    assert {m["asset"] for m in person.movements()} == {"KRW"}
    card = 18_900 + 21_000 + 10_900 + 4_500
    assert person.spent("KRW") == card + 1_800 + 3 * 4_500 + 10_900
    (first,) = [m for m in person.movements() if m["name"] == "지에스25 서초점"]
    assert (first["at"], first["day"], first["amount"]) == ("2026-10-31T12:14:05.000Z", "2026-10-31", "1800")


def test_a_banks_own_categories_are_kept(person: Person) -> None:
    person.bring(US)
    sums = person.get("sums?by=category&from=2026-10-01&to=2026-11-01")["items"]
    spent = {s["key"]: int(s["amount"]) for s in sums if s["kind"] == "spent"}
    assert spent == {"Shopping": 499 + 1_200 + 100, "Food & Drink": 525}


def test_overlapping_files_add_what_is_new(person: Person) -> None:
    lines = KR_ACCOUNT.splitlines(keepends=True)
    early, late = b"".join([*lines[:5], *lines[9:12]]), b"".join(lines[:11])
    assert person.bring(early)["added"] == 3
    assert person.bring(late)["added"] == 2
    assert person.bring(KR_ACCOUNT)["added"] == 0
    assert len(person.movements()) == 5


OF_SAMPLES = {
    "card_ofx2.ofx": (b"-11.99", b"-1l.99", 27, "no-amount", "“-1l.99” is no amount in EUR."),
    "eu_account.csv": (b'"-9,99"', b'"-9,999"', 7, "no-amount", "“-9,999” is no amount in EUR."),
    "kr_account_cp949.csv": (b'"10,900"', b'"10,90"', 12, "no-amount", "“10,90” is no amount in KRW."),
    "kr_card_cp949.csv": (b"2026-10-15", b"2026-10-35", 8, "no-date", "“2026-10-35” is no date."),
    "us_card.csv": (b"-5.25", b"-5.255", 3, "no-amount", "“-5.255” is no amount in USD."),
    "us_checking_ofx1.ofx": (b"-15.99", b"-15..99", 69, "no-amount", "“-15..99” is no amount in USD."),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_that_is_broken_is_not_imported_in_part(person: Person, name: str) -> None:
    whole = sample(name)
    made = person.bring(whole)  # with which its columns are known
    assert person.remove(made).status_code == 204
    before = person.stage.row_counts()
    good, bad, line, code, title = OF_SAMPLES[name]
    problem = assert_problem(person.try_to_import(whole.replace(good, bad, 1)), "statement-unreadable", 422)
    (error,) = problem["errors"]
    assert (error["line"], error["reason"]["code"], error["reason"]["title"]) == (line, code, title)
    assert person.stage.row_counts() == before
    assert person.movements() == []
    # The line above and the line below would have been fine.
    assert person.bring(whole)["added"] == made["added"]


def test_an_import_that_dies_half_way_leaves_nothing_behind(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = person.try_to_import(US).json()
    assert person.confirm_columns(problem["fingerprint"], problem["mapping"]).status_code == 200
    before = person.stage.row_counts()

    def dies(*_: object) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(doubles, "mark", dies)  # the last thing that an import does
        assert_problem(person.try_to_import(US), "internal-error", 500)
    assert person.stage.row_counts() == before
    assert person.try_to_import(US).json()["added"] == 5


BROKEN = {
    "no-amount": (KR_CARD.replace(b"10,900", b"10,9O0"), 8, "“10,9O0” is no amount in KRW.", "“10,9O0”"),
    "cut-off": (US[:125], 2, "The line ends too early.", "줄이 중간에"),
    "declaration": (
        sample("card_ofx2.ofx").replace(b"<OFX>", b'<!DOCTYPE x [<!ENTITY a "b">]>\n<OFX>'),
        4,
        "Declarations are not read: <!DOCTYPE.",
        "선언",
    ),
    "zero-byte": (US.replace(b"PAPERLY", b"PAP\0RLY"), 2, "A zero byte stands in the text.", "0바이트"),
    "field-too-long": (US.replace(b"TINY", b"T" * 2_000), 5, "A field has more than 1000 characters.", "1000자"),
    "not-in-encoding": (
        US.replace(b"TINY", b"\x81\xff"),
        5,
        "The text is not in the encoding utf-8; save the file as UTF-8 and send it again.",
        "utf-8",
    ),
    "is-zip": (b"PK\x03\x04rest", 1, "The file is a ZIP or an Excel file; save it as CSV first.", "엑셀"),
    "empty": (b"", 1, "The file is empty.", "비어"),
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_file_gives_the_line_and_the_reason_and_imports_nothing(person: Person, code: str) -> None:
    file, line, title, korean = BROKEN[code]
    for good in (KR_CARD, US):  # the columns are known, as the bank's file before was whole
        problem = person.try_to_import(good).json()
        assert person.confirm_columns(problem["fingerprint"], problem["mapping"]).status_code == 200
    before = kept(person.stage)
    problem = assert_problem(person.try_to_import(file), "statement-unreadable", 422)
    error = problem["errors"][0]
    assert (error["line"], error["reason"]["code"], error["reason"]["title"]) == (line, code, title)
    assert problem["detail"] == f"Line {line}: {title}"
    told = assert_problem(person.try_to_import(file, "ko"), "statement-unreadable", 422)
    (reason, reason_told) = (found["errors"][0]["reason"] for found in (problem, told))
    assert korean in reason_told["title"]
    assert reason_told | {"title": title} == reason
    assert str(line) in told["detail"]
    assert kept(person.stage) == before
    assert person.movements() == []


def test_all_faults_of_a_file_are_told_at_once(person: Person) -> None:
    person.bring(KR_CARD)
    file = KR_CARD.replace(b"2026-10-28", b"2026-10-38")
    problem = assert_problem(person.try_to_import(file), "statement-unreadable", 422)
    assert [error["line"] for error in problem["errors"]] == [6, 7]


def test_a_formula_is_a_name_and_nothing_else(person: Person) -> None:
    person.bring(US)
    assert person.movements()[-1]["name"] == '=HYPERLINK("http://evil.example","x")'


# ------------------------------------------------------------------- columns


def test_a_preview_changes_nothing_and_tells_what_would(person: Person) -> None:
    before = person.stage.row_counts()
    shown = person.preview(KR_CARD)
    assert (shown["format"], shown["confirmed"], shown["lines"], shown["added"]) == ("csv", False, 6, 6)
    assert shown["mapping"]["amount"] == "이용금액(원)"
    assert shown["first_lines"][2] | {"merchant": ""} == {
        "line": 7,
        "day": "2026-10-28",
        "kind": "refunded",
        "name": "배달의숲",
        "merchant": "",
        "category": "",
        "asset": "KRW",
        "exponent": 0,
        "amount": "21000",
        "known": False,
        "duplicate_of": None,
    }
    note = {"code": "note", "title": "A note or a sum.", "values": {}}
    assert shown["skipped"] == [{"line": line, "reason": note} for line in (11, 12)]
    assert (shown["skipped_count"], shown["faults"]) == (2, [])
    assert person.stage.row_counts() == before
    person.bring(KR_CARD)
    again = person.preview(KR_CARD)
    assert (again["confirmed"], again["added"], {line["known"] for line in again["first_lines"]}) == (True, 0, {True})


def test_a_wrong_guess_is_put_right_and_remembered(person: Person) -> None:
    """Month or day first: nobody can tell by these."""
    file = b"Date,Description,Amount\n03/04/2026,Shop,1.00\n"
    shown = person.preview(file)
    assert shown["first_lines"][0]["day"] == "2026-03-04"
    (question,) = shown["questions"]
    assert question["values"] == {"value": "03/04/2026", "first": "2026-03-04", "second": "2026-04-03"}
    right = shown["mapping"] | {"date_order": "dmy", "currency": "GBP"}
    assert person.confirm_columns(shown["fingerprint"], right).status_code == 200
    assert person.try_to_import(file).status_code == 201
    assert [(m["day"], m["asset"]) for m in person.movements()] == [("2026-04-03", "GBP")]
    later = b"Date,Description,Amount\n05/04/2026,Shop,2.00\n"
    assert person.preview(later)["questions"] == []
    assert person.try_to_import(later).json()["added"] == 1
    assert [m["mapping"] for m in person.get("statement-mappings")] == [right]


def test_unknown_columns_are_named_by_the_person(person: Person) -> None:
    file = "Kuupäev;Saaja;Summa\n2026-10-02;Pood;-1,00\n".encode()
    problem = assert_problem(person.try_to_import(file), "mapping-unconfirmed", 409)
    assert (problem["headings"], problem["mapping"]) == (["Kuupäev", "Saaja", "Summa"], None)
    shown = person.preview(file)
    assert shown["draft"] == problem["draft"]
    assert (shown["draft"]["date"], shown["draft"]["decimal"]) == (None, ",")
    assert [question["code"] for question in shown["questions"]] == [
        "no-date-column",
        "no-name-column",
        "no-amount-column",
    ]
    told: Json = {
        "date": "Kuupäev",
        "date_order": "ymd",
        "amount": "Summa",
        "spending": "negative",
        "incoming": "skipped",
    }
    more = {"decimal": ",", "currency": "EUR", "names": ["Saaja"]}
    assert person.confirm_columns(problem["fingerprint"], told | more).status_code == 200
    assert person.try_to_import(file).json()["added"] == 1


def test_a_mapping_of_columns_that_the_file_has_not_is_refused_at_once_if_its_headings_are_told(
    person: Person,
) -> None:
    shown = person.preview(b"Date,Description,Amount,,\n2026-10-02,Shop,1.00,,\n")
    told = shown["mapping"] | {"headings": shown["headings"]}
    problem = assert_problem(
        person.confirm_columns(shown["fingerprint"], told | {"names": ["Merchant"]}), "invalid-request", 422
    )
    assert "the file has no column Merchant" in str(problem["errors"])
    other = told | {"headings": [*shown["headings"], "Balance"]}
    assert_problem(person.confirm_columns(shown["fingerprint"], other), "other-headings", 422)
    assert person.get("statement-mappings") == []
    kept_as = person.confirm_columns(shown["fingerprint"], told).json()["mapping"]
    assert kept_as == shown["mapping"]


def test_a_preview_tells_what_cannot_be_read_by_a_mapping(person: Person) -> None:
    file = b"Date,Description,Amount\n2026-10-02,Shop,1.00\n2026-10-02,Shop,one\n"
    shown = person.preview(file)
    assert (shown["lines"], [fault["line"] for fault in shown["faults"]]) == (0, [3])
    assert shown["faults"][0]["reason"]["values"] == {"value": "one", "currency": "USD"}


def test_a_mapping_that_files_were_imported_by_stays(person: Person) -> None:
    """Read another way, the same lines would come a second time."""
    made = person.bring(US)
    (known,) = person.get("statement-mappings")
    path = f"/v1/insights/statement-mappings/{known['fingerprint']}"
    assert person.confirm_columns(known["fingerprint"], known["mapping"]).status_code == 200
    changed = person.confirm_columns(known["fingerprint"], known["mapping"] | {"names": ["Category"]})
    problem = assert_problem(changed, "mapping-in-use", 409)
    assert [used["id"] for used in problem["imports"]] == [made["id"]]
    assert_problem(person.stage.client.delete(path, headers=person.headers), "mapping-in-use", 409)
    assert person.remove(made).status_code == 204
    changed = person.confirm_columns(known["fingerprint"], known["mapping"] | {"names": ["Category"]})
    assert changed.status_code == 200
    assert person.stage.client.delete(path, headers=person.headers).status_code == 204
    assert_problem(person.stage.client.delete(path, headers=person.headers), "not-found", 404)
    assert person.get("statement-mappings") == []


def test_a_mapping_that_files_were_imported_by_is_put_right_without_a_wrong_sum(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its imports go with it, as their lines were read another way; other mappings' stay."""
    person.bring(KR_CARD)
    files = [b"Date,Description,Amount\n0%d/04/2026,Shop,%d.00\n" % (day, day) for day in (3, 5)]
    for file in files:
        person.bring(file)
    known = next(m for m in person.get("statement-mappings") if m["mapping"]["currency"] == "USD")
    right = known["mapping"] | {"date_order": "dmy"}
    path = f"{known['fingerprint']}?remove_imports=true"
    with monkeypatch.context() as patched:
        patched.setattr(imports, "MAX_LINES", 1)
        problem = assert_problem(person.confirm_columns(path, right), "mapping-in-use", 409)
        assert len(problem["imports"]) == len(files)
    assert person.confirm_columns(path, known["mapping"]).status_code == 200  # as it was: nothing goes
    assert person.spent("USD") == 800
    assert person.confirm_columns(path, right).status_code == 200
    assert person.spent("USD") == 0
    assert len(person.get("imports")["items"]) == 1
    for file in files:
        assert person.try_to_import(file).json()["added"] == 1
    assert sorted(m["day"] for m in person.movements() if m["asset"] == "USD") == ["2026-04-03", "2026-04-05"]


# ------------------------------------------------------------------- removing


def test_an_import_is_listed_and_removed_as_a_whole(person: Person) -> None:
    lines = US.splitlines(keepends=True)
    half = person.bring(b"".join(lines[:4]), name="October")
    whole = person.bring(US)
    assert [m["id"] for m in person.get("imports")["items"]] == [whole["id"], half["id"]]
    assert person.get(f"imports/{half['id']}") | {"replayed": False} == half
    assert (half["first_day"], half["last_day"], half["skipped"]) == ("2026-10-27", "2026-10-30", 1)
    # What stands in both stays until both are gone.
    assert person.remove(half).status_code == 204
    assert len(person.movements()) == 5
    assert person.remove(whole).status_code == 204
    assert person.movements() == []
    assert person.get("imports")["items"] == []
    assert_problem(person.remove(whole), "not-found", 404)
    assert person.bring(US)["added"] == 5


def test_what_is_imported_is_the_persons_alone(person: Person) -> None:
    made = person.bring(US)
    other = Person(person.stage, person.stage.session_of(Wallet()))
    assert other.movements() == other.get("imports")["items"] == other.get("statement-mappings") == []
    assert_problem(other.remove(made), "not-found", 404)
    assert_problem(other.try_to_import(US), "mapping-unconfirmed", 409)
    assert other.bring(US)["added"] == 5
    nobody = person.stage.session_of(Wallet())
    answer = person.stage.client.post("/v1/insights/imports", content=US, headers=nobody)
    assert_problem(answer, "no-insights", 404)
    assert person.stage.client.post("/v1/insights/imports", content=US).status_code == 401


def test_all_of_it_is_exported_and_erased(person: Person) -> None:
    person.bring(KR_CARD, name="내 카드")
    answer = person.stage.client.get("/v1/insights/me/export", headers=person.headers)
    tables = [json.loads(line)["table"] for line in answer.text.splitlines()]
    assert tables.count("statement_line") == tables.count("movement") == 6
    assert {"statement_import", "statement_mapping"} <= {*tables}
    owners = "SELECT count(*) FROM {} WHERE owner = (SELECT max(id) FROM person)"
    counts = [owners.format(table) for table in TABLES]
    (owner,) = person.stage.rows("SELECT max(id) FROM person")[0]
    assert person.stage.rows(counts[0]) == [(6,)]
    assert person.stage.client.delete("/v1/insights/me", headers=person.headers).status_code == 204
    person.stage.tick(10)
    for table in TABLES:
        assert person.stage.rows(f"SELECT count(*) FROM {table} WHERE owner = {owner}") == [(0,)], table


# ------------------------------------------------------------------- duplicates

LINE = "Date,Description,Amount\n{},SQ *BLUE BOTTLE 0042,11.77\n"


def buy(anna: Payer) -> None:
    """Elsewhere, with a card; the hub rounds up."""
    elsewhere = {"asset": "USD", "exponent": 2, "merchant_id": "Blue Bottle", "value": "1177"}
    anna.pay(230_000, purchase=elsewhere)
    anna.stage.tick(2)


@pytest.fixture(scope="module")
def anna(shared_stage: Stage) -> Payer:
    while shared_stage.worker.tick():
        pass  # there is something to read of each person before
    payer = shared_stage.payer(3 * DOLLAR)
    payer.set_rule(round_up_step=str(DOLLAR))
    return payer


def a_person_who_pays(anna: Payer) -> Person:
    """With no statement of before."""
    anna.stage.client.delete("/v1/insights/me", headers=anna.headers())
    anna.stage.tick(3)
    person = Person(anna.stage, anna.headers())
    while not person.get("me")["complete"]:
        anna.stage.tick()
    return person


def test_whichever_comes_first_a_purchase_counts_once(shared_stage: Stage, anna: Payer) -> None:
    person = a_person_who_pays(anna)
    known = person.spent("USD")
    file = LINE.format(f"{shared_stage.clock.now():%Y-%m-%d}").encode()
    # The statement first.
    made = person.bring(file)
    assert person.spent("USD") == known + 1177
    buy(anna)
    assert person.spent("USD") == known + 1177
    (found,) = person.get("duplicates")["items"]
    assert (found["movement"]["source"], found["original"]["source"], found["verdict"]) == (
        "statement",
        "hub",
        "suspected",
    )
    # The hub first.
    assert person.remove(made).status_code == 204
    assert person.get("duplicates")["items"] == []
    shown = person.preview(file)
    assert shown["duplicates"] == 1
    assert shown["first_lines"][0]["duplicate_of"] == found["original"]["id"]
    person.bring(file)
    assert person.spent("USD") == known + 1177
    (again,) = person.get("duplicates")["items"]
    assert again["original"] == found["original"]


def test_what_the_person_says_sticks(shared_stage: Stage, anna: Payer) -> None:
    person = a_person_who_pays(anna)
    before = person.spent("USD")
    buy(anna)
    file = LINE.format(f"{shared_stage.clock.now():%Y-%m-%d}").encode()
    for _ in range(2):  # the second time the file is imported anew
        made = person.bring(file)
        if found := person.get("duplicates")["items"]:
            assert person.say("dismiss", found[0])["verdict"] == "dismissed"
            original = found[0]["original"]["id"]
        assert person.spent("USD") == before + 2 * 1177
        shared_stage.tick()
        assert person.get("duplicates")["items"] == []
        assert person.remove(made).status_code == 204
    person.bring(file)
    (line,) = person.movements()
    path = f"/v1/insights/duplicates/{original}/confirm"  # which is not what is left out
    assert_problem(shared_stage.client.post(path, headers=person.headers), "no-duplicate", 409)
    confirmed = person.say("confirm", {"movement": line})  # which takes it back
    assert (confirmed["verdict"], confirmed["movement"]["duplicate_of"]) == ("confirmed", confirmed["original"]["id"])
    assert person.spent("USD") == before + 1177
    assert person.say("confirm", confirmed) == confirmed
    (listed,) = person.get("duplicates")["items"]
    assert listed == confirmed


def test_looking_again_changes_nothing(shared_stage: Stage, anna: Payer) -> None:
    """One purchase has one line, however often the worker meets it."""
    person = a_person_who_pays(anna)
    buy(anna)
    count = len([m for m in person.movements("hub") if (m["kind"], m["asset"]) == ("spent", "USD")])
    line = LINE.format(f"{shared_stage.clock.now():%Y-%m-%d}").encode()
    person.bring(line + (count + 1) * line.partition(b"\n")[2])  # two more than there were purchases
    before = person.movements()
    assert len([m for m in before if m["duplicate_of"]]) == count
    shared_stage.write("UPDATE duplicate_cursor SET movement_id = 0")
    shared_stage.tick(2)
    assert person.movements() == before


def test_two_accounts_that_show_one_purchase(person: Person) -> None:
    """A debit card's company and its bank. If one's file goes, the other's line counts again."""
    card = person.bring(LINE.format("2026-10-02").encode())
    bank = "Date,Payee,Debit,Credit,Balance\n2026-10-03,BLUE BOTTLE COFFEE,11.77,,5.00\n"
    person.bring(bank.encode())
    assert person.spent("USD") == 1177
    assert len(person.movements()) == 2
    (found,) = person.get("duplicates")["items"]
    assert found["movement"]["name"] == "BLUE BOTTLE COFFEE"
    assert person.remove(card).status_code == 204
    assert person.get("duplicates")["items"] == []
    assert person.spent("USD") == 1177


def test_what_stands_by_a_file_goes_with_it_and_what_was_its_duplicate_stands_instead(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubles, "CHUNK", 3)
    days = [date(2026, 8, 4) + timedelta(days=7 * n) for n in range(8)]
    card = person.bring(("Date,Description,Amount\n" + "".join(f"{d},SQ *BLUE BOTTLE,11.77\n" for d in days)).encode())
    bank = ("Date,Payee,Debit,Credit\n" + "".join(f"{d},BLUE BOTTLE COFFEE,11.77,\n" for d in days)).encode()
    made = person.bring(bank)
    assert person.standing() == ["blue bottle"]
    assert person.remove(card).status_code == 204
    assert person.standing() == ["blue bottle coffee"]
    assert person.remove(made).status_code == 204
    assert person.standing() == []


def test_two_accounts_still_show_one_purchase_when_the_wallet_that_paid_goes(shared_stage: Stage) -> None:
    stage, first, paying = shared_stage, Wallet(), Wallet()
    person = Person(stage, stage.session_of(first))
    assert link_wallet(stage, person.headers, paying).status_code == 200
    told = {"source": "hub", "wallet": paying.address, "asset": "USD", "exponent": 2}
    owner = number_of(stage, first.address)
    pays(stage, owner, "blue bottle", [(date(2026, 10, 2), 1177)], **told)
    person.bring(LINE.format("2026-10-02").encode())
    person.bring(b"Date,Payee,Debit,Credit,Balance\n2026-10-03,BLUE BOTTLE COFFEE,11.77,,5.00\n")
    assert {found["original"]["source"] for found in person.get("duplicates")["items"]} == {"hub"}
    assert person.spent("USD") == 1177
    said = "SELECT count(*) FROM duplicate_verdict WHERE owner = :owner"
    person.say("confirm", person.get("duplicates")["items"][0])
    assert stage.rows(said, owner=owner) == [(1,)]
    gone = stage.client.delete(f"/v1/insights/me/wallets/{paying.address}", headers=person.headers)
    assert gone.status_code == 200
    read_all(stage, person.headers)
    (found,) = person.get("duplicates")["items"]
    assert found["original"]["source"] == "statement"
    assert person.spent("USD") == 1177
    assert stage.rows(said, owner=owner) == [(0,)]


def test_a_line_that_the_person_leaves_out_is_in_no_sum_until_it_is_taken_back(person: Person) -> None:
    made = person.bring(US)
    whole = person.spent("USD")
    line = next(m for m in person.movements() if m["amount"] == "525")
    for _ in range(2):  # the second time it is as it is
        left_out = person.put_in_or_out("exclude", line)
        assert (left_out["excluded"], left_out["duplicate_of"]) == (True, None)
        assert person.spent("USD") == whole - 525
    assert person.get("duplicates")["items"] == []
    path = f"/v1/insights/duplicates/{line['id']}/confirm"
    assert_problem(person.stage.client.post(path, headers=person.headers), "no-duplicate", 409)
    # Also when the file is imported again.
    assert person.remove(made).status_code == 204
    person.bring(US)
    assert person.spent("USD") == whole - 525
    (again,) = [m for m in person.movements() if m["excluded"]]
    assert again["key"] == line["key"]
    for _ in range(2):
        assert person.put_in_or_out("include", again)["excluded"] is False
        assert person.spent("USD") == whole
    assert person.remove(person.get("imports")["items"][0]).status_code == 204
    person.bring(US)
    assert person.spent("USD") == whole


def test_a_line_that_is_taken_back_is_compared_with_other_sources(person: Person) -> None:
    card = person.bring(LINE.format("2026-10-02").encode())
    bank = b"Date,Payee,Debit,Credit,Balance\n2026-10-03,BLUE BOTTLE COFFEE,11.77,,5.00\n"
    person.bring(bank)
    (found,) = person.get("duplicates")["items"]
    line = person.put_in_or_out("exclude", found["movement"])
    assert (person.spent("USD"), person.get("duplicates")["items"]) == (1177, [])
    # Its original goes: what is left out stays so.
    assert person.remove(card).status_code == 204
    assert person.spent("USD") == 0
    person.bring(LINE.format("2026-10-02").encode())
    assert person.spent("USD") == 1177
    taken_back = person.put_in_or_out("include", line)
    (found,) = person.get("duplicates")["items"]
    assert (person.spent("USD"), found["original"]) == (1177, taken_back)


def test_standing_costs_leave_out_what_the_person_does(person: Person) -> None:
    days = [date(2026, 8, 4) + timedelta(days=7 * n) for n in range(8)]
    person.bring(("Date,Description,Amount\n" + "".join(f"{d},SQ *BLUE BOTTLE,11.77\n" for d in days)).encode())
    assert person.standing() == ["blue bottle"]
    for line in person.movements()[:6]:
        person.put_in_or_out("exclude", line)
    assert person.standing() == []


def test_what_the_hub_knows_itself_stays_in_the_sums(shared_stage: Stage, anna: Payer) -> None:
    person = a_person_who_pays(anna)
    buy(anna)
    line = person.movements("hub")[0]
    path = f"/v1/insights/movements/{line['id']}/exclude"
    assert_problem(shared_stage.client.post(path, headers=person.headers), "not-of-a-statement", 409)
    other = Person(shared_stage, shared_stage.session_of(Wallet()))
    assert_problem(shared_stage.client.post(path, headers=other.headers), "not-found", 404)


def test_only_a_duplicate_can_be_judged_and_only_ones_own(person: Person) -> None:
    person.bring(US)
    line = person.movements()[0]
    for what in ("confirm", "dismiss"):
        path = f"/v1/insights/duplicates/{line['id']}/{what}"
        assert_problem(person.stage.client.post(path, headers=person.headers), "no-duplicate", 409)
        other = Person(person.stage, person.stage.session_of(Wallet()))
        assert_problem(person.stage.client.post(path, headers=other.headers), "not-found", 404)
        for id_ in ("mov_0", "mov_x", "mov_" + "9" * 18, "pay_1", "mov_" + "9" * 30):
            path = f"/v1/insights/duplicates/{id_}/{what}"
            assert_problem(person.stage.client.post(path, headers=person.headers), "not-found", 404)


# ------------------------------------------------------------------- bounds


def test_a_person_has_so_many_imports_and_no_more(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_LINES", 8)
    monkeypatch.setattr(imports, "MOST_MAPPINGS", 1)
    person.bring(US)
    before = kept(person.stage)
    assert person.confirm_columns("0" * 32, person.get("statement-mappings")[0]["mapping"]).status_code == 409
    assert_problem(person.try_to_import(sample("us_checking_ofx1.ofx")), "too-many-imports", 409)
    assert kept(person.stage) == before


def test_a_file_beyond_the_bound_is_refused(person: Person) -> None:
    line = b"2026-10-02,Shop,1.00\n"
    problem = assert_problem(
        person.try_to_import(b"Date,Description,Amount\n" + line * 50_000), "statement-unreadable", 422
    )
    assert problem["errors"][0]["reason"]["title"] == "The file has more than 1000000 bytes."
    assert_problem(person.try_to_import(line * 80_000), "body-too-large", 413)
