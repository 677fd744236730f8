"""The wallet's scripts read and write the words of rules as the grammar does: what is signed must be just these."""

from taesan.jars.grammar import parse_fires, parse_gather, parse_only
from tests.support.modules import run_script

GATHERS = [
    "round up to 1 USD",
    "round up to 0.50 USD x2, at most 5 USD a day",
    "round up to 0.10 USD x2 to x5 by tier, 3.5% of the price, fixed 0.05 USD, cashback, top-ups, at most 2.50 USD a day, at most 50 USD a month",
    "round up to 500 KRW x10, fixed 100 KRW",
    "0.25% of the price",
    "100% of the price, top-ups",
    "gateway",
    "cashback",
]
FIRES = [
    "every 100 payments",
    "every 5 USD",
    "every 1 payments, every 0.50 USD, weekly on monday at Asia/Seoul, when I say so",
    "monthly on day 31 at Asia/Seoul",
    "when I say so",
]
ONLIES = ["", "category coffee", "merchant mer_6f0c2a9b1d3e4f5061728394, category 커피, category tea & cake"]

_WRITTEN = """
const { readFires, readGather, readOnly, writeFires, writeGather, writeOnly } = await import("/static/lib/rule.js");
const { gathers, fires, onlies } = given;
return [gathers.map((text) => writeGather(readGather(text))), fires.map((text) => writeFires(readFires(text))), onlies.map((text) => writeOnly(readOnly(text)))];
"""


def test_what_is_read_is_written_again_word_for_word() -> None:
    for text in GATHERS:
        assert str(parse_gather(text)) == text
    for text in FIRES:
        assert str(parse_fires(text)) == text
    for text in ONLIES:
        assert str(parse_only(text)) == text
    texts = {"gathers": GATHERS, "fires": FIRES, "onlies": ONLIES}
    assert run_script(_WRITTEN, texts) == [GATHERS, FIRES, ONLIES]


_ADVISED = """
const { draftOf, termsOf } = await import("/static/wallet/rules/draft.js");
const here = { currency: given.currency, exponent: 6, payer: "0x" + "11".repeat(20), offered: [] };
return given.words.map((words) => {
  const draft = draftOf(words, "Asia/Seoul", here);
  if (!draft) return null;
  const { terms: { gather, fires, only } } = termsOf(draft, here);
  return { gather, fires, only };
});"""


def test_the_editor_begins_with_the_words_that_were_advised() -> None:
    def words(gather: str = "round up to 1 USD", fires: str = "every 5 USD", only: str = "") -> dict[str, str]:
        return {"gather": gather, "fires": fires, "only": only}

    sayable = [
        *(words(gather) for gather in GATHERS if "KRW" not in gather),
        *(words(fires=fires) for fires in FIRES),
        *(words(only=only) for only in ONLIES),
        words("round up to 0.50 USD x2", "every 1 payments", "category coffee"),
    ]
    none = [
        words("round up to 0.25 USD"),  # the form offers no such step
        words("round up to 500 KRW"),
        words("whatever"),
        words("fixed much USD"),
        words(fires="every full moon"),
        words(only="on sundays"),
        words("", "", ""),
    ]
    assert run_script(_ADVISED, {"currency": "USD", "words": sayable + none}) == sayable + [None] * len(none)
    won = [words("round up to 500 KRW x10, fixed 100 KRW", "every 5000 KRW")]
    assert run_script(_ADVISED, {"currency": "KRW", "words": won}) == won
