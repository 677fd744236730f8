"""How a node is reached: as the environment and the URL say, whatever stands before it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from taesan.chain.rpc import Node, NodeFails, NodeUnavailable


class Endpoint(ThreadingHTTPServer):
    """:ivar asked: path and headers of each request. :ivar status: of each answer, which is a chain's id"""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status, self.body = 200, b'{"jsonrpc": "2.0", "id": 0, "result": "0x7a69"}'


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, dict(self.headers.items())))
        self.send_response(self.server.status)
        self.send_header("location", f"http://{self.server.url}/elsewhere")
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_password_in_the_url_is_sent_as_one(endpoint: Endpoint) -> None:
    assert Node(f"http://anna:secret@{endpoint.url}/v3?key=1").chain_id() == 31337
    ((path, headers),) = endpoint.asked
    assert path == "/v3?key=1"
    assert headers["Authorization"] == "Basic YW5uYTpzZWNyZXQ="


def test_a_proxy_of_the_environment_is_used(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:pass@{endpoint.url}")
    monkeypatch.setenv("NO_PROXY", "elsewhere.example")
    assert Node("http://node.example:8545/v3").chain_id() == 31337
    ((path, headers),) = endpoint.asked
    assert path == "http://node.example:8545/v3"
    assert headers["Proxy-Authorization"] == "Basic bWU6cGFzcw=="


def test_one_connection_serves_all_questions(endpoint: Endpoint) -> None:
    connections: list[object] = []
    accept = endpoint.get_request
    endpoint.get_request = lambda: connections.append(found := accept()) or found  # type: ignore[func-returns-value,method-assign]
    node = Node(f"http://{endpoint.url}")
    for _ in range(3):
        node.chain_id()
    assert len(connections) == 1


@pytest.mark.parametrize("status", [308, 401, 429, 500, 502])
def test_what_is_no_answer_is_none(endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    with pytest.raises(NodeUnavailable):
        Node(f"http://{endpoint.url}").chain_id()
    assert len(endpoint.asked) == 1  # a redirection is not followed, nothing is asked again


@pytest.mark.parametrize(
    "answer", [[], {"result": "nonsense"}, {"result": None}, {"error": "rate limit"}, {"error": {"message": "busy"}}]
)
def test_a_call_that_is_answered_with_nonsense_fails(endpoint: Endpoint, answer: object) -> None:
    endpoint.body = json.dumps(answer).encode()
    with pytest.raises(NodeFails):
        Node(f"http://{endpoint.url}").call("0x" + "11" * 20, "0x")
