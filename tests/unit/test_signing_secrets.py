"""Which secrets of a gateway or of a webhook are good, and when."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from taesan.core import signing_secrets

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Row:
    secret: str = field(default_factory=signing_secrets.new_secret)
    previous_secret: str | None = None
    previous_secret_until: datetime | None = None


@pytest.mark.parametrize(("overlap_s", "after_s", "count"), [(0, 0, 1), (60, 0, 2), (60, 59, 2), (60, 60, 1)])
def test_the_old_secret_is_good_until_the_overlap_ends(overlap_s: int, after_s: int, count: int) -> None:
    row = Row()
    old = row.secret
    assert signing_secrets.good(row, NOW) == [old]
    signing_secrets.rotate(row, overlap_s, NOW)
    assert row.secret != old
    assert signing_secrets.good(row, NOW + timedelta(seconds=after_s)) == [row.secret, old][:count]


def test_the_library_takes_a_secret_as_it_is() -> None:
    secret, now, body = signing_secrets.new_secret(), datetime.now(UTC), '{"a": 1}'
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(secret).sign("msg_1", now, body)
    assert Webhook(secret).verify(body, headers) == {"a": 1}
