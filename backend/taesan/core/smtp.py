"""One mail, handed to the operator's mail server within bounds of time; what became of it.

RFC 5321. Whether a mail was taken whose last bytes had gone out when the connection broke, nobody knows: that is told apart from what
surely was not, so that the caller can bound how often one may arrive.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple

from taesan.core.smtp_settings import SmtpSettings

ONE_S, WHOLE_S = 15, 60
"""For one answer, and for all of it: some servers look into an attachment before they answer."""
FAREWELL_S = 5  # for what is under way when the process is to end
LOOK_S = 0.1
_ENHANCED = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")

Result = Literal["accepted", "later", "refused", "unknown"]
"""`later`: not accepted, for whatever reason may pass. `refused`: this recipient or mail, for good. `unknown`: it may have been accepted."""


class Outcome(NamedTuple):
    """:ivar reason: without the server's words, in which the address may stand"""

    result: Result
    reason: str


def send(settings: SmtpSettings, recipient: str, content: bytes, stopping: threading.Event) -> Outcome:
    """Never raises for what the server, its network or the settings do.

    :param content: RFC 5322, lines ended by CRLF. :param stopping: what is under way then has a moment left
    """
    is_judged = is_handed_over = False
    smtp = _client(settings)
    try:
        with _within(smtp, WHOLE_S, stopping):
            _sign_in(smtp, settings)
            _expect(smtp.mail(settings.smtp_from or ""))
            is_judged = True  # from here on an answer is about this mail, and not about the hub
            _expect(smtp.rcpt(recipient))
            is_handed_over = True
            _expect(smtp.data(content))
        with suppress(smtplib.SMTPException, OSError):
            smtp.putcmd("QUIT")  # whatever is answered to that
        return Outcome("accepted", "")
    except smtplib.SMTPResponseException as error:
        if is_handed_over and not 400 <= error.smtp_code < 600:
            return Outcome("unknown", "answered what is no answer")
        return Outcome("refused" if is_judged and error.smtp_code >= 500 else "later", _told(error))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        is_broken = isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError)
        reason = "the connection broke, or no answer came in time" if is_broken else type(error).__name__
        return Outcome("unknown" if is_handed_over else "later", reason)
    finally:
        smtp.close()


def _client(settings: SmtpSettings) -> smtplib.SMTP:
    """Not connected yet. It greets with our mails' domain, instead of asking name servers what this machine is called."""
    name = (settings.smtp_from or "").rpartition("@")[2]
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(local_hostname=name, timeout=ONE_S, context=ssl.create_default_context())
    return smtplib.SMTP(local_hostname=name, timeout=ONE_S)


def _sign_in(smtp: smtplib.SMTP, settings: SmtpSettings) -> None:
    host = settings.smtp_host or ""
    smtp._host = host  # type: ignore[attr-defined]  # whose certificate it has to be; only the constructor sets it, and connects
    _expect(smtp.connect(host, settings.mail_port))
    if settings.smtp_tls == "starttls":
        _expect(smtp.starttls(context=ssl.create_default_context()))
    smtp.ehlo_or_helo_if_needed()
    if settings.smtp_user is not None:
        smtp.login(settings.smtp_user, _password(settings))


def _password(settings: SmtpSettings) -> str:
    if settings.smtp_password_file is not None:
        return settings.smtp_password_file.read_text().strip()
    return settings.smtp_password.get_secret_value() if settings.smtp_password else ""


def _expect(answer: tuple[int, bytes]) -> None:
    """:raises SMTPResponseException: it does not say yes"""
    code, text = answer
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, text)


def _told(error: smtplib.SMTPResponseException) -> str:
    """Its code, and the enhanced one of RFC 3463, if there is one."""
    text = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
    enhanced = _ENHANCED.match(text)
    return f"answered {error.smtp_code}" + (f" {enhanced[0].decode()}" if enhanced else "")


@contextmanager
def _within(smtp: smtplib.SMTP, seconds: int, stopping: threading.Event) -> Iterator[None]:
    """Breaks the connection when the time is over, for a server may send a byte now and then, for ever.

    :raises TimeoutError: it was over, whatever the broken answer looks like
    """
    over, is_too_late = threading.Event(), threading.Event()

    def watch() -> None:
        left, farewell = float(seconds), float(FAREWELL_S)
        while left > 0 and farewell > 0:
            if over.wait(LOOK_S):
                return
            left -= LOOK_S
            farewell -= LOOK_S if stopping.is_set() else 0
        is_too_late.set()
        while not over.wait(LOOK_S):  # again and again: there may be another connection by now
            if (connection := smtp.sock) is not None:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS's own would let it talk on in the open

    thread = threading.Thread(target=watch, name="mail's time", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if is_too_late.is_set():
            raise TimeoutError
