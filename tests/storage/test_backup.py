"""`taesan backup` and `taesan restore`: a copy of one moment while payments go on, and no way to put back the wrong one."""

import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from taesan import backup
from taesan.core import restoration, snapshots
from taesan.core.db import MIGRATIONS, Database
from taesan.core.models import Lease
from tests.support import databases
from tests.support.commands import run_here
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory


def _taesan(stage: Stage, *arguments: str) -> tuple[int, str]:
    return run_here(*arguments, environment=stage.environment)


@pytest.fixture
def saved(stage: Stage, tmp_path: Path) -> Path:
    """A backup of a hub with a payment."""
    stage.payer().pay(DOLLAR)
    file = tmp_path / "backups" / "hub.db"
    file.parent.mkdir()
    code, output = _taesan(stage, "backup", str(file))
    assert code == 0, output
    return file


def _there(stage: Stage) -> Path:
    return snapshots.path_of(stage.settings.database_url)


def test_a_backup_under_load_holds_one_moment(
    open_stage: StageFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "PAGES_A_STEP", 5)  # many steps, between each of which payments come in
    stage = open_stage(payer_rate="100000/second")
    anna, cafe = stage.payer(), stage.merchant()
    stop, steps, seen = threading.Event(), [], []

    def pay() -> None:
        while not stop.is_set():
            anna.pay(CENT, cafe)

    load = threading.Thread(target=pay)
    load.start()
    try:
        while anna.charged < 20 * CENT:
            stop.wait(0.01)

        def progress(done: int, total: int) -> None:
            steps.append((done, total))
            seen.append(anna.charged)
            stop.wait(0.02)

        before = anna.charged
        contents = backup.back_up(stage.settings.database_url, tmp_path / "copy.db", progress)
        after = anna.charged
    finally:
        stop.set()
        load.join()
    assert before <= contents.payments * CENT <= seen[0] + CENT, "the moment at which it began"
    assert seen[0] < seen[-1] <= after, "payments went on"
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    assert [path.name for path in tmp_path.glob("*copy*")] == ["copy.db"], "one file, and nothing is left beside it"


def test_it_says_what_it_holds(stage: Stage, saved: Path, tmp_path: Path) -> None:
    code, output = _taesan(stage, "backup", str(tmp_path / "again.db"))
    assert code == 0
    words = " ".join(output.split())
    for told in ("payments │ 1", "chain │ 31337, up to block", stage.facts["settlement"], "newest entry │ "):
        assert told in words, output


def test_a_backup_overwrites_nothing(stage: Stage, saved: Path) -> None:
    content = saved.read_bytes()
    code, output = _taesan(stage, "backup", str(saved))
    assert (code, "is there already, and is not overwritten" in output) == (2, True), output
    assert saved.read_bytes() == content


def test_a_backup_is_its_owners_alone_and_makes_no_folder(stage: Stage, saved: Path, tmp_path: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    code, output = _taesan(stage, "backup", str(tmp_path / "not mounted" / "hub.db"))
    assert code == 2, output
    assert "there is no folder" in output
    assert not (tmp_path / "not mounted").exists()


@pytest.mark.parametrize("command", [["alarms"], ["restore", "--mark"], ["quarantine", "list"], ["audit"]])
def test_no_command_makes_a_database_where_there_is_none(stage: Stage, tmp_path: Path, command: list[str]) -> None:
    """An empty one would say that all is well."""
    stage.settings = stage.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/typo.db"})
    code, output = _taesan(stage, *command)
    assert code == 2, output
    assert "there is no database at" in output
    assert not (tmp_path / "typo.db").exists()


def test_a_backup_of_false_books_is_none(stage: Stage, tmp_path: Path) -> None:
    stage.payer()
    databases.execute(stage.settings.database_url, "UPDATE balance SET amount = amount + 1 WHERE amount > 0")
    code, output = _taesan(stage, "backup", str(tmp_path / "copy.db"))
    assert (code, "the books do not hold" in output) == (2, True), output
    assert list(tmp_path.glob("*copy*")) == []


def test_a_restored_hub_catches_up_and_goes_on(stage: Stage, tmp_path: Path) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    assert _taesan(stage, "backup", str(tmp_path / "copy.db"))[0] == 0
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    stage.close()
    code, output = _taesan(stage, "restore", str(tmp_path / "copy.db"), "--replace")
    assert code == 0, output
    (aside,) = _there(stage).parent.glob("taesan.db.*.replaced")
    assert aside.name in output
    assert "payments │ 1" in " ".join(output.split())
    stage.later(16)
    stage.open()
    assert_problem(anna.try_to_pay(CENT, cafe), "reconciling", 503)
    stage.confirm()
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.audit().differences == []
    # The one that was there before is whole, and nobody's any more.
    kept = Database(f"sqlite:///{aside}")
    with kept.read() as session:
        assert not restoration.is_reconciling(session)
        assert session.connection().exec_driver_sql("SELECT count(*) FROM payment").scalar() == 2
    kept.close()


def test_restore_takes_an_empty_place(stage: Stage, saved: Path) -> None:
    stage.close()
    _there(stage).unlink()
    code, output = _taesan(stage, "restore", str(saved))
    assert (code, "is kept as" in output) == (0, False), output
    stage.open()
    assert len(stage.rows("SELECT id FROM restoration WHERE done_at IS NULL")) == 1


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_restore_is_not_mixed_with_what_is_left_of_another(stage: Stage, saved: Path, suffix: str) -> None:
    """SQLite would take the journal of a database that was moved away for the new one's."""
    there = _there(stage)
    stage.close()
    there.rename(there.with_name("broken.db"))
    left = there.with_name(there.name + suffix)
    left.write_bytes(b"something")
    code, output = _taesan(stage, "restore", str(saved))
    assert code == 2, output
    assert f"{left} is of a database that is gone" in output
    assert not there.exists()


def test_restore_leaves_what_is_there(stage: Stage, saved: Path) -> None:
    stage.close()
    content = _there(stage).read_bytes()
    code, output = _taesan(stage, "restore", str(saved))
    assert (code, "--replace keeps it aside" in output) == (2, True), output
    assert _there(stage).read_bytes() == content


def test_restore_refuses_while_anybody_has_the_database_open(stage: Stage, saved: Path) -> None:
    """Even an API process without a worker, which holds no lease."""
    stage.rows("SELECT 1 FROM payment")
    code, output = _taesan(stage, "restore", str(saved), "--replace")
    assert (code, "is in use" in output) == (2, True), output
    assert [path.name for path in _there(stage).parent.glob("*.replaced")] == []
    assert stage.audit().differences == [], "it works on"


def test_restore_refuses_another_chains(stage: Stage, saved: Path) -> None:
    databases.execute(f"sqlite:///{saved}", "UPDATE chain_binding SET chain_id = 5")
    _refused(stage, saved, "belongs to chain 5")


def test_restore_refuses_a_newer_schema(stage: Stage, saved: Path) -> None:
    databases.execute(f"sqlite:///{saved}", "UPDATE alembic_version SET version_num = '9999'")
    _refused(stage, saved, "has schema 9999, which is newer")


def test_restore_refuses_false_books(stage: Stage, saved: Path) -> None:
    databases.forge(f"sqlite:///{saved}", "UPDATE posting SET amount = amount * 2")
    _refused(stage, saved, "the books do not hold")


def test_restore_refuses_what_is_damaged(stage: Stage, saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[8_192:16_384] = bytes(8_192)
    saved.write_bytes(content)
    _refused(stage, saved, "")


def test_restore_refuses_what_is_no_database_or_no_hubs(stage: Stage, saved: Path, tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("no database at all, but long enough to look at" * 100)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    _refused(stage, text, "cannot be copied")
    _refused(stage, other, "this is no hub's database")
    _refused(stage, tmp_path / "missing", "cannot be opened")


def _refused(stage: Stage, file: Path, why: str) -> None:
    """And nothing is changed."""
    stage.close()
    content = _there(stage).read_bytes()
    code, output = _taesan(stage, "restore", str(file), "--replace")
    assert (code, why in output, "Traceback" in output) == (2, True, False), output
    assert _there(stage).read_bytes() == content
    assert [path.name for path in _there(stage).parent.iterdir()] == ["taesan.db"]


def test_restore_migrates_an_older_schema(stage: Stage, saved: Path) -> None:
    older = Database(f"sqlite:///{saved}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with older.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
    older.close()
    stage.close()
    code, output = _taesan(stage, "restore", str(saved), "--replace")
    assert (code, "schema │ 0007" in " ".join(output.split())) == (0, True), output
    stage.open()
    stage.confirm()
    assert stage.audit().differences == []


@pytest.mark.database("sqlite", "postgresql")
def test_a_database_that_was_restored_by_other_means_is_marked(stage: Stage) -> None:
    anna = stage.payer()
    stage.tick()
    stage.close()
    url, now = stage.settings.database_url, stage.clock.now()
    with pytest.raises(backup.BackupRefused, match="a hub works on this database, or has been killed on it"):
        backup.mark(url, now)
    backup.mark(url, now + timedelta(seconds=16))
    stage.later(16)
    stage.open()
    assert_problem(anna.try_to_pay(CENT), "reconciling", 503)
    stage.confirm()
    anna.pay(CENT)
    with stage.hub.db.read() as session:
        assert session.get(Lease, "pipeline") is not None


@pytest.mark.database("postgresql")
def test_for_postgresql_they_name_its_own_tools(stage: Stage, tmp_path: Path) -> None:
    for arguments in (("backup", str(tmp_path / "copy")), ("restore", str(tmp_path / "copy"))):
        code, output = _taesan(stage, *arguments)
        assert (code, "PostgreSQL has its own tools (docs/backup.md)" in output) == (2, True), output


def test_restore_wants_a_file_or_the_mark(stage: Stage, tmp_path: Path) -> None:
    for arguments, said in (
        ((), "name the FILE to restore, or --mark"),
        ((str(tmp_path / "copy"), "--mark"), "not both"),
    ):
        code, output = _taesan(stage, "restore", *arguments)
        assert (code, said in output) == (2, True), output
