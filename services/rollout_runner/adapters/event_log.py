"""Event sinks: a file of JSON lines, and several sinks as one. A run's folder has one owner."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rollout_runner.events import Event, decode_log, encode
from svckit.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self


LOCK_FILE = ".lock"


@contextmanager
def run_folder(folder: Path) -> Iterator[None]:
    """Own the folder while the block runs; two runs would write into one record.

    Raises:
        Conflict: another run owns it.
        InvalidInput: it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w")
    except OSError as error:
        raise InvalidInput(
            f"folder {folder}: {error.strerror}", hint="choose another: --dir"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(
                f"a run is in progress in {folder}",
                code="run_in_progress",
                hint="wait for its end, or choose another folder with --dir",
            ) from None
        yield


class EventFile:
    """Appends events to a file, one a line, flushed line by line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, event: Event) -> None:
        """Append the event."""
        self._file.write(encode(event) + b"\n")
        self._file.flush()


class Tee:
    """Hands every event to each of several writers, in order."""

    def __init__(self, *writers: Callable[[Event], None]) -> None:
        self._writers = writers

    def write(self, event: Event) -> None:
        """Pass the event on."""
        for writer in self._writers:
            writer(event)


def read_events(path: Path) -> tuple[Event, ...]:
    """Read a whole event log.

    Raises:
        InvalidInput: there is no such file, or it is not an event log.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InvalidInput(
            f"event log {path}: {error.strerror}", hint="gatelab run writes events.jsonl"
        ) from None
    return tuple(decode_log(lines, source=str(path)))
