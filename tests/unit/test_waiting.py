"""One look at the database for all who wait for what it tells."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack

import pytest

from taesan.core import waiting
from taesan.core.problems import Problem
from taesan.core.waiting import SharedWatch

SOON_S, LATE_S = 0.001, 5


class News:
    """:ivar looks: the keys that each look was for, after "begin" of each while in which somebody waits"""

    def __init__(self) -> None:
        self.looks: list[object] = []
        self.of: set[int] = set()
        self.error: Exception | None = None

    def look(self, keys: Collection[int]) -> Collection[int]:
        self.looks.append(sorted(keys))
        if self.error is not None:
            raise self.error
        return {*self.of, 99}

    def begin(self) -> None:
        self.looks.append("begin")


@pytest.fixture
def news() -> News:
    return News()


async def _told(watch: SharedWatch, key: int) -> bool:
    async with watch.listening(key) as future:
        await asyncio.wait_for(asyncio.shield(future), LATE_S)
        return future.done()


def test_who_waits_is_told_and_nobody_is_looked_for_in_vain(news: News) -> None:
    async def story() -> None:
        watch = SharedWatch(news.look, SOON_S, news.begin)
        async with watch.listening(1) as first, watch.listening(1) as second, watch.listening(2) as other:
            assert (watch.waiting(1), watch.waiting(3)) == (2, 0)
            news.of = {1}
            await asyncio.wait_for(asyncio.gather(first, second), LATE_S)
            assert not other.done()
        await asyncio.sleep(20 * SOON_S)
        looks = len(news.looks)
        await asyncio.sleep(20 * SOON_S)
        assert len(news.looks) == looks, "nobody waits"
        assert (news.looks[:2], watch.waiting(1)) == (["begin", [1, 2]], 0)
        assert await _told(watch, 1)
        assert news.looks[looks:] == ["begin", [1]]

    asyncio.run(story())


def test_all_who_wait_learn_that_a_look_has_failed_and_the_next_looks_again(news: News) -> None:
    async def story() -> None:
        watch = SharedWatch(news.look, SOON_S)
        news.error = OSError("the database is away")
        answers = await asyncio.gather(_told(watch, 1), _told(watch, 2), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["the database is away"] * 2
        news.error, news.of = None, {1}
        assert await _told(watch, 1)

    asyncio.run(story())


def test_so_many_wait_and_more_are_refused(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 2)

    async def story() -> None:
        watch = SharedWatch(news.look, SOON_S)
        async with AsyncExitStack() as stack:
            for key in (1, 2):
                await stack.enter_async_context(watch.listening(key))
            with pytest.raises(Problem, match=r"^busy"):
                await _told(watch, 3)
        news.of = {3}
        assert await _told(watch, 3)

    asyncio.run(story())
