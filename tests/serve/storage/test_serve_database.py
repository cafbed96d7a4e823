"""What was written is there, whole; what was not is not."""

import sqlite3
import threading

import pytest

from pollux.base.errors import ConfigError
from pollux.serve.errors import ApiError
from pollux.serve.storage.database import Database
from pollux.serve.storage.library import Library

TABLE = "CREATE TABLE things (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)"
ADD = "INSERT INTO things (name) VALUES (?)"


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "a.sqlite")
    database.table("things", TABLE)
    yield database
    database.close()


def test_what_is_written_is_read_by_others_and_after_a_restart(database, tmp_path):
    assert database.execute(ADD, ("one",)) == 1
    assert [row["name"] for row in database.rows("SELECT * FROM things")] == ["one"]
    database.close()
    again = Database(tmp_path / "a.sqlite")
    again.table("things", TABLE, "ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 3")
    again.table("things", TABLE, "ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 3")
    assert tuple(again.row("SELECT * FROM things")) == (1, "one", 3)
    again.close()


def test_a_write_is_whole_or_not_at_all_and_its_neighbours_stay(database):
    def twice(connection):
        connection.execute(ADD, ("two",))
        connection.execute(ADD, ("two",))

    def slow(connection):
        begun.set()
        waiting.wait(5)

    def failing():
        with pytest.raises(sqlite3.IntegrityError):
            database.write(twice)
        failed.set()

    begun, waiting, failed = threading.Event(), threading.Event(), threading.Event()
    threads = [threading.Thread(target=database.write, args=(slow,))]
    threads += [threading.Thread(target=database.execute, args=(ADD, (f"n{number}",))) for number in range(20)]
    threads.append(threading.Thread(target=failing))
    threads[0].start()
    begun.wait(5)  # the others gather behind it, and are made durable together
    for thread in threads[1:]:
        thread.start()
    waiting.set()
    for thread in threads:
        thread.join()
    names = {row["name"] for row in database.rows("SELECT name FROM things")}
    assert failed.is_set() and names == {f"n{number}" for number in range(20)}


def test_readers_cannot_write(database):
    with pytest.raises(sqlite3.OperationalError):
        database.rows(ADD, ("x",))


def test_pages_are_newest_first_and_hold_each_row_once(database):
    for number in range(7):
        database.execute(ADD, (str(number),))
    seen, token = [], ""
    for _ in range(4):
        rows, token = database.page("things", 2, token)
        seen += [row["name"] for row in rows]
        database.execute(ADD, (f"new {len(seen)}",))  # comes meanwhile, and disturbs nothing
    assert seen == list("6543210") and not token
    with pytest.raises(ApiError) as told:
        database.page("things", 2, "no token")
    assert told.value.code == 400


def test_a_newer_file_is_refused(database, tmp_path):
    with pytest.raises(ConfigError, match="newer version"):
        database.table("things")
    database.write(lambda connection: connection.execute("PRAGMA user_version"))
    database.close()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="newer version"):
        Database(tmp_path / "a.sqlite")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "b.sqlite").write_bytes(b"something else " * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Database(tmp_path / "b.sqlite")


def test_one_server_at_a_time_uses_a_library(tmp_path):
    library = Library.open(tmp_path)
    with pytest.raises(ConfigError, match="another server"):
        Library.open(tmp_path)
    library.close()
    Library.open(tmp_path).close()
