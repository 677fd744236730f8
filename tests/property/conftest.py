"""Hypothesis: as long as it takes, and no memory between runs but what a test names with `@example`."""

from hypothesis import HealthCheck, settings

from tests.support.examples import examples

settings.register_profile(
    "taesan",
    max_examples=examples(100),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("taesan")
