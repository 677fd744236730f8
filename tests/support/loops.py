"""A loop of its own for what a test awaits."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def run_async(awaited: Coroutine[Any, Any, Answer]) -> Answer:
    """In a thread: where Playwright has been at work, asyncio takes the main one for a loop's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, awaited).result()
