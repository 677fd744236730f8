"""Errors that a caller can act on: RFC 9457 problem+json, each with a stable type.

A problem is declared once, here or in its domain, and raised with a detail for the case at hand.
"""

from typing import Any

BASE_URI = "urn:taesan:problem:"


class Problem(Exception):
    """Something that the caller got wrong or has to wait for.

    :param type_: stable, machine-readable, part of the API
    :param title: one English sentence; translated through the catalogues
    :param detail: what is wrong with this very request
    :param extra: further members for machines, such as the state to resynchronise with
    """

    def __init__(
        self,
        type_: str,
        status: int,
        title: str,
        detail: str = "",
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{type_}: {detail or title}")
        self.type, self.status, self.title, self.detail = type_, status, title, detail
        self.headers, self.extra = headers or {}, extra

    @property
    def retry_after_s(self) -> int | None:
        """Seconds, as the header tells them."""
        told = self.headers.get("retry-after")
        return int(told) if told else None

    def body(self, title: str) -> dict[str, Any]:
        body: dict[str, Any] = {"type": BASE_URI + self.type, "title": title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        return body | self.extra


def not_found(what: str, id_: str) -> Problem:
    return Problem("not-found", 404, "There is no such thing.", f"{what} {id_[:80]} is not known here.")


def too_small(least: int) -> Problem:
    return Problem(
        "amount-too-small",
        422,
        "The amount is too small for this hub to pay the gas.",
        f"At least {least} minor units; less can be sent to the chain without the hub.",
        least=str(least),
    )


def busy() -> Problem:
    return Problem(
        "busy",
        503,
        "The hub has more to do than it can at the moment.",
        "Nothing was stored; try again soon with the same Idempotency-Key.",
        headers={"retry-after": "1"},
    )


def node_unavailable() -> Problem:
    return Problem(
        "node-unavailable",
        503,
        "The blockchain node does not answer; nothing was stored, try again soon.",
        headers={"retry-after": "5"},
    )
