"""Runs and their windows in a database: SQLite for one service, PostgreSQL for several replicas.

Both tables only grow. A window is row `number` of its run, and a run's counter is raised together
with the rows, under the lock that raising it takes. So of two replicas that read the same window
at the same time one keeps it, and the other one learns that it was too late.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from analyzer.schemas.stored import decode_observation, decode_run, encode_arm, encode_run
from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from analyzer.domain.observation import Observation
    from analyzer.domain.setup import StoredRun

FILE_NAME = "runs.sqlite"
_BUSY_SECONDS = 5
_HINT = "is the database there, and may the service write to it?"
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS analyzer_run (
        run VARCHAR(255) NOT NULL PRIMARY KEY, begun TEXT NOT NULL, windows INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS analyzer_window (
        run VARCHAR(255) NOT NULL REFERENCES analyzer_run (run), number INTEGER NOT NULL,
        metric VARCHAR(32) NOT NULL, window_start DOUBLE PRECISION NOT NULL,
        window_end DOUBLE PRECISION NOT NULL, weight DOUBLE PRECISION,
        canary TEXT NOT NULL, stable TEXT NOT NULL,
        PRIMARY KEY (run, number), UNIQUE (run, metric, window_start)
    )""",
)
_BEGIN = (
    "INSERT INTO analyzer_run (run, begun, windows) VALUES (:run, :begun, 0)"
    " ON CONFLICT (run) DO NOTHING"
)
_FIND = "SELECT begun FROM analyzer_run WHERE run = :run"
_COUNT = "UPDATE analyzer_run SET windows = windows + :more WHERE run = :run AND windows = :after"
_APPEND = (
    "INSERT INTO analyzer_window"
    " (run, number, metric, window_start, window_end, weight, canary, stable)"
    " VALUES (:run, :number, :metric, :start, :end, :weight, :canary, :stable)"
)
_READ = (
    "SELECT metric, window_start, window_end, weight, canary, stable FROM analyzer_window"
    " WHERE run = :run AND number >= :skip ORDER BY number"
)


class SqlRunStore:
    """A RunStore; the database is opened, and its tables made, when it is first needed."""

    def __init__(self, *, directory: Path | None = None, url: str = "") -> None:
        """Take a directory for SQLite, or a URL of SQLAlchemy's; neither keeps all in memory."""
        self._directory, self._url = directory, url
        self._engine: Engine | None = None
        self._opening = Lock()
        # SQLite has one writer, and its connections belong to threads.
        self._alone = Lock()

    def find(self, run: str) -> StoredRun | None:
        """Return a run; see the port."""
        with self._transaction() as connection:
            return self._find(connection, run)

    def begin(self, stored: StoredRun) -> StoredRun:
        """Keep a run, or return the one that was there first; see the port."""
        run = stored.setup.run
        with self._transaction() as connection:
            _execute(connection, _BEGIN, {"run": run, "begun": encode_run(stored)})
            found = self._find(connection, run)
        if found is None:
            raise _failed("the run that was kept is not there")
        return found

    def observations(self, run: str, *, skip: int) -> list[Observation]:
        """Return a run's observations; see the port."""
        with self._transaction() as connection:
            rows = _execute(connection, _READ, {"run": run, "skip": skip}).all()
        try:
            return [
                decode_observation(
                    metric=metric,
                    start=start,
                    end=end,
                    weight=weight,
                    canary=canary,
                    stable=stable,
                )
                for metric, start, end, weight, canary, stable in rows
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise _failed(f"a window of {run!r} cannot be read: {error}") from None

    def append(self, run: str, observations: Sequence[Observation], *, after: int) -> bool:
        """Keep observations, all or none; see the port."""
        with self._transaction() as connection:
            claim = {"run": run, "more": len(observations), "after": after}
            if _execute(connection, _COUNT, claim).rowcount != 1:
                return False
            rows = [_row(run, after + index, one) for index, one in enumerate(observations)]
            _execute(connection, _APPEND, rows)
        return True

    def close(self) -> None:
        """Let go of the database."""
        with self._opening:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _find(self, connection: Connection, run: str) -> StoredRun | None:
        row = _execute(connection, _FIND, {"run": run}).first()
        if row is None:
            return None
        try:
            return decode_run(row[0])
        except (ValueError, KeyError, TypeError, InvalidInput) as error:
            raise _failed(f"the run {run!r} cannot be read: {error}") from None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - costs time at start

        try:
            engine = self._opened()
            if engine.dialect.name == "sqlite":
                with self._alone, engine.begin() as connection:
                    yield connection
            else:
                with engine.begin() as connection:
                    yield connection
        except SQLAlchemyError as error:
            raise _failed(type(error).__name__) from None

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        from sqlalchemy import URL, create_engine, pool  # noqa: PLC0415 - costs time at start
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

        if self._url:
            engine = create_engine(self._url, pool_pre_ping=True)
        elif self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _failed(f"{self._directory}: {error.strerror or error}") from None
            engine = create_engine(
                URL.create("sqlite", database=str(self._directory / FILE_NAME)),
                connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
                poolclass=pool.StaticPool,
            )
        else:
            engine = create_engine(
                "sqlite://", connect_args={"check_same_thread": False}, poolclass=pool.StaticPool
            )
        try:
            _prepare(engine)
        except SQLAlchemyError:
            # Another replica may have been making the tables in this very moment.
            _prepare(engine)
        return engine


def _prepare(engine: Engine) -> None:
    from sqlalchemy import text  # noqa: PLC0415 - costs time at start

    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # A commit then costs no wait for the disk; it survives the process at any moment.
            connection.execute(text("PRAGMA journal_mode = WAL"))
            connection.execute(text("PRAGMA synchronous = NORMAL"))
        for statement in _SCHEMA:
            connection.execute(text(statement))


def _execute(connection: Connection, statement: str, values: Any) -> Any:
    from sqlalchemy import text  # noqa: PLC0415 - costs time at start

    return connection.execute(text(statement), values)


def _row(run: str, number: int, one: Observation) -> dict[str, Any]:
    return {
        "run": run,
        "number": number,
        "metric": one.metric,
        "start": one.window.start,
        "end": one.window.end,
        "weight": one.weight,
        "canary": encode_arm(one.arms.canary),
        "stable": encode_arm(one.arms.stable),
    }


def _failed(what: str) -> Unavailable:
    return Unavailable(
        f"the store of runs failed: {what}", code="store_failed", status=503, hint=_HINT
    )
