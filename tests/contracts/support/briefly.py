"""`--briefly`: for a second node, when a first has had every test. A node differs in what it makes of a call, not in the cases
that the contracts tell apart: each test runs with the first of its parameters, and on a quarter of the random examples."""

_briefly = False


def prepare(config) -> None:
    """Before the tests are collected."""
    global _briefly
    _briefly = config.getoption("--briefly")


def choose(items: list) -> None:
    """Leaves of a test's parameters the first."""
    if _briefly:
        firsts = {}
        for item in items:
            firsts.setdefault((item.path, item.originalname), item)
        items[:] = firsts.values()


def examples(count: int) -> int:
    """How many of them."""
    return -(-count // 4) if _briefly else count
