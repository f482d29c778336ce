"""The file in which the durable store keeps everything: one SQLite database with its own log.

SQLite appends every transaction to its write-ahead log before `commit` returns, replays the log
when it opens, ignores a torn tail, and copies the log into the database now and then. What is
committed survives the death of the process at any moment. The log is synchronised with the disk
when it is copied, not at every commit: when the machine loses power, the last seconds may be
missing, but the database stays whole.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "store.sqlite"
SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE app (
    number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, name TEXT NOT NULL,
    labels BLOB NOT NULL, state BLOB NOT NULL, upto INTEGER NOT NULL
);
CREATE TABLE series (
    number INTEGER PRIMARY KEY AUTOINCREMENT, app INTEGER NOT NULL, source TEXT NOT NULL,
    labels BLOB NOT NULL, overflow INTEGER NOT NULL
);
CREATE TABLE block (
    series INTEGER NOT NULL, minute INTEGER NOT NULL, upto INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (series, minute)
);
CREATE TABLE journal (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE chunk (number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE lost (
    session TEXT NOT NULL, app TEXT NOT NULL, kind TEXT NOT NULL, before INTEGER NOT NULL,
    PRIMARY KEY (session, app, kind)
) WITHOUT ROWID;
CREATE TABLE document (
    session TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (session, kind, key)
) WITHOUT ROWID;
"""


class Database:
    """The open database; one process has it at a time."""

    def __init__(self, directory: Path) -> None:
        """Open the database in a directory, creating both when they are not there.

        Raises:
            InvalidInput: the directory cannot be used, is in use, or holds something else.
        """
        self.healthy = True
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                directory / FILE_NAME, isolation_level=None, check_same_thread=False, timeout=0
            )
            self._prepare()
        except OSError as error:
            raise _unusable(directory, error.strerror or str(error)) from None
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise InvalidInput(
                    f"the data directory {directory} is in use by another process",
                    code="data_dir_in_use",
                    hint="stop it, choose another --data-dir, or use --ephemeral",
                ) from None
            raise _unusable(directory, str(error)) from None
        except sqlite3.DatabaseError as error:
            raise InvalidInput(
                f"{directory / FILE_NAME} is damaged or no database of this service: {error}",
                code="data_dir_damaged",
                hint="move it away, or choose another --data-dir",
            ) from None

    @contextmanager
    def changes(self) -> Iterator[sqlite3.Connection]:
        """Return the connection in a transaction that takes hold as a whole or not at all.

        Raises:
            Unavailable: it could not be written; nothing of it took hold.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            self.healthy = False
            raise Unavailable(
                f"the data directory cannot be written: {error}",
                code="store_failed",
                status=503,
                hint="nothing of this request was kept; is the disk full?",
            ) from None
        self.healthy = True

    @property
    def reader(self) -> sqlite3.Connection:
        """The connection, for reading outside of a transaction."""
        return self._connection

    def close(self) -> None:
        """Copy the log into the database and let go of it."""
        self._connection.close()

    def _prepare(self) -> None:
        execute = self._connection.execute
        # Alone: a second process would serve other numbers. It also saves the shared-memory file.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA journal_size_limit = 16777216")
        [version] = execute("PRAGMA user_version").fetchone()
        if version == 0:
            script = f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            self._connection.executescript(script)
        elif version != SCHEMA_VERSION:
            raise InvalidInput(
                f"the data directory was written by another version (schema {version})",
                code="data_dir_version",
                hint="move it away, or choose another --data-dir",
            )
        else:
            # Take hold of the lock at once, not with the first batch.
            execute("BEGIN IMMEDIATE")
            execute("COMMIT")


def _unusable(directory: Path, what: str) -> InvalidInput:
    return InvalidInput(
        f"the data directory {directory} cannot be used: {what}",
        code="data_dir_unusable",
        hint="choose another --data-dir, or use --ephemeral to keep everything in memory",
    )
