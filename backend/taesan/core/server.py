"""Uvicorn's HTTP, with a bound on what a request may send beside its body: httptools itself would collect it for ever."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`. Closes a connection whose request line and headers, or trailers, are too long."""

    _beside_body = 0  # bytes since a head was complete, or a piece of a body came

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # else it would get into an answer
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._beside_body = 0
        super().on_headers_complete()
        self.headers = []  # the request has its own; trailers must not get in among them

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)
