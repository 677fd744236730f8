"""Uvicorn's HTTP, with a bound on what a request may send before its body: httptools itself would collect headers for ever."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`. Closes a connection whose request line and headers are too long."""

    _head_bytes = 0
    _is_in_body = False

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_body:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        # Counted from the next packet on: this one may have begun with another request's body.
        self._head_bytes, self._is_in_body = 0, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_body = True
        super().on_headers_complete()
