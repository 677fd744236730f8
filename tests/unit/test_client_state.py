"""What a payer's file remembers: limits, intents, and that nothing is begun beside something unanswered."""

import sqlite3
import stat
from pathlib import Path

import pytest

from taesan.client.state import Busy, Intent, KeyReused, Limits, OverLimit, State

CHANNEL = "0x" + "5a" * 32
DAY_MS = 24 * 3_600 * 1_000
NO_LIMITS = Limits()


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "wallet.db")
    state.add_channel(CHANNEL, {})
    return state


def _pay(state: State, amount: int, key: str, limits: Limits = NO_LIMITS, now_ms: int = 0) -> Intent:
    charged = state.charged(CHANNEL)
    assert charged is not None
    return state.intend(CHANNEL, "payment", key, amount, {"a": amount}, charged + amount, limits, now_ms)


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    State(tmp_path / "wallet.db").close()
    assert stat.S_IMODE((tmp_path / "wallet.db").stat().st_mode) == 0o600


def test_a_file_that_was_there_is_closed_to_all_others(tmp_path: Path) -> None:
    path = tmp_path / "wallet.db"
    path.touch()
    path.chmod(0o644)
    state = State(path)
    state.hot_key("0xA")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"wallet.db": 0o600, "wallet.db-wal": 0o600, "wallet.db-shm": 0o600}
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    again = State(path)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    assert again.hot_key("0xA") == state.hot_key("0xA")


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "wallet.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="no link"):
        State(tmp_path / "wallet.db")
    assert not (tmp_path / "elsewhere").exists()


def test_an_intent_outlives_its_process(state: State, tmp_path: Path) -> None:
    intent = _pay(state, 5, "tea")
    again = State(tmp_path / "wallet.db")
    assert again.pending(CHANNEL) == intent
    again.done(intent, {"id": "pay_1"})
    assert (state.pending(CHANNEL), state.charged(CHANNEL)) == (None, 5)
    found = state.find(CHANNEL, "tea")
    assert found is not None
    assert (found.state, found.answer) == ("done", {"id": "pay_1"})


def test_nothing_is_begun_beside_something_unanswered(state: State) -> None:
    first = _pay(state, 5, "tea")
    with pytest.raises(Busy):
        _pay(state, 5, "cake")
    state.done(first, {})
    _pay(state, 5, "cake")


def test_a_voucher_has_to_continue_what_was_paid(state: State, tmp_path: Path) -> None:
    other = State(tmp_path / "wallet.db")
    other.done(_pay(other, 5, "tea"), {})
    with pytest.raises(Busy):
        state.intend(CHANNEL, "payment", "cake", 3, {}, 3, NO_LIMITS, 0)
    assert state.find(CHANNEL, "cake") is None


def test_a_key_names_one_payment(state: State) -> None:
    state.done(_pay(state, 5, "tea"), {})
    with pytest.raises(KeyReused):
        _pay(state, 6, "tea")


def test_what_was_refused_may_be_tried_again_with_its_key(state: State) -> None:
    state.refused(_pay(state, 5, "tea"), {"type": "no"})
    assert state.charged(CHANNEL) == 0
    state.done(_pay(state, 5, "tea"), {})
    assert state.charged(CHANNEL) == 5


def test_limits_hold_to_the_last_unit(state: State) -> None:
    limits = Limits(per_payment=10, per_day=15)
    with pytest.raises(OverLimit):
        _pay(state, 11, "tea", limits)
    state.done(_pay(state, 10, "tea", limits), {})
    with pytest.raises(OverLimit):
        _pay(state, 6, "cake", limits)
    state.done(_pay(state, 5, "cake", limits), {})
    with pytest.raises(OverLimit):
        _pay(state, 1, "sugar", limits, now_ms=DAY_MS - 1)
    state.done(_pay(state, 1, "sugar", limits, now_ms=DAY_MS + 1), {})


def test_what_has_no_answer_counts_and_what_was_refused_does_not(state: State) -> None:
    limits = Limits(per_day=10)
    intent = _pay(state, 10, "tea", limits)
    assert state.spent(0) == 10
    state.refused(intent, {})
    assert state.spent(0) == 0
    _pay(state, 10, "tea", limits)


def test_what_the_hub_proves_counts_as_spent(state: State) -> None:
    """Else a hub that refuses what it then claims would get around the limit."""
    state.adopt(CHANNEL, 7, 0)
    assert (state.charged(CHANNEL), state.spent(0)) == (7, 7)
    with pytest.raises(OverLimit):
        _pay(state, 4, "tea", Limits(per_day=10))
    state.adopt(CHANNEL, 3, 0)
    assert (state.charged(CHANNEL), state.spent(0)) == (7, 7)


def test_deposits_are_no_spending(state: State) -> None:
    state.done(state.intend(CHANNEL, "deposit", "d", 1_000, {}, None, Limits(1, 1), 0), {})
    assert (state.charged(CHANNEL), state.spent(0)) == (0, 0)


def test_deposits_have_a_limit_of_their_own(state: State) -> None:
    limits = Limits(deposits_per_day=10)

    def deposit(amount: int, key: str, now_ms: int = 0) -> Intent:
        return state.intend(CHANNEL, "deposit", key, amount, {}, None, limits, now_ms)

    state.done(deposit(6, "a"), {})
    state.refused(deposit(3, "b"), {})
    with pytest.raises(OverLimit):
        deposit(2, "c")
    state.done(deposit(1, "c"), {})
    state.done(_pay(state, 100, "tea", limits), {})
    deposit(10, "d", DAY_MS)


def test_a_hot_key_is_made_once(state: State, tmp_path: Path) -> None:
    assert state.hot_key("0xA") == State(tmp_path / "wallet.db").hot_key("0xA") != state.hot_key("0xB")


def test_a_failed_write_leaves_nothing(state: State) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        _pay(state, -1, "tea")
    assert state.pending(CHANNEL) is None
    _pay(state, 1, "tea")
