"""The HTTP connections to nodes, for all threads: what web3 asks of a session of requests, with a third of its work at each question."""

from dataclasses import dataclass
from typing import Any, cast

from requests import Request, Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError

MAX_KEPT = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a node, or of whatever stands before it. :ivar content: read whole, so there is nothing to be closed"""

    status: int
    content: bytes

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None: ...

    def raise_for_status(self) -> None:
        """:raises HTTPError: it is no answer to a question; a redirection is not followed"""
        if not 200 <= self.status < 300:
            raise HTTPError(f"HTTP {self.status}")


class Connections:
    """In place of a `requests.Session`, which would look into the environment for proxies at each question."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[HTTPConnectionPool, str, dict[str, Any]]] = {}

    def post(self, url: str, data: bytes, headers: dict[str, Any], timeout: float, stream: bool = False) -> Answer:
        """:raises urllib3.exceptions.HTTPError: no answer within `timeout`, in seconds"""
        pool, target, own = self._found.get(url) or self._look_up(url)
        answer = pool.urlopen(
            "POST",
            target,
            body=data,
            headers=headers | own,
            timeout=timeout,
            retries=False,
            redirect=False,
            assert_same_host=False,  # a proxy is asked for another's
        )
        return Answer(answer.status, answer.data)

    def _look_up(self, url: str) -> tuple[HTTPConnectionPool, str, dict[str, Any]]:
        """Proxies, authorities and passwords where requests finds them: in the environment and in the URL. Once for each URL."""
        session, adapter = Session(), HTTPAdapter(pool_maxsize=MAX_KEPT)
        request = session.prepare_request(Request("POST", url))
        proxies = session.rebuild_proxies(request, {})  # type: ignore[no-untyped-call]
        around = session.merge_environment_settings(url, {}, None, None, None)
        pool = adapter.get_connection_with_tls_context(request, around["verify"], proxies=proxies, cert=around["cert"])
        own = {name: text for name, text in request.headers.items() if name in ("Authorization", "Proxy-Authorization")}
        self._found[url] = found = (cast(HTTPConnectionPool, pool), adapter.request_url(request, proxies), own)
        return found
