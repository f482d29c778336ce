"""`canary-analyzer watch` on a live run, and `replay` on recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer.adapters.config_files import ConfigFiles
from analyzer.adapters.watching import MOST_FAILURES, Watch, follow
from analyzer.cli import cli
from analyzer.service.recorded import CHUNK, judge_content, replay_lines
from svckit.cli import run_cli
from svckit.errors import InvalidInput, Unavailable
from svckit.timestamps import format_timestamp

START = 1_770_170_400


class JumpingClock:
    """Sleeping takes no time at all."""

    rate = 1.0

    def __init__(self) -> None:
        self._now = float(START)

    def now(self) -> float:
        """Return the instant."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Be there at once."""
        self._now += seconds


class Analyzer:
    """Answers with these verdicts, one a look; None is a source that failed."""

    def __init__(self, *verdicts: str | None) -> None:
        self.verdicts, self.asked = list(verdicts), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as GET /v1/analysis does."""
        self.asked.append(dict(request.url.params))
        verdict = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        if verdict is None:
            return httpx.Response(502, json={"detail": "source newrelic failed"})
        looks = len(self.asked)
        return httpx.Response(
            200,
            json={"timestamp": format_timestamp(START + 30 * looks), "verdict": verdict,
                  "reasonCode": "x", "reason": "so", "metrics": []},
        )  # fmt: skip


async def watched(analyzer: Analyzer, **changes: Any) -> tuple[str, list[dict[str, Any]]]:
    """Follow to the end; return the verdict and what was told."""
    told: list[dict[str, Any]] = []
    plan = {"run": "r", "question": {"app": "a", "canary": "b", "stable": "c"},
            "every_s": 30.0, "for_s": 300.0, **changes}  # fmt: skip
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(analyzer), base_url="http://analyzer.test"
    ) as client:
        verdict = await follow(client, Watch(**plan), clock=JumpingClock(), tell=told.append)
    return verdict, told


@pytest.mark.anyio
async def test_watching_ends_with_the_verdict() -> None:
    """Each new look is told once, and the run is asked by its name."""
    analyzer = Analyzer("inconclusive", "inconclusive", "pass")
    verdict, told = await watched(analyzer)
    assert verdict == "pass"
    assert [one["verdict"] for one in told] == ["inconclusive", "inconclusive", "pass"]
    assert analyzer.asked[0] == {"app": "a", "canary": "b", "stable": "c", "run": "r"}


@pytest.mark.anyio
async def test_watching_past_a_pass_ends_with_a_fail() -> None:
    """As a background gate does."""
    verdict, told = await watched(Analyzer("pass", "pass", "fail"), until=("fail",))
    assert (verdict, len(told)) == ("fail", 3)


@pytest.mark.anyio
async def test_watching_gives_up_in_time() -> None:
    """Inconclusive to the end is inconclusive."""
    analyzer = Analyzer("inconclusive")
    verdict, _ = await watched(analyzer, for_s=90.0)
    assert (verdict, len(analyzer.asked)) == ("inconclusive", 4)


@pytest.mark.anyio
async def test_failures_in_a_row_are_no_verdict() -> None:
    """A single one is forgiven."""
    assert (await watched(Analyzer(None, "pass")))[0] == "pass"
    analyzer = Analyzer(None)
    with pytest.raises(Unavailable, match="source newrelic failed"):
        await watched(analyzer)
    assert len(analyzer.asked) == MOST_FAILURES


def _line(number: int, bad: int) -> bytes:
    windows = [
        {
            "start": format_timestamp(START + 30 * index),
            "end": format_timestamp(START + 30 * (index + 1)),
            "metric": "errors",
            "canary": {"count": 300, "bad": bad},
            "stable": {"count": 1200, "bad": 24},
        }
        for index in range(8)
    ]
    return json.dumps({"id": f"r{number}", "windows": windows}).encode() + b"\n"


def test_replay_is_what_the_judge_of_runs_says() -> None:
    """One line a run: verdict, reason, and seconds from the first window."""
    lines = [_line(1, 15), b"\n", _line(2, 6)]
    found = [json.loads(one) for one in replay_lines(lines, configs=ConfigFiles(), config=None)]
    judged = [judge_content(one, ConfigFiles(), config=None) for one in (lines[0], lines[2])]
    assert found[0] == {
        "id": "r1",
        "verdict": "fail",
        "failedAt": 60.0,
        "passedAt": None,
        "reasonCode": "error_rate_higher",
    }
    assert [(one["verdict"], one["reasonCode"]) for one in found] == [
        (one["verdict"], one["reasonCode"]) for one in judged
    ]


@pytest.mark.slow
def test_many_runs_keep_their_order_on_all_cores() -> None:
    """The same lines as one after another."""
    lines = [_line(number, 15 if number % 3 else 6) for number in range(4 * CHUNK)]
    found = list(replay_lines(lines, configs=ConfigFiles(), config="strict"))
    assert [json.loads(one)["id"] for one in found] == [f"r{n}" for n in range(4 * CHUNK)]
    alone = list(replay_lines(lines[:3], configs=ConfigFiles(), config="strict"))
    assert found[:3] == alone


def test_a_bad_line_is_named() -> None:
    """What came before it was judged."""
    lines = replay_lines([_line(1, 6), b'{"windows": []}\n'], configs=ConfigFiles(), config=None)
    with pytest.raises(InvalidInput, match="line 2: windows: expected at least one window"):
        list(lines)


def test_replay_writes_lines_and_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed run is a result, not an error."""
    file = tmp_path / "runs.jsonl"
    file.write_bytes(_line(1, 15))
    monkeypatch.setattr("sys.argv", ["canary-analyzer", "replay", str(file)])
    with pytest.raises(SystemExit) as ended:
        run_cli(cli)
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "fail"
