"""What the sample shop sells, on local chains only. Its texts are told in the reader's language; English is the source."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["article", "item", "subscription"]


@dataclass(frozen=True)
class Good:
    """:ivar price: minor units of the hub's currency. :ivar category: as rules may name it. :ivar content: what only who has paid is
    given: paragraphs; of a subscription one letter for each period, in turn. :ivar picture: an SVG path in a square of 48, given with it
    :ivar period_s: what one payment of a subscription is good for"""

    id: str
    kind: Kind
    category: str
    price: int
    title: str
    teaser: str
    content: tuple[str, ...]
    picture: str | None = None
    period_s: int | None = None


GOODS = (
    Good(
        "article-dust",
        "article",
        "reading",
        45,
        "Where small change goes",
        "On why nobody keeps cents, and what they come to in a year.",
        (
            "A coin of five cents weighs about as much as a sheet of paper, and we treat it like one: we put it down somewhere and forget where. "
            "Nobody decides to lose it. There is just no moment at which keeping it is worth the trouble.",
            "Take two purchases a day, each rounded up to the next dollar. On average that sets aside half a dollar each time: a dollar a day, "
            "thirty a month, three hundred and sixty-five a year. No single one of those coins would have bought anything.",
            "What is missing is not the money but the vessel. Give the dust a place to fall into, and it gathers by itself.",
        ),
    ),
    Good(
        "article-mountain",
        "article",
        "reading",
        130,
        "Tikkeul moa taesan",
        "A Korean saying, word by word, and what it does not say.",
        (
            "Tikkeul is the smallest thing that one can still see: a mote of dust. Moa is gathered. Taesan is a great mountain. Dust, gathered, "
            "a great mountain: three words, and no verb that tells anyone to hurry.",
            "The saying does not praise thrift. It says nothing of going without. It only notices that small things which stay in one place "
            "turn, after a while, into something that others can see from far away.",
        ),
    ),
    Good(
        "item-lantern",
        "item",
        "games",
        370,
        "Ridge lantern",
        "Lights the path over the ridge. Yours for good.",
        ("Your lantern is lit. Whoever walks behind you on the ridge sees where you have stepped.",),
        "M18 8h12M24 8V4M16 14h16l3 24H13zM13 38h22v5H13zM24 20c4 4 4 8 0 12c-4-4-4-8 0-12z",
    ),
    Good(
        "item-pebble",
        "item",
        "games",
        85,
        "Granite pebble",
        "For the cairn at the top. Everybody lays down one.",
        ("Your pebble lies on the cairn now, a little to the left of the top. It will not roll away.",),
        "M8 34c0-10 8-18 18-18c8 0 14 6 14 14c0 7-5 10-12 10H16c-5 0-8-2-8-6zM17 27c2-3 5-5 8-5",
    ),
    Good(
        "club-letters",
        "subscription",
        "letters",
        12,
        "Letters from the mountain",
        "A new letter each minute that you have paid for: a sample's month is a minute long.",
        (
            "First letter. It has rained, and the path has gone soft. I have gathered what lay on it: three pine cones, and a coin.",
            "Second letter. From up here the town is a handful of dust with lights in it. Somebody down there is paying for a coffee.",
            "Third letter. The cairn has grown by a hand since spring. Nobody saw it grow.",
            "Fourth letter. Snow on the north side. What falls as dust stays as a mountain.",
        ),
        period_s=60,
    ),
)


def texts() -> list[str]:
    """All that is told of them."""
    return [text for good in GOODS for text in (good.title, good.teaser, *good.content)]
