"""`siwe` without the grammar that it builds when it is imported, for the better part of a second: that of its parser by ABNF, which
would take seconds for four kilobytes of digits, and so is not used here."""

import sys
from types import ModuleType

sys.modules.setdefault("siwe.grammars.eip4361", ModuleType("siwe.grammars.eip4361"))

from siwe import SiweMessage, VerificationError, generate_nonce  # noqa: E402

__all__ = ["SiweMessage", "VerificationError", "generate_nonce"]
