"""`taesan`, by a clock that is wrong by as many seconds as a file says: `python -m tests.chaos.shifted serve`.

Its processes read the file each time, so the clock jumps when the file is written. The intake's process, which Python starts
anew from this module, has it too.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from taesan.cli import main
from taesan.core.clock import SystemClock

VARIABLE = "CHAOS_CLOCK_FILE"


def _now(_clock: SystemClock) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ[VARIABLE]).read_text() or 0))


if VARIABLE in os.environ:
    SystemClock.now = _now  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
