"""The tests for a second database: few of them, and nothing is left out."""

from tests.support.fewest import Note, fewest

NOTES: dict[str, Note] = {
    "a payment": (100, ["pay", "read"]),
    "the same twice": (200, ["pay", "read"]),
    "a whole day": (400, ["pay", "settle", "close"]),
    "a closing": (60, ["close"]),
    "a settlement": (60, ["settle"]),
    "nothing at all": (0, []),
}


def test_between_them_they_ask_for_everything() -> None:
    asked = {thing for test in fewest(NOTES) for thing in NOTES[test][1]}
    assert asked == {thing for _, things in NOTES.values() for thing in things}


def test_the_cheap_are_taken_and_nothing_twice() -> None:
    assert fewest(NOTES) == {"a payment", "a closing", "a settlement"}


def test_what_others_ask_for_anyway_is_not_asked_again() -> None:
    assert fewest(NOTES, without=["a whole day", "unknown"]) == {"a payment"}
    assert fewest(NOTES, without=NOTES) == set()


def test_what_only_one_test_asks_for_is_never_left_out() -> None:
    new: Note = (100_000, ["read", "something new"])
    assert "dear" in fewest(NOTES | {"dear": new})


def test_what_was_taken_first_is_left_out_when_those_after_it_ask_for_all_of_it() -> None:
    notes: dict[str, Note] = {
        "both": (0, ["pay", "settle"]),
        "one": (20, ["pay", "close"]),
        "other": (20, ["settle", "read"]),
    }
    assert fewest(notes) == {"one", "other"}
