"""The books under random use and under random forgery, on a real database file."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from taesan.core.db import Database
from taesan.core.values import MAX_AMOUNT
from taesan.ledger import posting
from taesan.ledger.accounts import AccountName, Chart
from taesan.ledger.audit import Report, audit_books
from taesan.ledger.models import Account, Balance, JournalEntry, Posting
from taesan.ledger.posting import AlreadyPostedError, Line, OverdrawnError, transfer
from tests.support import databases
from tests.support.examples import examples
from tests.support.offline import new_database

pytestmark = pytest.mark.database("sqlite", "postgresql")

NOW = datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
CHARTS = [Chart("eip155:1/erc20:0xA"), Chart("USD")]
OWNED: list[Callable[[Chart, str], AccountName]] = [Chart.channel, Chart.jar, Chart.pending, Chart.credit]

CHART = st.sampled_from(CHARTS)
AMOUNT = st.integers(0, 1_000)


@st.composite
def liabilities(draw: st.DrawFn, chart: Chart) -> AccountName:
    if draw(st.integers(0, 9)) == 0:
        return chart.surplus
    return draw(st.sampled_from(OWNED))(chart, draw(st.sampled_from(["anna", "berta"])))


class Books(RuleBasedStateMachine):
    """Random entries; the model is a dictionary."""

    refs: Bundle[str] = Bundle("refs")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="taesan-books-"))
        self.db = new_database(self.folder)
        self.model: dict[AccountName, int] = defaultdict(int)
        self.posted: set[str] = set()
        self.lines = 0

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()
            shutil.rmtree(self.folder)

    def _post(self, *lines: Line) -> str:
        ref = f"entry {len(self.posted)}"
        with self.db.write() as session:
            posting.post(session, ref, "test", NOW, lines)
        for line in lines:
            self.model[line.account] += line.amount * line.account.side
        self.posted.add(ref)
        self.lines += sum(1 for line in lines if line.amount)
        return ref

    @rule(target=refs, chart=CHART, amount=st.integers(1, 1_000), owner=st.sampled_from(["anna", "berta"]))
    def deposit(self, chart: Chart, amount: int, owner: str) -> str:
        return self._post(Line(chart.escrow, amount), Line(chart.channel(owner), -amount))

    @rule(chart=CHART, data=st.data(), amount=st.integers(1, 1_000))
    def move_or_refuse(self, chart: Chart, data: st.DataObject, amount: int) -> None:
        source, target = data.draw(liabilities(chart)), data.draw(liabilities(chart))
        if source == target or self.model[source] >= amount:
            self._post(*transfer(source, target, amount))
            return
        with pytest.raises(OverdrawnError):
            self._post(*transfer(source, target, amount))

    @rule(chart=CHART, amounts=st.lists(AMOUNT, min_size=1, max_size=5), data=st.data())
    def share_out(self, chart: Chart, amounts: list[int], data: st.DataObject) -> None:
        """One entry with many lines, zeros among them, several to one account."""
        source, total = chart.channel("anna"), sum(amounts)
        targets = [data.draw(st.sampled_from([chart.jar("anna"), chart.pending("berta")])) for _ in amounts]
        lines = [Line(source, total), *(Line(t, -a) for t, a in zip(targets, amounts, strict=True))]
        if total == 0:
            with pytest.raises(ValueError, match="balance"):
                self._post(*lines)
        elif total > self.model[source]:
            with pytest.raises(OverdrawnError):
                self._post(*lines)
        else:
            self._post(*lines)

    @rule(chart=CHART, amount=st.integers(1, 1_000))
    def pay_out_or_refuse(self, chart: Chart, amount: int) -> None:
        lines = [Line(chart.credit("anna"), amount), Line(chart.escrow, -amount)]
        if min(self.model[chart.credit("anna")], self.model[chart.escrow]) >= amount:
            self._post(*lines)
        else:
            with pytest.raises(OverdrawnError):
                self._post(*lines)

    @rule(ref=refs, chart=CHART)
    def the_same_entry_again_is_refused(self, ref: str, chart: Chart) -> None:
        with pytest.raises(AlreadyPostedError), self.db.write() as session:
            posting.post(session, ref, "test", NOW, [Line(chart.escrow, 5), Line(chart.channel("anna"), -5)])

    @rule(chart=CHART, off=st.integers(-5, 5).filter(bool))
    def what_does_not_balance_is_refused(self, chart: Chart, off: int) -> None:
        with pytest.raises(ValueError, match="balance"), self.db.write() as session:
            posting.post(session, "odd", "test", NOW, [Line(chart.escrow, 10 + off), Line(chart.channel("anna"), -10)])

    @rule(amount=st.integers(1, 1_000))
    def two_assets_do_not_balance_each_other(self, amount: int) -> None:
        lines = [Line(CHARTS[0].escrow, amount), Line(CHARTS[1].channel("anna"), -amount)]
        with pytest.raises(ValueError, match="balance"), self.db.write() as session:
            posting.post(session, "mixed", "test", NOW, lines)

    @rule(chart=CHART)
    def a_transaction_is_undone_as_a_whole(self, chart: Chart) -> None:
        """The first entry of a transaction goes with the second, which fails."""
        too_much = self.model[chart.channel("anna")] + 8

        def both() -> None:
            with self.db.write() as session:
                posting.post(session, "a", "test", NOW, [Line(chart.escrow, 7), Line(chart.channel("anna"), -7)])
                posting.post(session, "b", "test", NOW, transfer(chart.channel("anna"), chart.jar("anna"), too_much))

        with pytest.raises(OverdrawnError):
            both()

    @rule(chart=CHART)
    def no_account_holds_more_than_a_column(self, chart: Chart) -> None:
        lines = [Line(chart.escrow, MAX_AMOUNT), Line(chart.channel("anna"), -MAX_AMOUNT)]
        if self.model[chart.escrow]:
            with pytest.raises(OverdrawnError):
                self._post(*lines)

    @invariant()
    def the_books_are_what_the_model_says(self) -> None:
        if not hasattr(self, "db"):
            return
        with self.db.read() as session:
            for account, amount in self.model.items():
                assert posting.balance(session, account) == amount
            sums = session.execute(
                select(Account.asset, func.sum(Balance.amount * Account.side))  # type: ignore[call-overload]
                .join(Balance, Balance.account_id == Account.id)
                .group_by(Account.asset)
            ).all()
            assert all(total == 0 for _, total in sums)
            assert _audit(session).differences == []
            assert session.scalar(select(func.count()).select_from(JournalEntry)) == len(self.posted)
            assert session.scalar(select(func.count()).select_from(Posting)) == self.lines


def _audit(session: Session) -> Report:
    report = Report()
    audit_books(session, report)
    return report


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=examples(12), stateful_step_count=25, parent=settings())


# ------------------------------------------------------------------------ forgery


def _write_some_books(db: Database) -> None:
    chart = CHARTS[0]
    for number in range(6):
        with db.write() as session:
            lines = [Line(chart.escrow, 100 + number), Line(chart.channel("anna"), -100 - number)]
            posting.post(session, f"deposit {number}", "deposit", NOW, lines)
            lines = transfer(chart.channel("anna"), chart.jar("anna"), 10 + number)
            posting.post(session, f"payment {number}", "payment", NOW, lines)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> str:
    db = new_database(tmp_path_factory.mktemp("books"))
    _write_some_books(db)
    db.close()
    return db.url


STATEMENTS = [
    "UPDATE posting SET amount = amount + 1",
    "UPDATE posting SET account_id = account_id + 1",
    "UPDATE posting SET line = line + 10",
    "UPDATE posting SET entry_id = entry_id + 100",
    "DELETE FROM posting",
    "DELETE FROM posting WHERE entry_id = 3 AND line = 1",
    "UPDATE journal_entry SET ref = ref || 'x'",
    "UPDATE journal_entry SET kind = 'gift'",
    "UPDATE journal_entry SET posted_at = '2020-01-01 00:00:00.000000'",
    "UPDATE journal_entry SET hash = (SELECT hash FROM journal_entry WHERE id = 1)",
    "DELETE FROM journal_entry WHERE id = 1",
    "INSERT INTO posting SELECT * FROM posting WHERE true ON CONFLICT (entry_id, line) DO UPDATE SET amount = 1",
]
OF_SQLITE = [
    "INSERT OR REPLACE INTO posting SELECT entry_id, line, account_id, amount + 1 FROM posting",
    "UPDATE OR REPLACE posting SET line = 0",
    "INSERT OR REPLACE INTO journal_entry SELECT id, ref, 'gift', posted_at, hash FROM journal_entry",
    "INSERT OR REPLACE INTO journal_entry SELECT id + 100, ref, kind, posted_at, hash FROM journal_entry",
]
OF_POSTGRESQL = ["TRUNCATE posting", "TRUNCATE journal_entry", "TRUNCATE journal_entry, posting"]


@pytest.mark.parametrize(
    "statement",
    [
        *STATEMENTS,
        *(pytest.param(statement, marks=pytest.mark.database("sqlite")) for statement in OF_SQLITE),
        *(pytest.param(statement, marks=pytest.mark.database("postgresql")) for statement in OF_POSTGRESQL),
    ],
)
def test_the_database_itself_refuses_to_change_what_was_posted(books: str, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"):
        databases.execute(books, statement)


FORGERIES = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                "UPDATE posting SET amount = amount + {n} WHERE entry_id = {entry} AND line = {line}",
                "UPDATE posting SET account_id = account_id % 3 + 1 WHERE entry_id = {entry} AND line = {line}",
                "UPDATE posting SET account_id = 99 WHERE entry_id = {entry} AND line = {line}",
                "UPDATE posting SET entry_id = {entry} % 12 + 1, line = 7 WHERE entry_id = {entry} AND line = {line}",
                "UPDATE posting SET entry_id = 1000 WHERE entry_id = {entry}",
                "UPDATE posting SET line = 5 WHERE entry_id = {entry} AND line = 0",
                "UPDATE posting SET amount = -amount WHERE entry_id = {entry}",
                "UPDATE posting SET amount = amount * 2 WHERE entry_id = {entry}",
                "DELETE FROM posting WHERE entry_id = {entry} AND line = {line}",
                "DELETE FROM posting WHERE entry_id = {entry}",
                "INSERT INTO posting SELECT entry_id, line + 2, account_id, amount FROM posting WHERE entry_id = {entry}",
                "INSERT INTO posting VALUES ({entry}, 8, 1, {n}), ({entry}, 9, 2, -{n})",
                "UPDATE journal_entry SET ref = 'forged' WHERE id = {entry}",
                "UPDATE journal_entry SET kind = 'gift' WHERE id = {entry}",
                "UPDATE journal_entry SET posted_at = '2020-01-01 00:00:00.000000' WHERE id = {entry}",
                "UPDATE journal_entry SET hash = zeroblob(32) WHERE id = {entry}",
                "UPDATE journal_entry SET id = 1000 + id WHERE id = {entry}",
                "DELETE FROM journal_entry WHERE id = {entry}",
                "INSERT INTO journal_entry VALUES (NULL, 'forged {entry}', 'gift', '2026-11-22 12:00:00', zeroblob(32))",
                "UPDATE balance SET amount = amount + {n} WHERE account_id = {account}",
                "UPDATE account SET name = 'forged' WHERE id = {account}",
                "UPDATE account SET side = -side WHERE id = {account}",
                "DELETE FROM account WHERE id = {account}",
                "INSERT INTO balance VALUES (1000, {n})",
                "DELETE FROM balance WHERE account_id = {account}",
            ]
        ),
        st.integers(1, 12),
        st.integers(0, 1),
        st.integers(1, 3),
        st.integers(1, 1_000),
    )
)


@pytest.mark.database("sqlite")  # what is looked at is the audit
@given(FORGERIES)
@settings(max_examples=examples(100))
def test_the_audit_finds_every_forgery(books: str, forgery: tuple[str, int, int, int, int]) -> None:
    statement, entry, line, account, n = forgery
    with tempfile.TemporaryDirectory() as folder:
        forged = databases.here().copy(books, Path(folder))
        assert databases.forge(forged, statement.format(entry=entry, line=line, account=account, n=n))
        db = Database(forged)
        with db.read() as session:
            assert _audit(session).differences
        db.close()


def test_a_forger_who_mends_sums_and_balances_still_breaks_the_chain(books: str, tmp_path: Path) -> None:
    """Everything adds up again; only the hashes tell."""
    forged = databases.here().copy(books, tmp_path)
    databases.forge(
        forged,
        "UPDATE posting SET amount = amount + 1 WHERE entry_id = 2 AND line = 0",
        "UPDATE posting SET amount = amount - 1 WHERE entry_id = 2 AND line = 1",
        "UPDATE balance SET amount = (SELECT sum(posting.amount * side) FROM posting JOIN account "
        "ON account.id = posting.account_id WHERE account_id = balance.account_id)",
        "DELETE FROM turnover",
        "INSERT INTO turnover SELECT journal_entry.kind, account.kind, asset, "
        "sum((amount + abs(amount)) / 2), sum((abs(amount) - amount) / 2) FROM posting "
        "JOIN journal_entry ON journal_entry.id = entry_id JOIN account ON account.id = account_id GROUP BY 1, 2, 3",
    )
    db = Database(forged)
    with db.read() as session:
        differences = _audit(session).differences
    db.close()
    assert len(differences) == 1
    assert "hash of entry 2" in differences[0]


def test_honest_books_have_no_differences(books: str) -> None:
    db = Database(books)
    with db.read() as session:
        report = _audit(session)
    db.close()
    assert report.differences == []
    assert report.counted == {"journal entries": 12, "postings": 24, "accounts": 3}
