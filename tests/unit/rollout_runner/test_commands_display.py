"""Live progress on a stream: lines for a pipe, a redrawn line for a terminal."""

from __future__ import annotations

import io
import os

import pytest
from report_logs import aborted_log

from rollout_runner.commands.display import Display, wants_color

EVENTS = aborted_log().events


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True

    def fileno(self) -> int:
        """Return a number that nobody uses."""
        return 99


@pytest.fixture(name="terminal")
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of forty columns."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd: os.terminal_size((40, 24)))
    monkeypatch.setenv("NO_COLOR", "1")
    return Terminal()


def show(stream: io.StringIO, *, quiet: bool = False) -> str:
    """Show a whole run and return what was written."""
    display = Display(quiet=quiet, stream=stream)
    for event in EVENTS:
        display.write(event)
    display.close()
    return stream.getvalue()


def test_a_pipe_gets_plain_lines() -> None:
    """No escape sequences; the steps and the outcome are there."""
    text = show(io.StringIO())
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.endswith("\n")
    assert "step 1/9" in text
    assert "ROLLED BACK" in text


def test_quiet_shows_nothing(terminal: Terminal) -> None:
    """Neither on a pipe nor on a terminal."""
    assert show(io.StringIO(), quiet=True) == ""
    assert show(terminal, quiet=True) == ""


def test_a_terminal_has_a_line_that_is_redrawn(terminal: Terminal) -> None:
    """It is erased before each line that scrolls, fits the width, and is gone at the end."""
    text = show(terminal)
    assert text.endswith("\r\x1b[2K")
    redrawn = [part.rsplit("\n", 1)[-1] for part in text.split("\r\x1b[2K")]
    assert max(map(len, redrawn)) == 39
    assert any("step 6/9" in line for line in redrawn)


@pytest.mark.parametrize(
    ("stream", "no_color", "color"),
    [
        pytest.param(io.StringIO(), "", False, id="pipe"),
        pytest.param(Terminal(), "", True, id="terminal"),
        pytest.param(Terminal(), "1", False, id="no-color"),
    ],
)
def test_color(
    stream: io.StringIO,
    no_color: str,
    color: bool,  # noqa: FBT001 - a column of the table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a terminal, unless NO_COLOR is set."""
    monkeypatch.setenv("NO_COLOR", no_color)
    assert wants_color(stream) is color
