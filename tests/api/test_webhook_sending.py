"""One try: to the address that was checked, under the name that was given, within bounds, whatever the other side does."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from taesan.webhooks import sending
from taesan.webhooks.addresses import NOT_PUBLIC
from taesan.webhooks.sending import MAX_ANSWER, MAX_KEPT, Pinned, Try
from tests.support.certificates import server_context
from tests.support.chain import free_port
from tests.support.loops import run_async
from tests.support.receiver import Answer, Receiver

SECRET = "whsec_" + "Zm9vYmFy" * 4
NAME = "shop.example"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        receiver.secret = SECRET
        yield receiver


def _names(*addresses: str) -> sending.Resolve:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


def _post(url: str, transport: Pinned, body: str = "{}") -> Try:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body),
    }

    async def send() -> Try:
        try:
            return await sending.post(transport, url, headers, body)
        finally:
            await transport.aclose()

    return run_async(send())


# ------------------------------------------------------------------ addresses


class _Recording(httpx.AsyncBaseTransport):
    def __init__(self, dead: tuple[str, ...] = ()) -> None:
        self.asked: list[httpx.Request] = []
        self.dead = dead

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.host in self.dead:
            raise httpx.ConnectError("refused")
        return httpx.Response(204, stream=httpx.ByteStream(b""))


def _recorded(*resolved: tuple[str, ...], dead: tuple[str, ...] = (), local: bool = False) -> tuple[Pinned, _Recording]:
    """:param resolved: what the name server says at the first question, at the second, …"""
    answers = iter(resolved)

    async def resolve(_host: str, _port: int) -> list[str]:
        return list(next(answers))

    pinned, inner = Pinned(local_allowed=local, resolve=resolve), _Recording(dead)
    pinned._inner = inner  # type: ignore[assignment]
    return pinned, inner


def test_it_connects_to_what_was_checked_whatever_the_name_server_says_next() -> None:
    pinned, inner = _recorded(("93.184.216.34",), ("127.0.0.1",))
    assert _post(f"https://{NAME}:8443/hook?a=1", pinned).status == 204
    (asked,) = inner.asked
    assert str(asked.url) == "https://93.184.216.34:8443/hook?a=1"
    assert asked.headers["host"] == f"{NAME}:8443"
    assert asked.extensions["sni_hostname"] == NAME
    again = _post(f"https://{NAME}:8443/hook?a=1", pinned)
    assert (again.status, again.error) == (None, NOT_PUBLIC), "checked with each try"
    assert len(inner.asked) == 1


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("93.184.216.34", "10.0.0.1"),
        ("::1",),
        ("::ffff:169.254.169.254",),
        ("64:ff9b::a00:1",),
        ("2002:7f00:1::1",),
        ("fe80::1%eth0",),
        (),
    ],
    ids=str,
)
def test_a_name_that_leads_inside_is_not_followed(addresses: tuple[str, ...]) -> None:
    pinned, inner = _recorded(addresses)
    tried = _post(f"https://{NAME}/", pinned)
    assert (tried.status, tried.error, inner.asked) == (None, NOT_PUBLIC, [])


def test_the_next_address_is_tried_if_one_does_not_answer() -> None:
    pinned, inner = _recorded(("2606:4700:4700::1111", "1.1.1.1"), dead=("2606:4700:4700::1111",))
    assert _post(f"https://{NAME}/", pinned).is_success
    assert [str(asked.url) for asked in inner.asked] == ["https://[2606:4700:4700::1111]/", "https://1.1.1.1/"]
    pinned, inner = _recorded(("1.1.1.1", "8.8.8.8"), dead=("1.1.1.1", "8.8.8.8"))
    assert _post(f"https://{NAME}/", pinned)[:3] == (None, "refused", "")


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"]
)
def test_this_machine_is_not_reached_by_any_of_its_names(receiver: Receiver, host: str) -> None:
    for scheme in ("http", "https"):
        tried = _post(f"{scheme}://{host}:{receiver.port}/", Pinned(local_allowed=False))
        assert tried.status is None
        assert tried.error in (NOT_PUBLIC, "Invalid IPv4 address: '0177.0.0.1'")
    assert receiver.got + receiver.refused == []


def test_a_local_hub_reaches_it_by_the_plain_one(receiver: Receiver) -> None:
    assert _post(receiver.url, Pinned(local_allowed=True)).is_success
    assert receiver.ids == ["msg_1"]
    assert receiver.got[0].headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_proxy_of_the_environment_is_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert _post(receiver.url, Pinned(local_allowed=True)).is_success


# ----------------------------------------------------------------------- TLS


@pytest.fixture
def tls(receiver: Receiver, tmp_path: Path) -> tuple[ssl.SSLContext, list[str]]:
    """The receiver speaks TLS, with a certificate for its name; what a client trusts, and which names were asked for."""
    context, certificate = server_context(tmp_path, NAME)
    asked: list[str] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name or "")
    receiver.speak_tls(context)
    return ssl.create_default_context(cafile=str(certificate)), asked


def test_the_certificate_has_to_be_the_names_and_not_the_addresss(
    receiver: Receiver, tls: tuple[ssl.SSLContext, list[str]]
) -> None:
    context, asked = tls
    url = f"https://{NAME}:{receiver.port}/"
    good = Pinned(local_allowed=True, resolve=_names("127.0.0.1"), context=context)
    assert _post(url, good).is_success
    assert (asked, receiver.got[0].headers["host"]) == ([NAME], f"{NAME}:{receiver.port}")
    another = Pinned(local_allowed=True, resolve=_names("127.0.0.1"), context=context)
    wrong_name = _post(f"https://other.example:{receiver.port}/", another)
    assert wrong_name.status is None
    assert "CERTIFICATE_VERIFY_FAILED" in (wrong_name.error or "")
    untrusted = _post(url, Pinned(local_allowed=True, resolve=_names("127.0.0.1")))
    assert "CERTIFICATE_VERIFY_FAILED" in (untrusted.error or "")
    assert len(receiver.got) == 1


# -------------------------------------------------------------------- bounds


def test_who_does_not_answer_is_waited_for_so_long(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_S", 0.3)
    receiver.answer = lambda _: Answer(delay_s=2)
    tried = _post(receiver.url, Pinned(local_allowed=True))
    assert (tried.status, tried.error) == (None, "no answer within 0.3 s")
    assert 250 <= tried.duration_ms < 1_500


def test_who_sends_byte_by_byte_is_waited_for_no_longer(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_S", 0.5)
    receiver.answer = lambda _: Answer(200, body=b"x" * 100, drip_s=0.1)
    tried = _post(receiver.url, Pinned(local_allowed=True))
    assert tried.is_success, "the status came in time"
    assert 1 <= len(tried.answer) < 10
    assert tried.duration_ms < 1_500


def test_of_an_answer_a_little_is_read_and_less_is_kept(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(500, body=b"\xff\0" + b"x" * 50_000_000)
    tried = _post(receiver.url, Pinned(local_allowed=True))
    assert (tried.status, len(tried.answer)) == (500, MAX_KEPT)
    assert tried.answer.startswith("��x")
    assert MAX_KEPT < MAX_ANSWER


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: Answer(status, {"Location": receiver.url})
    tried = _post(receiver.url, Pinned(local_allowed=True))
    assert not tried.is_success
    assert (tried.status, "redirects are not followed" in (tried.error or "")) == (status, True)
    assert len(receiver.got) == 1
    assert receiver.refused == []


def test_nobody_there(receiver: Receiver) -> None:
    tried = _post(f"http://127.0.0.1:{free_port()}/", Pinned(local_allowed=True))
    assert tried.status is None
    assert tried.error


def test_cookies_are_not_kept(receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(204, {"Set-Cookie": "a=b"})

    async def twice() -> None:
        transport = Pinned(local_allowed=True)
        for _ in range(2):
            await sending.post(transport, receiver.url, {"webhook-id": "m"}, "{}")
        await transport.aclose()

    seen: list[object] = []
    receiver.on_headers = seen.append
    run_async(twice())
    assert len(seen) == 2
    assert not [headers for headers in seen if "cookie" in headers]  # type: ignore[operator]


@pytest.mark.parametrize("url", ["https://", "https://[::1", "nonsense", "https://a..b/", "https://" + "a" * 300 + "/"])
def test_a_url_that_makes_no_sense_is_a_failure_like_others(url: str) -> None:
    tried = _post(url, Pinned(local_allowed=False))
    assert tried.status is None
    assert tried.error
