"""However a payment's merchant is written, it is one merchant; and different ones stay different."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taesan.insights import merchants
from taesan.insights.merchants import normalised

SAME = {
    "blue bottle": ["Blue Bottle", "SQ *BLUE BOTTLE 0042 OAKLAND CA", "TST* Blue Bottle #12", "BLUE  BOTTLE, INC."],
    "spotify": [
        "Spotify",
        "PAYPAL *SPOTIFY 35314369001",
        "SPOTIFY.COM",
        "Spotify AB",
        "PAYPAL *SQ *Spotify 2024-05-01",
    ],
    "netflix": [
        "Ｎｅｔｆｌｉｘ",
        "NETFLIX.COM LOS GATOS CA",
        "NETFLIX.COM 866-716-0414",
        "www.netflix.com",
        "Netflix 12/31",
    ],
    "amzn mktp": ["AMZN MKTP US*2K4VX9Q0", "Amzn Mktp US*1A2B3C4D5"],
    "starbucks": ["STARBUCKS STORE 04521 SEATTLE WA", "Starbucks #4521"],
    "7-eleven": ["7-ELEVEN", "7-Eleven 33412 SEOUL KR"],
    "lidl": ["Card purchase to LIDL 31.12.", "lidl"],
    "우아한형제들": ["(주)우아한형제들", "㈜우아한형제들", "우아한형제들", "KCP_우아한형제들", "주식회사 우아한형제들"],
    "무신사": ["토스페이먼츠_무신사 2024-05-01", "네이버페이_무신사", "무신사 20240501"],
    "스타벅스": [
        "스타벅스 강남역점",
        "스타벅스강남R점",
        "스타벅스 (강남역점)",
        "체크카드 스타벅스 서울숲점",
        "스타벅스 본점",
    ],
    "메가커피": ["메가커피", "메가커피 환불", "메가커피(취소)", "[환불] 메가커피", "승인취소 메가커피 역삼점"],
    "zalando": ["Zalando", "ZALANDO REFUND"],
    "gs25": ["GS25 역삼2호점", "GS25역삼점", "gs25"],
    "cu": ["CU 제주점", "cu"],
    "kt 통신요금": ["KT 통신요금 12월분", "KT 통신요금 2026년 1월분"],
    "현대백화점": ["현대백화점 판교점", "현대백화점"],
}


@pytest.mark.parametrize("key", SAME)
def test_ways_to_write_a_merchant_are_one(key: str) -> None:
    assert {normalised(name) for name in SAME[key]} == {key}


@pytest.mark.parametrize(
    "name", ["교보서점", "현대백화점", "동네 음식점", "11번가", "3m", "7-eleven", "youtube premium", "at&t"]
)
def test_what_belongs_to_a_name_stays(name: str) -> None:
    assert normalised(name) == name


def test_a_name_of_which_nothing_would_be_left_keeps_what_it_has() -> None:
    assert [normalised(name) for name in ("12345", "2024-05-01", "KCP_", "***", "", "(주)")] == [
        "12345",
        "2024-05-01",
        "kcp",
        "",
        "",
        "주",
    ]


PARTS = st.sampled_from([
    "sq *", "paypal *", "kcp_", "(주)", "주식회사", "netflix", "스타벅스", "강남역점", "2호점", "서점", ".com", "www.", "#", "12", "1234567", "2024-05-01",
    "12월분", "los angeles", "ca", "us", "inc.", "co., ltd", "gs25", "*", "-", "_", "ab*12c3d", " ", "  ", "ﬁ", "İ", "ß", "정기결제 ", "pos ", "to ",
])  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(PARTS, max_size=12).map("".join), st.lists(PARTS, max_size=12).map(" ".join)
    )
)
def test_normalising_again_changes_nothing(name: str) -> None:
    once = normalised(name)
    assert normalised(once) == once
    assert once == " ".join(once.split())


def test_a_name_that_never_ends_takes_no_longer() -> None:
    assert len(normalised("1-" * 100_000 + "x" * 100_000)) <= 200


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *(("x" + after * 25, 3) for after in (" us", " inc.", " ca, us", " inc us", ".com", " ab123", " 강남점")),
        *((before * 14 + "x", 3) for before in ("pos to ", "정기결제 ", "card purchase ")),
        ("x" + " co ltd" * 28 + " q", 2),
        ("kcp_정기결제 " * 20 + "x", 8),
    ],
)
def test_what_is_written_again_and_again_is_stripped_in_few_rounds(
    name: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files name merchants by the thousand, and whoever made them up may want them to take long."""
    rounds: list[str] = []
    stripped = merchants._stripped
    monkeypatch.setattr(merchants, "_stripped", lambda text: rounds.append(text) or stripped(text))
    found = normalised(name)
    assert len(rounds) <= most
    if most == 3:
        assert found == "x"
