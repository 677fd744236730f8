"""How many examples a property is tried with."""

import os

TIMES = int(os.environ.get("TAESAN_TEST_TIMES", "1"))


def examples(few: int) -> int:
    """A few in `make test`, which differ from run to run; many times as many in `make properties`."""
    return few * TIMES
