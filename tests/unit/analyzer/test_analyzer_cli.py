"""The command line: exit codes, output on stdout, and a quick --help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from analyzer.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["canary-analyzer", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0)

    return run


def _file(tmp_path: Path, canary: tuple[int, int], stable: tuple[int, int]) -> str:
    window = {
        "start": "2026-02-04T02:00:00Z",
        "end": "2026-02-04T02:05:00Z",
        "metric": "errors",
        "canary": {"bad": canary[0], "count": canary[1]},
        "stable": {"bad": stable[0], "count": stable[1]},
    }
    path = tmp_path / "windows.json"
    path.write_text(json.dumps({"id": "r1", "windows": [window]}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        pytest.param(((3, 574), (3, 626)), ("pass", 0), id="pass"),
        pytest.param(((30, 574), (3, 626)), ("fail", 3), id="fail"),
        pytest.param(((1, 24), (0, 96)), ("inconclusive", 4), id="inconclusive"),
    ],
)
def test_judge_tells_the_verdict_twice(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arms: tuple[tuple[int, int], tuple[int, int]],
    expected: tuple[str, int],
) -> None:
    """The exit code and the document agree."""
    exit_code = run("judge", _file(tmp_path, *arms), "--output", "json")
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], exit_code) == expected
    assert document["run"] == "r1"


def test_judge_writes_text_by_default(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for the verdict, one for each metric."""
    run("judge", _file(tmp_path, (3, 574), (3, 626)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "verdict: pass"
    assert [line.split(":")[0] for line in lines[1:]] == ["error_rate", "error_rate_threshold"]


def test_judge_writes_to_a_file(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --out nothing goes to stdout."""
    out = tmp_path / "verdict.json"
    run("judge", _file(tmp_path, (3, 574), (3, 626)), "--output", "json", "--out", str(out))
    assert json.loads(out.read_text(encoding="utf-8"))["passed"] is True
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["judge", "/nonexistent.json"], id="missing-file"),
        pytest.param(["judge", "--output", "xml", "x"], id="unknown-format"),
        pytest.param(["serve", "--config-dir", "/nonexistent"], id="config-dir"),
        pytest.param(["judge", "--config", "none", "/dev/null"], id="empty-file"),
        pytest.param(["replay", "/nonexistent.jsonl"], id="missing-recording"),
        pytest.param(["serve", "--source", "graphite=http://p"], id="unsupported-source"),
        pytest.param(["serve", "--log-level", "loud"], id="log-level"),
    ],
)
def test_bad_input_is_one_error_with_exit_code_2(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """No traceback, nothing on stdout."""
    assert run(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err


def test_help_needs_no_server_libraries() -> None:
    """Showing help imports neither the web framework nor the settings."""
    code = "import analyzer.cli, sys; print({'fastapi', 'pydantic', 'httpx'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout == "set()\n"


def test_the_service_needs_no_scipy() -> None:
    """The heavy library is left until it is needed, so that the service is ready at once."""
    code = "import analyzer.app, sys; print('scipy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout == "False\n"
