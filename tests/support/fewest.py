"""What a second database, or a second node, has to be shown when a first has had every test: the fewest tests that between
them ask it for everything. The first run notes what each test asks for, the second reads it and chooses. So nobody keeps a
list, and of what is new nothing is left out.
"""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path

_PREPARED = 50  # what a test costs before its first question, in questions

Note = tuple[int, list[str]]
"""How often a test asks, and for what."""


def write(path: Path, notes: dict[str, Note]) -> None:
    path.write_text(json.dumps(notes, indent=0))


def read(path: Path) -> dict[str, Note]:
    """:raises FileNotFoundError: the first run has not been"""
    notes: dict[str, Note] = json.loads(path.read_text())
    return notes


def fewest(notes: dict[str, Note], without: Collection[str] = ()) -> set[str]:
    """Tests that ask for all that those `without` do not ask for; few and cheap ones, if not the fewest and the cheapest."""
    left = {test: set(asked) for test, (_, asked) in notes.items()}
    done = set().union(*(left.pop(test) for test in without if test in left))
    chosen: set[str] = set()
    while left:
        for asked in left.values():
            asked.difference_update(done)
        best = max(left, key=lambda test: len(left[test]) / (_PREPARED + notes[test][0]))
        done = left.pop(best)
        if not done:
            break
        chosen.add(best)
    return _needed(chosen, notes, without)


def _needed(chosen: set[str], notes: dict[str, Note], without: Collection[str]) -> set[str]:
    """Of those that were chosen: what was taken first may be asked for by all that came after. The dearest go first."""
    times = Counter(asked for test in chosen.union(without) if test in notes for asked in notes[test][1])
    for test in sorted(chosen, key=lambda test: (-notes[test][0], test)):
        if all(times[asked] > 1 for asked in notes[test][1]):
            times.subtract(notes[test][1])
            chosen = chosen - {test}
    return chosen
