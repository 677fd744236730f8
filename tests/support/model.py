"""An OpenAI-compatible endpoint with a model that says what it is told to: real HTTP."""

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Say = Callable[[list[str]], Any]
"""The sentences → what the model answers with, or the whole body as bytes, or a status."""


class Model:
    """:ivar asked: bodies. :ivar headers: of the last request. :ivar say: what it answers"""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.headers: dict[str, str] = {}
        self.say: Say = lambda sentences: sentences
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                model.asked.append(body | {"path": self.path})
                model.headers = {name.lower(): value for name, value in self.headers.items()}
                told = model.say(json.loads(body["messages"][1]["content"]))
                status = told if isinstance(told, int) else 200
                content = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
                whole = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
                whole = told if isinstance(told, bytes) else whole
                with contextlib.suppress(ConnectionError):  # who asked may have gone
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(whole)))
                    self.end_headers()
                    self.wfile.write(whole)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
