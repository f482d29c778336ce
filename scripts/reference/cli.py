"""cli.md: what every command says about itself with --help."""

from __future__ import annotations

import os
from unittest.mock import patch

import typer

from reference.markdown import page, table
from reference.programs import COMMAND_LINES
from svckit.errors import ExitCode

_WIDTH = 110
_MEANINGS = {
    ExitCode.OK: "promoted, passed, clean",
    ExitCode.BUG: "a bug; `GATELAB_DEBUG=1` shows where",
    ExitCode.USAGE: "usage or invalid input; nothing was started",
    ExitCode.GATE_FAILED: "the gate failed: aborted, verdict fail, expectation of a demo not met",
    ExitCode.INCONCLUSIVE: "inconclusive or paused",
    ExitCode.COULD_NOT_JUDGE: "could not judge: a source, program or port failed",
    ExitCode.INTERRUPTED: "interrupted",
}


def render() -> str:
    """Return the page."""
    parts = []
    for name, command, text in helps():
        level = "###" if command else "##"
        title = f"{name} {command}" if command else name
        parts += [f"{level} {title}", f"```text\n{text}\n```"]
    return page(
        "Commands",
        "Human text goes to stderr, data to stdout. `NO_COLOR` switches colours off. An error is"
        " one line, and one more with a hint. Each command is also `python -m` and its package"
        " (`rollout_runner`, `mock_newrelic`, `analyzer`, `votegen`, `voteapp`).",
        "## Exit codes",
        table(("Code", "Means"), [(str(int(code)), text) for code, text in _MEANINGS.items()]),
        *parts,
    )


def helps() -> list[tuple[str, str, str]]:
    """Return program, command (empty for the program itself) and help text of each."""
    found = []
    # A terminal's width and an environment variable's value must not get into the page.
    with patch.dict(os.environ, {}, clear=True):
        for name, cli in COMMAND_LINES.items():
            program = typer.main.get_command(cli)
            context = program.make_context(
                name,
                [],
                resilient_parsing=True,
                terminal_width=_WIDTH,
                max_content_width=_WIDTH,
            )
            found.append((name, "", _tidy(program.get_help(context))))
            for command, each in getattr(program, "commands", {}).items():
                inner = each.make_context(command, [], parent=context, resilient_parsing=True)
                found.append((name, command, _tidy(each.get_help(inner))))
    return found


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()
