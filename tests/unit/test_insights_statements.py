"""CSV of banks and card companies: guessed, read, and refused with the line and the reason."""

from collections.abc import Callable
from datetime import date, time
from functools import partial

import pytest
from pydantic import ValidationError

from taesan.insights import lines, statements, texts
from taesan.insights.imports import told
from taesan.insights.lines import Unreadable
from taesan.insights.mappings import Mapping
from taesan.insights.movements import MAX_TEXT
from taesan.insights.statements import Table
from tests.support.bank_files import contents, sample

KR_ACCOUNT, KR_CARD = sample("kr_account_cp949.csv"), sample("kr_card_cp949.csv")
EU, US = sample("eu_account.csv"), sample("us_card.csv")


def table_of(file: bytes) -> Table:
    return statements.table(file, lambda _: False)


def guess(file: bytes) -> Mapping:
    found = statements.guess(table_of(file))
    assert found is not None
    return found


def fault_of(read: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Unreadable) as refused:
        read()
    fault = refused.value.faults[0]
    return fault.line, told(fault, "en").reason.title


def korean(text: str) -> bytes:
    return text.encode("cp949")


# ---------------------------------------------------------------- the samples


def test_the_korean_samples_are_in_cp949() -> None:
    for file in (KR_ACCOUNT, KR_CARD):
        assert "원" in file.decode("cp949") or "잔액" in file.decode("cp949")
        with pytest.raises(UnicodeDecodeError):
            file.decode()


def test_a_korean_account_behind_lines_of_its_own() -> None:
    found = contents(KR_ACCOUNT)
    assert [(line.number, line.kind, line.amount, line.name) for line in found.lines] == [
        (6, "spent", 1_800, "지에스25 서초점"),
        (7, "spent", 4_500, "블루도어커피"),
        (10, "spent", 4_500, "블루도어커피"),
        (11, "spent", 4_500, "블루도어커피"),
        (12, "spent", 10_900, "구름음악"),
    ]
    assert found.skipped == [(8, lines.INCOMING), (9, lines.CARD_BILL), (13, lines.NOTE)]
    assert {(line.currency, line.exponent) for line in found.lines} == {("KRW", 0)}
    assert (found.lines[0].day, found.lines[0].at) == (date(2026, 10, 31), time(21, 14, 5))
    assert len({line.key for line in found.lines}) == 5


def test_a_korean_card_with_two_ways_to_cancel() -> None:
    found = contents(KR_CARD)
    assert [(line.number, line.kind, line.amount, line.name) for line in found.lines] == [
        (5, "spent", 18_900, "배달의숲"),
        (6, "spent", 21_000, "배달의숲"),
        (7, "refunded", 21_000, "배달의숲"),
        (8, "spent", 10_900, "구름음악"),
        (9, "refunded", 4_500, "블루도어커피 강남"),
        (10, "spent", 4_500, "블루도어커피 강남"),
    ]
    assert found.skipped == [(11, lines.NOTE), (12, lines.NOTE)]


def test_a_cancelled_line_without_its_purchase_marks_one_that_never_was() -> None:
    text = KR_CARD.decode("cp949")
    alone = korean("".join(line for line in text.splitlines(keepends=True) if not line.startswith("2,")))
    assert guess(alone).cancelled == "skipped"
    assert (6, lines.CANCELLED) in contents(alone).skipped


def test_a_european_account_with_decimal_commas() -> None:
    found = contents(EU)
    assert [(line.number, line.kind, line.amount, line.name) for line in found.lines] == [
        (5, "spent", 380, "BÄCKEREI GRÜN//BERLIN/DE"),
        (6, "spent", 380, "BÄCKEREI GRÜN//BERLIN/DE"),
        (7, "spent", 999, "Ärztefunk Streaming GmbH"),
        (9, "spent", 120_450, "Haus & Licht"),
        (11, "spent", 495, "Entgelte Oktober"),  # the line before has a line break in its text
    ]
    assert found.skipped == [(8, lines.INCOMING)]
    assert {(line.currency, line.exponent) for line in found.lines} == {("EUR", 2)}


def test_an_american_card_whose_purchases_are_negative() -> None:
    found = contents(US)
    assert [(line.number, line.kind, line.amount) for line in found.lines] == [
        (2, "spent", 499),
        (3, "spent", 525),
        (5, "refunded", 1_200),
        (6, "spent", 1_200),
        (7, "spent", 100),
    ]
    assert found.skipped == [(4, lines.CARD_BILL)]
    turned = US.replace(b",-", b",+").replace(b",180.40", b",-180.40").replace(b"Return,12.00", b"Return,-12.00")
    assert [(line.kind, line.amount) for line in contents(turned).lines] == [
        (line.kind, line.amount) for line in found.lines
    ]


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig", "utf-16"])
def test_the_encoding_makes_no_difference(encoding: str) -> None:
    assert contents(KR_CARD.decode("cp949").encode(encoding)) == contents(KR_CARD)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-16"])
def test_western_letters_are_not_taken_for_korean(encoding: str) -> None:
    text = "Datum;Empfänger;Betrag\n02.10.2026;BÄCKEREI;-1,00\n"
    assert [line.name for line in contents(text.encode(encoding)).lines] == ["BÄCKEREI"]


@pytest.mark.parametrize("separator", ["\t", "|", ";"])
def test_the_separator_makes_no_difference(separator: str) -> None:
    text = US.decode().replace("COFFEE, SEATTLE", "COFFEE SEATTLE").replace('e"",""x', 'e"" ""x')
    # Another separator may be another bank's country, whose dates go another way round: the person says which.
    table = table_of(text.replace(",", separator).encode())
    assert len(statements.read(table, guess(text.encode())).lines) == 5


def test_a_sign_within_quotations_separates_nothing() -> None:
    """Such a file was called broken, by the sign that separates nothing there."""
    two = b'"Foo","Bar"\n"a|b","c"\n'
    assert fault_of(lambda: table_of(two)) == (1, "No line has the headings of a table.")
    many = '"Kuupaev";"Saaja";"Summa"\n' + 3 * '"2026-10-02";"Pood, tänav, maja, linn";"-1,00"\n'
    assert table_of(many.encode()).headings == ["Kuupaev", "Saaja", "Summa"]


@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_a_broken_byte_is_told_in_the_encoding_that_the_file_has(encoding: str) -> None:
    file = KR_ACCOUNT.decode("cp949").encode(encoding)
    at = file.index("구름음악".encode(encoding))
    line = file.count(b"\n", 0, at) + 1
    place, title = fault_of(partial(contents, file[:at] + b"\xff" + file[at + 1 :]))
    assert (place, title.partition(";")[0]) == (line, f"The text is not in the encoding {encoding}")


def test_a_japanese_card_in_shift_jis() -> None:
    text = "利用日,利用店名・商品名,利用者,支払方法,利用金額\n2026/10/02,スーパー タナカ,本人,1回払い,1234\n"
    for encoding in ("cp932", "utf-8"):
        assert table_of(text.encode(encoding)).headings[1] == "利用店名・商品名"


# ---------------------------------------------------------------- guesses


def test_what_is_guessed_is_what_the_columns_are() -> None:
    assert guess(KR_ACCOUNT) == Mapping(
        date="거래일시",
        date_order="ymd",
        debit="출금액",
        credit="입금액",
        incoming="skipped",
        currency="KRW",
        names=["보낸분/받는분", "적요"],
        type="적요",
        balance="잔액",
    )
    found = guess(EU)
    assert (found.decimal, found.date_order, found.spending, found.incoming) == (",", "dmy", "negative", "skipped")
    assert guess(US).date_order == "mdy"


@pytest.mark.parametrize(
    ("dates", "order"),
    [(["01/02/2026", "13/02/2026"], "dmy"), (["01/02/2026", "02/13/2026"], "mdy"), (["26/01/02"], "ymd")],
)
def test_the_order_of_dates_is_the_one_by_which_they_are_dates(dates: list[str], order: str) -> None:
    rows = "".join(f"{day},Shop,1.00\n" for day in dates)
    assert guess(f"Date,Description,Amount\n{rows}".encode()).date_order in (
        order,
        *(["dmy"] if order == "ymd" else []),
    )


NEWER_BANKS = {
    "N26": (
        '"Booking Date","Value Date","Partner Name","Partner Iban",Type,"Payment Reference","Account Name","Amount (EUR)"\n'
        "2026-10-02,2026-10-02,Bakery,,Presentment,,Main,-3.80\n",
        ("Bakery", 380, "EUR"),
    ),
    "Revolut": (
        "Type,Product,Started Date,Completed Date,Description,Amount,Fee,Currency,State,Balance\n"
        "CARD_PAYMENT,Current,2026-10-02 08:12:11,2026-10-03 09:00:00,Bakery,-3.80,0.00,GBP,COMPLETED,5.00\n",
        ("Bakery", 380, "GBP"),
    ),
    "Toss": (
        "거래 일시,적요,거래 유형,거래 기관,계좌번호,거래 금액,거래 후 잔액,메모\n"
        '2026.10.02 08:12:11,메가커피,체크카드결제,토스뱅크,1,"-4,500","10,000",\n',
        ("메가커피", 4_500, "KRW"),
    ),
    "Rakuten": (
        "利用日,利用店名・商品名,利用者,支払方法,利用金額\n2026/10/02,スーパー タナカ,本人,1回払い,1234\n",
        ("スーパー タナカ", 1_234, "JPY"),
    ),
    "Rakuten Bank": (
        "取引日,入出金(円),取引後残高(円),入出金内容\n20261002,-1234,9999,スーパー タナカ\n",
        ("スーパー タナカ", 1_234, "JPY"),
    ),
}


@pytest.mark.parametrize("bank", NEWER_BANKS)
def test_what_newer_banks_call_their_columns_is_known(bank: str) -> None:
    text, told = NEWER_BANKS[bank]
    (line,) = contents(text.encode()).lines
    assert (line.name, line.amount, line.currency) == told
    assert (line.day, line.kind) == (date(2026, 10, 2), "spent")


def asked(text: str) -> tuple[dict[str, object], list[str]]:
    draft, questions = statements.draft(table_of(text.encode()))
    return draft, [question.partition(" ")[0] for question in questions]


def test_what_can_be_told_of_columns_is_told_and_the_rest_asked_for() -> None:
    draft, questions = asked("Booking Date;Kes;Summa;Saldo;Status\n02.10.2026;Pood;-1,00;5,00;ok\n")
    assert (draft["date"], draft["date_order"], draft["balance"]) == ("Booking Date", "dmy", "Saldo")
    assert (draft["names"], draft["amount"], questions) == ([], None, ["no-name-column", "no-amount-column"])
    assert Mapping.model_validate(draft | {"names": ["Kes"], "amount": "Summa", "spending": "negative"})
    assert asked("Bank\nKes,Palju,Amount\nPood,x,1.00\n")[1] == ["no-date-column", "no-name-column"]
    assert asked("2026-10-02,Shop,1.00\n2026-10-03,Shop,2.00\n")[1] == ["no-heading-line"]


def test_dates_that_may_be_either_way_are_asked_about() -> None:
    head = "Date,Description,Amount\n"
    assert asked(f"{head}03/04/2026,Shop,1.00\n04/04/2026,Shop,1.00\n")[1] == ["dates-either-way"]
    for plain in ("04/04/2026", "03/14/2026", "2026-03-04", "03.04.2026", "3 Apr 2026"):
        assert asked(f"{head}{plain},Shop,1.00\n")[1] == [], plain


def test_unknown_headings_are_shown_and_not_guessed() -> None:
    file = b"Kuupaev;Saaja;Summa\n2026-10-02;Pood;-1,00\n"
    found = table_of(file)
    assert (found.headings, statements.guess(found)) == (["Kuupaev", "Saaja", "Summa"], None)
    told = Mapping(
        date="Kuupaev", date_order="ymd", amount="Summa", spending="negative", incoming="skipped", decimal=",",
        currency="EUR", names=["Saaja"],
    )  # fmt: skip
    assert [(line.name, line.amount) for line in statements.read(found, told).lines] == [("Pood", 100)]


def test_a_remembered_table_is_found_wherever_it_begins() -> None:
    file = b"Kuupaev;Saaja;Summa\n2026-10-02;Pood;-1,00\n"
    known = table_of(file).fingerprint
    later = b"Konto EE00;omanik;Date;Amount;Name\n\nvalitud;periood;1;2;3\n" + file
    assert statements.table(later, known.__eq__).headings == ["Kuupaev", "Saaja", "Summa"]


def test_headings_are_the_same_in_other_capitals_and_units() -> None:
    other = KR_CARD.replace(korean("이용금액(원)"), korean(" 이용금액 "))
    assert table_of(other).fingerprint == table_of(KR_CARD).fingerprint
    assert table_of(US).fingerprint != table_of(EU).fingerprint


def test_a_mapping_makes_sense() -> None:
    given = guess(US).model_dump()
    changes: list[dict[str, object]] = [
        {"amount": None},
        {"debit": "Soll"},
        {"amount": None, "credit": "Haben"},
        {"currency": "ABC"},
        {"names": []},
        {"date_order": "myd"},
        {"decimal": "'"},
        {"date": ""},
        {"guess": "x"},
    ]
    for wrong in changes:
        with pytest.raises(ValidationError):
            Mapping.model_validate(given | wrong)


# ---------------------------------------------------------------- meanings


def test_a_negative_debit_takes_back_what_was_paid() -> None:
    file = korean(
        "거래일자,적요,출금액,입금액\n2026-10-01,가게,4500,0\n2026-10-02,가게,3000,\n2026-10-03,가게,-4500,0\n"
    )
    assert [(line.kind, line.amount) for line in contents(file).lines] == [
        ("spent", 4_500),
        ("spent", 3_000),
        ("refunded", 4_500),
    ]


def test_debits_that_are_all_negative_are_spent() -> None:
    file = b"Date,Description,Debit,Credit\n2026-10-01,Shop,-4.50,\n2026-10-02,Shop,,7.00\n"
    found = contents(file)
    assert [(line.kind, line.amount) for line in found.lines] == [("spent", 450)]
    assert found.skipped == [(3, lines.INCOMING)]


@pytest.mark.parametrize("column", ["매출상태", "비고", "승인구분"])
def test_what_was_cancelled_is_told_by_the_column_that_says_so(column: str) -> None:
    file = korean(
        f"이용일자,가맹점명,이용금액,이용구분,{column}\n"
        "2026-10-05,가전나라,89000,일시불,정상\n2026-10-06,가전나라,89000,일시불,취소\n2026-10-07,취소만화방,900,일시불,\n"
    )
    assert (guess(file).status, guess(file).cancelled) == (column, "refunded")
    assert [(line.kind, line.amount) for line in contents(file).lines] == [
        ("spent", 89_000),
        ("refunded", 89_000),
        ("spent", 900),
    ]
    alone = file.replace("2026-10-05,가전나라,89000,일시불,정상\n".encode("cp949"), b"")
    assert contents(alone).skipped == [(2, lines.CANCELLED)]


KB_HEAD = "거래일시,적요,보낸분/받는분,송금메모,출금액,입금액,잔액,거래점\n"


def skipped_of(*rows: tuple[str, str], head: str = KB_HEAD) -> list[str | None]:
    """Of an account's lines that pay something, by their type and name: why each counts for nothing, if it does."""
    file = head + "".join(
        f"2026.10.{n:02} 10:00:00,{type_},{name},,1000,0,{n}000,강남\n" for n, (type_, name) in enumerate(rows, start=1)
    )
    reasons = {line: str(reason) for line, reason in contents(korean(file)).skipped}
    return [reasons.get(line) for line in range(2, len(rows) + 2)]


def test_an_account_that_pays_a_cards_bill_spends_nothing_by_it() -> None:
    """The card's own statement has the purchases."""
    bills = [
        "신한카드",
        "삼성카드(주)",
        "(주)KB국민카드",
        "현대 카드 결제",
        "롯데카드11월",
        "비씨카드-1234",
        "하나카드 대금",
    ]
    assert skipped_of(*[("FBS출금", name) for name in bills]) == ["card-bill"] * len(bills)
    assert skipped_of(("카드대금", "3월분"), ("출금", "카드대금")) == ["card-bill"] * 2


def test_a_shop_that_is_called_like_a_cards_company_is_a_shop() -> None:
    shops = ["현대카드 쿠킹라이브러리", "신한카드블루스퀘어", "우리카드게임방", "생일카드", "서울신한카드"]
    assert skipped_of(*[("이체", name) for name in shops]) == [None] * len(shops)
    assert skipped_of(("체크카드", "신한카드"), ("FBS출금", "한빛생명")) == [None, None]
    assert [line.name for line in contents(korean("이용일,가맹점명,이용금액\n2026-10-01,신한카드,900\n")).lines] == [
        "신한카드"
    ]


def test_money_that_goes_to_ones_own_account_is_not_spent() -> None:
    own = [
        ("일반이체", "김민지(본인)"),
        ("이체", "본인"),
        ("본인송금", "김민지"),
        ("내계좌", "월급통장"),
        ("출금", "세이프박스"),
    ]
    assert skipped_of(*own) == ["transfer"] * len(own)
    assert skipped_of(("일반이체", "김민지"), ("체크카드", "본인식당"), ("이체", "박본인")) == [None] * 3


def test_a_bank_that_tells_ones_own_transfers_by_a_sign() -> None:
    file = (
        "거래일시,구분,거래금액,거래 후 잔액,거래구분,내용,메모\n"
        "2026.10.02 09:00:00,출금,-500000,300000,일반이체,김민지(본인),\n"
        "2026.10.03 12:00:00,출금,-9000,291000,체크카드결제,메가커피,\n"
    )
    assert guess(file.encode()).type == "거래구분"
    found = contents(file.encode())
    assert ([line.name for line in found.lines], found.skipped) == (["메가커피"], [(2, lines.TRANSFER)])


def test_what_has_a_word_that_the_mapping_skips_counts_for_nothing() -> None:
    file = korean(
        KB_HEAD
        + "2026.10.01,ATM출금,,,50000,0,1,강남\n2026.10.02,이체,김민지,,700,0,1,강남\n2026.10.03,이체,a1,,5,0,1,강남\n"
    )
    mapping = guess(file)
    assert len(statements.read(table_of(file), mapping).lines) == 3
    found = statements.read(table_of(file), mapping.model_copy(update={"skip_words": ["atm", "민지", "A1x"]}))
    assert [line.name for line in found.lines] == ["a1"]
    assert [told(one, "ko").reason.title for one in found.skipped] == [
        "열 설정에서 제외한 낱말이 있는 거래: “atm”",
        "열 설정에서 제외한 낱말이 있는 거래: “민지”",
    ]


def test_what_is_not_booked_counts_for_nothing() -> None:
    file = b"Date,Description,Amount,Status\n2026-10-01,Shop,1.00,Pending\n2026-10-02,Shop,1.00,Declined\n"
    assert contents(file).skipped == [(2, lines.UNBOOKED), (3, lines.UNBOOKED)]


def test_what_was_reverted_counts_for_nothing_and_a_fee_is_one() -> None:
    file = (
        b"Date,Description,Amount,Fee,Currency,State,Balance\n"
        b"2026-10-02 08:12:11,Shop,-10.00,0.50,EUR,COMPLETED,5.00\n"
        b"2026-10-03 08:12:11,Shop,-11.00,0.00,EUR,REVERTED,\n"
        b",Shop,-12.00,0.00,EUR,PENDING,\n"
        b"2026-10-03 09:00:00,Payroll,500.00,0.25,EUR,COMPLETED,504.75\n"
        b"2026-10-04 09:00:00,Shop,-1.00,,EUR,DECLINED,\n"
        b"2026-10-04 09:00:00,Shop,-1.00,,EUR,FAILED,\n"
        b"2026-10-05 09:00:00,Inn,-1.00,0.75,EUR,CANCELLED,\n"
    )
    found = contents(file)
    assert [(line.number, line.kind, line.amount) for line in found.lines] == [
        (2, "spent", 1_000),
        (2, "fee", 50),
        (5, "fee", 25),
    ]
    assert len({line.key for line in found.lines}) == 3
    unbooked = [(n, lines.UNBOOKED) for n in (3, 4)], [(n, lines.UNBOOKED) for n in (6, 7)]
    assert found.skipped == [*unbooked[0], (5, lines.INCOMING), *unbooked[1], (8, lines.CANCELLED)]


def test_names_have_no_line_breaks_and_are_bounded() -> None:
    file = 'Date,Description,Amount\n2026-10-01,"A\u202e\tb\nc",1.00\n2026-10-02,{},1.00\n'.format("x" * 900)
    first, second = contents(file.encode()).lines
    assert (first.name, len(second.name)) == ("A b c", MAX_TEXT)


# ---------------------------------------------------------------- known again


def test_the_same_lines_have_the_same_keys_in_each_file_that_has_them() -> None:
    text = KR_ACCOUNT.decode("cp949").splitlines(keepends=True)
    head, rows = text[:5], text[5:12]
    early, late = korean("".join(head + rows[4:])), korean("".join([*head, *rows[:6]]))
    keys = [{line.key for line in contents(file).lines} for file in (KR_ACCOUNT, early, late)]
    assert keys[1] | keys[2] == keys[0]
    assert len(keys[1] & keys[2]) == 2


def test_two_coffees_are_two() -> None:
    row = b"2026-10-01,Shop,1.00\n"
    once, twice, thrice = (
        {line.key for line in contents(b"Date,Description,Amount\n" + n * row).lines} for n in (1, 2, 3)
    )
    assert once < twice < thrice
    assert len(thrice) == 3


def test_another_account_has_other_keys() -> None:
    ours, theirs = contents(US), contents(US, "my other card")
    assert not {line.key for line in ours.lines} & {line.key for line in theirs.lines}


# ---------------------------------------------------------------- what is refused

HEAD = b"Date,Description,Amount,Currency\n"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2026-10-02,Shop,12.3x,USD", "“12.3x” is no amount in USD."),
        (b"2026-10-02,Shop,12.345,USD", "“12.345” is no amount in USD."),
        (b"2026-10-02,Shop,12.50,KRW", "“12.50” is no amount in KRW."),
        (b"2026-10-02,Shop,,USD", "Amount is missing."),
        (b"2026-10-32,Shop,1.00,USD", "“2026-10-32” is no date."),
        (b",Shop,1.00,USD", "“” is no date."),
        (b"2026-10-02,Shop,1.00,ABC", "“ABC” is no currency."),
        (b"2026-10-02,Shop,1.0", "The line ends too early."),
        (b"2026-10-0", "The line ends too early."),
        (b"2026-10-02,Sh\x01op,1.00,USD", "A control character stands in the text."),
        (b"2026-10-02,Sh\0op,1.00,USD", "A zero byte stands in the text."),
        (b'2026-10-02,"Shop,1.00,USD', "A quotation mark is not closed, or stands where none may."),
        (b'2026-10-02,"Shop"x,1.00,USD', "A quotation mark is not closed, or stands where none may."),
        (b"2026-10-02," + b"x" * 1_001 + b",1.00,USD", "A field has more than 1000 characters."),
        (b'2026-10-02,"' + b"x" * 140_000 + b'",1.00,USD', "A field has more than 1000 characters."),
        (b"," * 60, "The line has more than 60 columns."),
        (
            b"2026-10-02,Shop\x81\xff,1.00,USD",
            "The text is not in the encoding utf-8; save the file as UTF-8 and send it again.",
        ),
    ],
)
def test_what_is_broken_is_refused_with_its_line(row: bytes, reason: str) -> None:
    good = b"2026-10-01,Shop,1.00,USD\n"
    assert fault_of(lambda: contents(HEAD + 2 * good + row + b"\n" + good)) == (4, reason)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", "The file is empty."),
        (b" \r\n \n", "The file is empty."),
        (b"PK\x03\x04" + b"\0" * 99, "The file is a ZIP or an Excel file; save it as CSV first."),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "The file is an old Excel file; save it as CSV first."),
        (b"%PDF-1.7", "The file is a PDF; save it as CSV first."),
        (b"\x1f\x8b\x08", "The file is a compressed file; save it as CSV first."),
        (b"\xef\xbb\xbf\r\n<HTML><table>", "The file is a web page; save it as CSV first."),
        (b"x" * 1_000_001, "The file has more than 1000000 bytes."),
        (b"hello", "No line has the headings of a table."),
        (b"\xff\xfe\x00", "The text is not in the encoding utf-16; save the file as UTF-8 and send it again."),
    ],
)
def test_what_is_no_statement_is_refused(file: bytes, reason: str) -> None:
    def read() -> None:
        texts.check_file(file)
        contents(file)

    assert fault_of(read) == (1, reason)


def test_there_is_a_most_of_lines() -> None:
    row, preamble = b"2026-10-01,Shop,1.00,USD\n", b"Account,1\n\n"
    assert len(contents(HEAD + row * lines.MAX_LINES + b"\n" * 100).lines) == lines.MAX_LINES
    for more in (1, 100):  # told with the first line that is too many
        for head in (HEAD, preamble + HEAD):
            many = head + row * (lines.MAX_LINES + more)
            line = head.count(b"\n") + lines.MAX_LINES + 1
            assert fault_of(partial(contents, many)) == (line, f"The file has more than {lines.MAX_LINES} lines.")


def test_a_mapping_of_another_file_is_told() -> None:
    assert fault_of(lambda: statements.read(table_of(US), guess(EU))) == (1, "The file has no column Buchungstag.")


def test_every_fault_is_told_up_to_a_bound() -> None:
    with pytest.raises(Unreadable) as refused:
        contents(HEAD + b"2026-10-01,Shop,1.00,USD\n" * 30 + b"2026-10-01,Shop,one,USD\n" * 25)
    assert [fault.line for fault in refused.value.faults] == list(range(32, 32 + lines.MAX_FAULTS))
