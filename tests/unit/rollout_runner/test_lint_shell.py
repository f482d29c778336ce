"""Which text of a container is a script, and with what it is run."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.lint.shell import Script, scripts_of


def scripts(**container: Any) -> list[Script]:
    """Return the scripts of a pod with one container."""
    return list(scripts_of({"containers": [{"name": "c", **container}]}, ("spec",)))


@pytest.mark.parametrize(
    ("command", "args", "where"),
    [
        (["sh", "-c", "exit 1"], [], ("command", 2)),
        (["/bin/bash", "-c"], ["exit 1"], ("args", 0)),
        (["sh", "-c", "-x"], ["exit 1"], ("args", 0)),
        (["bash", "-euo", "pipefail", "-c", "exit 1"], [], ("command", 4)),
        (["sh"], ["-ec", "exit 1"], ("args", 1)),
    ],
)
def test_the_script_is_the_first_word_behind_c(
    command: list[str], args: list[str], where: tuple[str, int]
) -> None:
    """As the shell itself reads its arguments."""
    (script,) = scripts(command=command, args=args)
    assert (script.text, script.path) == ("exit 1", ("spec", "containers", 0, *where))


@pytest.mark.parametrize(
    "command", [["/check"], ["sh", "/opt/check.sh"], ["python3", "-c", "x"], []]
)
def test_what_is_no_script_is_left_alone(command: list[str]) -> None:
    """A program or a file cannot be looked into."""
    assert scripts(command=command) == []


@pytest.mark.parametrize(
    ("command", "text", "stops", "pipes"),
    [
        (["sh", "-c"], "curl x", False, False),
        (["sh", "-ec"], "curl x", True, False),
        (["sh", "-c"], "set -eu\ncurl x", True, False),
        (["bash", "-c"], "set -euo pipefail\ncurl x", True, True),
        (["bash", "-c"], "set -o errexit; curl x", True, False),
        (["bash", "-euo", "pipefail", "-c"], "curl x", True, True),
        (["sh", "-c"], "# set -e\necho 'no -e'", False, False),
    ],
)
def test_what_the_shell_stops_at(
    command: list[str],
    text: str,
    stops: bool,  # noqa: FBT001 - a table
    pipes: bool,  # noqa: FBT001 - a table
) -> None:
    """From the command line, or from `set` in the script; a comment sets nothing."""
    (script,) = scripts(command=command, args=[text])
    assert (script.stops_on_error, script.sees_pipes) == (stops, pipes)


def test_comments_are_no_commands() -> None:
    """Lines keep their numbers; what a backslash, a pipe or && continues is one command."""
    (script,) = scripts(command=["sh", "-c"], args=["# one\ncurl \\\n  -f x  # two\n\necho $#"])
    assert script.commands == [(2, "curl -f x"), (5, "echo $#")]
    assert len(script.lines) == 5


def test_a_pipe_at_the_end_of_a_line_goes_on() -> None:
    """The left side of a pipe is seen together with its right side."""
    (script,) = scripts(command=["sh", "-c"], args=["a |\n  b &&\n  c\nd"])
    assert script.commands == [(1, "a | b && c"), (4, "d")]
