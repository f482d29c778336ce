"""Live progress on stderr: lines that scroll, and on a terminal one that is redrawn."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from rollout_runner.report import Progress

if TYPE_CHECKING:
    from rollout_runner.events import Event

_ERASE_LINE = "\r\x1b[2K"


class Display:
    """Writes the progress of a run as its events come."""

    def __init__(self, *, quiet: bool, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._quiet = quiet
        self._terminal = stream.isatty()
        self._progress = Progress(color=wants_color(stream))

    def write(self, event: Event) -> None:
        """Show the event."""
        lines = self._progress.apply(event)
        if self._quiet:
            return
        if self._terminal:
            self._stream.write(_ERASE_LINE)
        for line in lines:
            self._stream.write(line + "\n")
        if self._terminal:
            width = os.get_terminal_size(self._stream.fileno()).columns
            self._stream.write(self._progress.status_line()[: width - 1])
        self._stream.flush()

    def close(self) -> None:
        """Take the redrawn line away."""
        if self._terminal and not self._quiet:
            self._stream.write(_ERASE_LINE)
            self._stream.flush()


def wants_color(stream: TextIO) -> bool:
    """Whether the stream is a terminal and nobody set NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR")
