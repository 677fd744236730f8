"""A mail server: real SMTP over TCP, that takes mails, as well or ill as told."""

import base64
import email
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from email.message import EmailMessage
from email.policy import default
from typing import NamedTuple, cast

HANG, DRIP, BREAK = "hang", "drip", "break"
"""Instead of an answer: none; one that never ends; the connection's end."""
FIRST, END = "first", "end"
"""Besides the commands, to what is answered: the connection, and a mail's last line."""


class Taken(NamedTuple):
    """:ivar sender: as the envelope has it, and so `recipient`. :ivar user: who has signed in"""

    sender: str
    recipient: str
    content: bytes
    is_private: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        return cast(EmailMessage, email.message_from_bytes(self.content, policy=default))

    @property
    def text(self) -> str:
        body = self.message.get_body()
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


class MailServer:
    """:ivar got: whole mails, also those that are then refused. :ivar asked: commands. :ivar answer: to a command, instead of what is
    usual. :ivar user, password: who may send; "": anybody. :ivar context: None: it speaks no TLS"""

    def __init__(self, context: ssl.SSLContext | None = None, *, is_private: bool = False) -> None:
        """:param is_private: TLS from the first byte on"""
        self.got: list[Taken] = []
        self.asked: list[str] = []
        self.answer: Callable[[str], str | None] = lambda _: None
        self.user = self.password = ""
        self.context, self.is_private = context, is_private
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, EOFError):  # nobody listens any more
                    _Session(server, self.request).run()

        return Handler


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class _Session:
    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._server, self._user, self._sender, self._recipient = server, "", "", ""
        self._wear(connection, is_private=server.is_private)

    def _wear(self, connection: socket.socket, *, is_private: bool) -> None:
        if is_private:
            assert self._server.context is not None
            connection = self._server.context.wrap_socket(connection, server_side=True)
        self._is_private, self._connection, self._lines = is_private, connection, connection.makefile("rb")

    def run(self) -> None:
        self._say(FIRST, "220 mail.test ESMTP")
        while line := self._lines.readline().decode().rstrip("\r\n"):
            verb = line.partition(" ")[0].upper()
            self._server.asked.append(verb + line[len(verb) :])
            if verb == "QUIT":
                return self._say(verb, "221 2.0.0 Bye")
            self._obey(verb, line)
        return None

    def _obey(self, verb: str, line: str) -> None:
        if verb == "EHLO":
            more = ["STARTTLS"] if self._server.context and not self._is_private else []
            more += ["AUTH PLAIN"] if self._server.user else []
            self._say(verb, "\r\n".join([*(f"250-{name}" for name in ["mail.test", *more]), "250 ENHANCEDSTATUSCODES"]))
        elif verb == "STARTTLS":
            self._say(verb, "220 2.0.0 Go ahead")
            self._wear(self._connection, is_private=True)
        elif verb == "AUTH":
            _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
            is_known = (user, password) == (self._server.user, self._server.password)
            self._user = user if is_known else ""
            self._say(verb, "235 2.7.0 Welcome" if is_known else "535 5.7.8 Who are you?")
        elif self._server.user and not self._user:
            self._say(verb, "530 5.7.0 Sign in first")
        elif verb in ("MAIL", "RCPT"):
            address = line.partition("<")[2].partition(">")[0]
            if verb == "MAIL":
                self._sender = address
            else:
                self._recipient = address
            self._say(verb, "250 2.1.0 OK")
        elif verb == "DATA":
            if self._say(verb, "354 Go on"):
                self._take()
        else:
            self._say(verb, "250 2.0.0 OK")

    def _take(self) -> None:
        content = b""
        while (line := self._lines.readline()) != b".\r\n":
            if not line:
                raise EOFError
            content += line.removeprefix(b".") if line.startswith(b"..") else line
        taken = Taken(self._sender, self._recipient, content, self._is_private, self._user)
        self._server.got.append(taken)
        self._say(END, "250 2.0.0 Taken")

    def _say(self, to: str, usual: str) -> bool:
        """Returns whether that was the usual answer."""
        told = self._server.answer(to)
        if told == HANG:
            self._server.closing.wait(30)
            raise EOFError
        if told == BREAK:
            self._connection.shutdown(socket.SHUT_RDWR)
            raise EOFError
        while told == DRIP and not self._server.closing.is_set():
            self._connection.sendall(b"2")
            time.sleep(0.05)
        self._connection.sendall(f"{told or usual}\r\n".encode())
        return told is None
