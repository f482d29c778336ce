"""The command line: what it accepts, what it refuses, what it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from svckit.errors import InvalidInput
from votegen.cli import cli

URL = "http://127.0.0.1:8083"


def _run(*arguments: str) -> Exception | None:
    result = CliRunner().invoke(cli, ["run", *arguments])
    return result.exception if isinstance(result.exception, InvalidInput) else None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("--target", "ftp://h"), "ftp://h", id="ftp"),
        pytest.param(("--target", URL, "--target", URL), "two targets", id="same-name"),
        pytest.param(("--target", URL, "--rate", "0"), "--rate 0", id="rate-zero"),
        pytest.param(("--target", URL, "--rate", "fast"), "--rate fast", id="rate-text"),
        pytest.param(("--target", URL, "--rate", "nan"), "--rate nan", id="rate-nan"),
        pytest.param(("--target", URL, "--duration", "1d"), "--duration 1d", id="duration"),
        pytest.param(("--target", URL, "--timeout", "5"), "--timeout 5", id="timeout"),
        pytest.param(("--target", URL, "--arrivals", "sine"), "--arrivals sine", id="arrivals"),
        pytest.param(("--target", URL, "--voters", "x"), "voters is 'x'", id="voters"),
        pytest.param(("--target", URL, "--split-a", "66"), "split_a is 66", id="split"),
        pytest.param(("--target", URL, "--output", "xml"), "--output xml", id="output"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_sent(
    arguments: tuple[str, ...], message: str
) -> None:
    """One line names the flag or the field."""
    error = _run(*arguments)
    assert error is not None
    assert message in str(error)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        pytest.param(("--stages", "1"), "is not TIME:RATE", id="stages"),
        pytest.param(("--shape", "square:1"), "shape 'square:1' is not known", id="shape"),
        pytest.param(("--replay", "no-such-file"), "--replay no-such-file", id="replay"),
        pytest.param(("--plan", "no-such-file"), "--plan no-such-file", id="plan"),
        pytest.param(("--report-to", "1"), "expected http://HOST:PORT", id="report-to"),
        pytest.param(("--rate", "5", "--stages", "0s:1"), "exclude each other", id="two-rates"),
        pytest.param(("--shape", "steady:1", "--stages", "0s:1"), "exclude", id="two-shapes"),
        pytest.param(("--think", "1s"), "think time belongs to the closed loop", id="think"),
        pytest.param(("--gets", "2"), "gets is 2, expected a share", id="gets"),
        pytest.param(("--output", "xml"), "expected text, json, csv", id="output"),
        pytest.param(
            ("--report-to", "1", "--processes", "2"), "expected http://HOST:PORT", id="both"
        ),
    ],
)
def test_flags_that_cannot_be_are_explained(flags: tuple[str, ...], reason: str) -> None:
    """The flag that is wrong is named, and nothing is sent."""
    with pytest.raises(InvalidInput, match=reason):
        CliRunner().invoke(cli, ["run", "--target", URL, *flags], catch_exceptions=False)


def test_a_run_needs_a_target() -> None:
    """Neither flag nor plan file: nothing to send to."""
    with pytest.raises(InvalidInput, match="there is no target"):
        CliRunner().invoke(cli, ["run"], catch_exceptions=False)


def test_help_says_in_which_time_the_rate_counts() -> None:
    """The user chooses the rate knowing that it is virtual."""
    help_text = " ".join(CliRunner().invoke(cli, ["run", "--help"]).output.split())
    assert "Requests per virtual second" in help_text


def test_the_command_line_loads_no_server() -> None:
    """--help does not pay for FastAPI, uvicorn or httpx."""
    code = (
        "import sys, votegen.cli, voteapp.cli; "
        "print(sorted({'fastapi', 'uvicorn', 'httpx', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
