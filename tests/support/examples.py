"""How many examples a property is tried with."""

import math
import os
from fractions import Fraction

TIMES = Fraction(os.environ.get("TAESAN_TEST_TIMES", "1"))


def examples(few: int) -> int:
    """A few in `make test`, which differ from run to run, and a quarter of them on its second database; many times as many in
    `make properties`."""
    return math.ceil(few * TIMES)
