"""Sends codes and each month's report by e-mail, through the operator's mail server: one mail at a time, beside everything else.

Never twice but where nobody can know: a mail that may have arrived (the connection broke after its last bytes, or the worker died) is
sent once more, under the same Message-ID, and then counted as a fault.
"""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlmodel import Session

from taesan.core import restoration, smtp
from taesan.core.db import retried
from taesan.core.i18n import translations
from taesan.core.meters import Counter
from taesan.core.smtp import Outcome
from taesan.core.worker import Worker
from taesan.hub import Hub
from taesan.insights import mail, report, subscribing, turns
from taesan.insights.audit_models import MonthAudit
from taesan.insights.mail import Way
from taesan.insights.schedule_models import ReportMail
from taesan.webhooks.schedule import wait_after

log = structlog.get_logger()

MAILS = Counter("taesan_report_mails", "Tries to send a mail, by what became of them.", ("kind", "result"))
LEASE = "mails"
CLAIM = timedelta(minutes=5)
"""After that a mail counts as nobody's again: surely longer than it takes to be made, tried and noted."""
MOST_DOUBTFUL = 2
CODE_TRIES = 5  # within eight hours: who has asked waits for it
DOUBTFUL = "it may have arrived: the mail server did not say"


class Claim(NamedTuple):
    """:ivar code: to be confirmed by; None: it is a report"""

    id: int
    until: datetime
    code: str | None


class MailWorker(Worker):
    """With a lease of its own: a mail server that hangs holds up nothing but mails.

    :param chance: from 0 to 1, for the jitter
    """

    def __init__(self, hub: Hub, chance: Callable[[], float] = random.random) -> None:
        self._hub, self._chance = hub, chance
        steps = {"send mails": self.send_step}
        super().__init__(hub.db, hub.clock, steps, hub.settings.worker_tick_s, hub.settings.worker_lease_s, LEASE)

    def send_step(self) -> bool:
        """Worker step: tries the one that is due longest; returns whether there was any."""
        now = self._hub.clock.now()
        with self._hub.db.read() as session:
            if not turns.due(session, ReportMail, now, 1) or restoration.is_reconciling(session):
                return False
        with self._hub.db.write() as session:
            claim = self._claim(session, now)
        if claim is not None and (tried := self._tried(claim, now)) is not None:
            kind = "code" if claim.code else "report"
            MAILS.values[kind, tried.result] += 1
            log.info("report_mail.tried", mail=claim.id, kind=kind, result=tried.result, reason=tried.reason)
            self._note(claim, tried)
        return True

    def _claim(self, session: Session, now: datetime) -> Claim | None:
        for row in turns.claim(session, ReportMail, now, now + CLAIM, 1):
            assert row.id is not None
            if row.code_expires_at is not None and row.code_expires_at <= now:
                session.delete(row)  # nobody has confirmed it
            elif row.doubtful >= MOST_DOUBTFUL:  # whoever had them has died
                self._end(session, row, DOUBTFUL, None, now)
            else:
                row.doubtful += 1  # until it is noted what became of it
                return Claim(row.id, row.due_at, None if row.is_monthly else subscribing.new_code(row, now))
        return None

    def _tried(self, claim: Claim, now: datetime) -> Outcome | None:
        """None: it was removed or changed meanwhile."""
        with self._hub.db.read() as session:
            found = turns.claimed(session, ReportMail, claim.id, claim.until)
            if found is None:
                return None
            row, person = found
            audit = None if claim.code else turns.audited(session, self._hub, row, person, now)
        settings = self._hub.settings
        way = Way(settings.smtp_from or "", row.address, row.token, settings.public_url, person.language, now)
        if claim.code:
            content: bytes | None = mail.confirmation(way, translations(person.language).gettext, claim.code)
        else:
            content = None if audit is None else self._report(way, audit)
        if content is None:
            return Outcome("later", turns.NOT_MADE)
        return smtp.send(settings, row.address, content, self.stopping)

    def _report(self, way: Way, audit: MonthAudit) -> bytes | None:
        """In no transaction: setting a page takes its time."""
        from taesan.insights import pdf  # with all of ReportLab: few hubs send mail

        writer = report.writer_in(way.language, self._hub)
        try:
            made = pdf.render(writer.document(audit), self._hub.settings.npm_dir)
        except Exception:  # of one person's month, which may hold up itself, but nobody else's
            log.exception("insights.report_not_made", month=audit.month)
            return None
        say = translations(way.language).gettext
        return mail.of_month(way, say, audit.month, writer.title(audit), writer.brief(audit), made)

    @retried
    def _note(self, claim: Claim, tried: Outcome) -> None:
        now = self._hub.clock.now()
        with self._hub.db.write() as session:
            found = turns.claimed(session, ReportMail, claim.id, claim.until)
            if found is None:
                return
            row, _ = found
            if tried.result != "unknown":
                row.doubtful -= 1
            may_try = tried.result in ("later", "unknown") and row.doubtful < MOST_DOUBTFUL
            if claim.code and row.tries >= CODE_TRIES:
                may_try = False
            fault = {"accepted": None, "unknown": DOUBTFUL}.get(tried.result, tried.reason)
            self._end(session, row, fault, wait_after(row.tries, self._chance()) if may_try else None, now)

    def _end(self, session: Session, row: ReportMail, fault: str | None, wait: timedelta | None, now: datetime) -> None:
        """Of a try. :param wait: None: it was the last"""
        if row.is_monthly or (fault is not None and wait is not None):
            turns.note(session, row, fault, wait, now)
        else:  # what comes of the code is the person's to do
            row.fault, row.due_at = fault, row.code_expires_at or now
        if wait is None:
            row.doubtful = 0
        session.add(row)
        session.flush()
