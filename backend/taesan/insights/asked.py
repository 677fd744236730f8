"""Which days somebody may ask for."""

from datetime import date

from taesan.core.problems import Problem


def begun(month: date, today: date, zone: str) -> None:
    """:param month: its first day. :raises Problem: `month-to-come`"""
    if month > today:
        raise Problem("month-to-come", 409, "This month has not begun.", f"Today is {today} in {zone}.")


def in_order(since: date | None, until: date | None) -> None:
    """:param until: the day after the last. :raises Problem: `no-days`"""
    if since is not None and until is not None and since >= until:
        raise Problem(
            "no-days",
            422,
            "There is no day between the two.",
            f"`to` is the day after the last, so it is later than {since}.",
        )
