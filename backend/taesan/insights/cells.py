"""Texts of others in a CSV that a spreadsheet may open. Pure.

OWASP, CSV injection: a cell that begins as a formula is one, also within quotes.
"""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(text: str) -> str:
    """The text, behind an apostrophe if a spreadsheet would calculate it."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
