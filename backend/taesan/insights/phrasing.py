"""Advice in the words of a language model, if the operator has named one. It is given our own sentences and nothing else, and what
it makes of one is told only if each number in it is one of that sentence (`wording.py`). Whatever fails, our own words stand."""

import json
import threading
import time
from collections.abc import Collection, Sequence

import httpx
import structlog

from taesan.insights import wording
from taesan.settings import Settings

CONNECT_S, WHOLE_S = 2, 5
QUIET_S = 60  # after an endpoint has not answered
MAX_ANSWER = 65_536  # bytes
MAX_KNOWN = 2_000  # sentences
MOST_AT_ONCE = 4  # requests that wait for it
LANGUAGES = {"en": "English", "ko": "Korean"}
TASK = (
    "You are given a JSON array of sentences in {language} about somebody's small money. Say each in other words, in {language}, friendly "
    "and plain, in at most two sentences. Keep each number, currency and name just as it is written. Add no number, no link, no "
    "promise and no advice of your own. Answer with a JSON array of as many strings and nothing else."
)

log = structlog.get_logger()


class Failed(Exception):
    """The endpoint has given no answer of use. Its text names neither key nor URL."""


class Phraser:
    """For one process. What was asked once is known: the same sentence has the same figures."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._model, self._key = settings.advice_llm_url, settings.advice_llm_model, settings.advice_llm_key
        self._known: dict[tuple[str, str], str | None] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._quiet_until = 0.0

    def phrased(self, sentences: Sequence[str], names: Collection[str], language: str) -> list[str | None]:
        """None for each whose own words are to be told. Not to be called in a transaction: it may take seconds.

        :param names: that may be in them
        """
        with self._lock:
            new = [sentence for sentence in sentences if (language, sentence) not in self._known]
        if new and self._may_ask():
            self._ask(new, names, language)
        with self._lock:
            return [self._known.get((language, sentence)) for sentence in sentences]

    def _may_ask(self) -> bool:
        return bool(self._url) and time.monotonic() >= self._quiet_until and self._slots.acquire(blocking=False)

    def _ask(self, sentences: Sequence[str], names: Collection[str], language: str) -> None:
        try:
            told = self._answer(sentences, language)
        except (httpx.HTTPError, httpx.InvalidURL, Failed, ValueError) as error:
            self._quiet_until = time.monotonic() + QUIET_S
            log.warning("advice.unphrased", reason=str(error) if isinstance(error, Failed) else type(error).__name__)
            return
        finally:
            self._slots.release()
        with self._lock:
            if len(self._known) + len(sentences) > MAX_KNOWN:
                self._known.clear()
            for sentence, text in zip(sentences, told, strict=True):
                why = wording.fault(text, sentence, names)
                self._known[language, sentence] = None if why else text
                if why:
                    log.info("advice.unphrased", reason=why)

    def _answer(self, sentences: Sequence[str], language: str) -> list[str]:
        asked = [
            {"role": "system", "content": TASK.format(language=LANGUAGES[language])},
            {"role": "user", "content": json.dumps(list(sentences), ensure_ascii=False)},
        ]
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}
        body = {"model": self._model, "messages": asked, "temperature": 0}
        url, until = f"{str(self._url).rstrip('/')}/chat/completions", time.monotonic() + WHOLE_S
        timeout = httpx.Timeout(WHOLE_S, connect=CONNECT_S)
        with (
            httpx.Client(timeout=timeout, trust_env=False) as client,
            client.stream("POST", url, json=body, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise Failed(f"status {answer.status_code}")
            read = b""
            for part in answer.iter_bytes():
                read += part
                if len(read) > MAX_ANSWER or time.monotonic() > until:
                    raise Failed("an answer that is too long, or too slow")
        return _sentences(read, len(sentences))


def _sentences(body: bytes, count: int) -> list[str]:
    """:raises Failed: it is not what was asked for"""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"].strip()
        told = json.loads(content.removeprefix("```json").removeprefix("```").removesuffix("```"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Failed("an answer in another form") from None
    if not isinstance(told, list) or len(told) != count or not all(isinstance(text, str) for text in told):
        raise Failed("an answer to something else")
    return [" ".join(text.split()) for text in told]
