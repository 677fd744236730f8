"""Mails to a person: what they say, and how they are put together. Pure.

RFC 5322. No machine answers them (RFC 3834, `Auto-Submitted`), and who wants no more of them need not sign in (RFC 8058,
`List-Unsubscribe-Post`).
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

Say = Callable[[str], str]
"""English → the person's language."""
CODE_HOURS, REFUSED_DAYS = 24, 30


class _Policy(EmailPolicy):
    """The standard one would encode a link that is longer than a line: nobody could follow it."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        return f"{name}: {value}\r\n".encode() if name == "List-Unsubscribe" else super().fold_binary(name, value)


POLICY = _Policy(linesep="\r\n")


class Way(NamedTuple):
    """From whom to whom. :ivar token: whose holder unsubscribes. :ivar site: the hub's address. :ivar at: when it is sent"""

    sender: str
    recipient: str
    token: str
    site: str
    language: str
    at: datetime

    @property
    def host(self) -> str:
        return urlsplit(self.site).netloc

    @property
    def unsubscribe(self) -> str:
        return f"{self.site.rstrip('/')}/unsubscribe?{urlencode({'token': self.token, 'lang': self.language})}"


def confirmation(way: Way, say: Say, code: str) -> bytes:
    """Asks whoever has the address. It says nothing about whoever named it."""
    asks = say(
        "Somebody, most likely you, wants monthly reports of {host} at this address. To agree, give this code where you asked for them:"
    )
    bounds = say("It is good for {hours} hours; of several the newest counts.").format(hours=CODE_HOURS)
    ends = say(
        "Was it not you? Then do nothing, and no report comes. With this link you are not asked again for {days} days:"
    )
    lines = [asks.format(host=way.host), f"    {code}", bounds, f"{ends.format(days=REFUSED_DAYS)}\n{way.unsubscribe}"]
    return _message(way, say("Is this your address for monthly reports?"), lines, code).as_bytes()


def of_month(way: Way, say: Say, month: str, title: str, figures: Iterable[str], pdf: bytes) -> bytes:
    """The month's main figures, and all of them in the PDF. :param month: 2026-11. One month's has one Message-ID, however often it is sent"""
    ends = say("This comes once a month, as you have asked at {host}. If you want no more of it:").format(host=way.host)
    lines = [
        title,
        "\n".join(f"- {figure}" for figure in figures),
        say("The whole report is in the attached PDF."),
        f"{ends}\n{way.unsubscribe}",
    ]
    message = _message(way, title, lines, month)
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"taesan-{month}.pdf")
    return message.as_bytes()


def _message(way: Way, subject: str, paragraphs: Iterable[str], what: str) -> EmailMessage:
    """:param what: of all that is sent to this address, this; told to nobody"""
    message = EmailMessage(POLICY)
    message["From"] = Address("Taesan", addr_spec=way.sender)
    message["To"] = Address(addr_spec=way.recipient)
    message["Subject"] = subject
    message["Date"] = way.at
    name = hashlib.sha256(f"{way.token} {what}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@{way.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["List-Unsubscribe"] = f"<{way.unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("\n\n".join(paragraphs) + "\n", cte="base64")  # 7 bits, whatever the server can
    return message
