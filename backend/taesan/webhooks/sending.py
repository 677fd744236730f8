"""One try of one delivery over HTTP: to the addresses that were checked and no others, within bounds of time and size.

A merchant names the URL, so whoever holds a merchant's key decides where this connects (SSRF). The name is resolved here, each
time anew; all that it stands for has to be public; and the connection goes to just such an address, so that a second answer
of the name server changes nothing. `Host`, SNI and the certificate's name stay the URL's. No redirect is followed, no proxy of
the environment asked, no cookie kept, no connection used twice.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx

from taesan import __version__
from taesan.webhooks.addresses import NOT_PUBLIC, may_connect

CONNECT_S, WHOLE_S = 3, 15
MAX_ANSWER = 4_096  # bytes that are read
MAX_KEPT = 500  # characters of it
MAX_ERROR = 200
ADDRESSES_MAX = 3  # of a name, to try one after the other

Resolve = Callable[[str, int], Awaitable[list[str]]]
_resolvers = ThreadPoolExecutor(16, "webhook names")
"""Apart from all else: name servers can take long."""


class Try(NamedTuple):
    """What became of it. :ivar status: None: no answer"""

    status: int | None
    error: str | None
    answer: str
    duration_ms: int

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_resolvers, socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Pinned(httpx.AsyncBaseTransport):
    """:param local_allowed: this machine's own addresses too, and those without TLS"""

    def __init__(
        self, *, local_allowed: bool, resolve: Resolve = resolve, context: ssl.SSLContext | None = None
    ) -> None:
        self._local_allowed, self._resolve = local_allowed, resolve
        # A connection is known by its address: kept open, it might be another name's.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=context or True, trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """:raises httpx.ConnectError: also for a name that has no public address"""
        url = request.url
        host = url.raw_host.decode()
        try:
            addresses = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        except OSError:
            addresses = []  # said like what is not public
        if not may_connect(addresses, url.scheme, local_allowed=self._local_allowed):
            raise httpx.ConnectError(NOT_PUBLIC)
        last = httpx.ConnectError(NOT_PUBLIC)
        for address in dict.fromkeys(addresses[:ADDRESSES_MAX]):
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,  # with the URL's own host
                stream=request.stream,
                extensions=request.extensions | {"sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error if isinstance(error, httpx.ConnectError) else httpx.ConnectError("no connection in time")
        raise last

    async def aclose(self) -> None:
        await self._inner.aclose()


async def post(transport: httpx.AsyncBaseTransport, url: str, headers: dict[str, str], body: str) -> Try:
    """Never raises for what the receiver, its network or its URL do."""
    started = time.perf_counter()
    status: int | None = None
    answer = bytearray()
    error = None
    try:
        async with asyncio.timeout(WHOLE_S):
            request = httpx.Request(
                "POST",
                url,
                headers={
                    "content-type": "application/json",
                    "user-agent": f"Taesan/{__version__}",
                    "accept-encoding": "identity",
                    **headers,
                },
                content=body.encode(),
                extensions={"timeout": httpx.Timeout(WHOLE_S, connect=CONNECT_S).as_dict()},
            )
            response = await transport.handle_async_request(request)
            status = response.status_code
            try:
                async for chunk in response.aiter_raw():
                    answer += chunk[: MAX_ANSWER - len(answer)]
                    if len(answer) >= MAX_ANSWER:
                        break
            finally:
                await response.aclose()
    except TimeoutError:
        error = None if status else f"no answer within {WHOLE_S} s"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as failed:
        error = None if status else (str(failed) or type(failed).__name__)[:MAX_ERROR]
    if status is not None and 300 <= status < 400:
        error = "redirects are not followed: give the URL that they lead to"
    text = answer.decode(errors="replace").replace("\0", "�")[:MAX_KEPT]
    return Try(status, error, text, round((time.perf_counter() - started) * 1_000))
