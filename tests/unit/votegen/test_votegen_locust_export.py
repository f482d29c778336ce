"""A plan as a locustfile that stands alone."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from votegen.cli.flags import plan_of
from votegen.domain.plan import Plan
from votegen.domain.profile import parse_shape
from votegen.report.locust import MAX_POINTS, export_locust

TARGETS = ["stable=http://127.0.0.1:8083@80", "canary=http://127.0.0.1:8084@20"]


def _plan(**more: Any) -> Plan:
    return plan_of(None, targets=TARGETS, **more)


def _constants(text: str) -> dict[str, Any]:
    """Return the upper-case constants of a module without running it."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _imports(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_file_needs_locust_only() -> None:
    """A worker without gatelab can run it."""
    assert _imports(export_locust(_plan())) == {"math", "random", "bisect", "gevent", "locust"}


def test_targets_votes_and_voters_are_those_of_the_plan() -> None:
    """What the plan says is what the file says."""
    text = export_locust(
        _plan(split_a=0.5, gets=0.25, voters="returning:7", host_header="vote.test")
    )
    constants = _constants(text)
    assert constants["TARGETS"] == ["http://127.0.0.1:8083", "http://127.0.0.1:8084"]
    assert constants["WEIGHTS"] == [80, 20]
    assert (constants["SPLIT_A"], constants["GETS"]) == (0.5, 0.25)
    assert (constants["VOTER_POOL"], constants["HOST_HEADER"]) == (7, "vote.test")


@pytest.mark.parametrize(
    ("shape", "duration", "requests"),
    [
        ("stages:0s:0,60s:100,120s:100", "120s", 9_000),
        ("spike:10,100,30s,10s", "60s", 1_500),
        ("sine:50,25,60s", "60s", 3_000),
        ("sine:50,25,60s", "2h", 360_000),
    ],
)
def test_the_rate_over_time_sends_as_many_requests(
    shape: str, duration: str, requests: int
) -> None:
    """Steps hold mean rates, however long the run is."""
    constants = _constants(export_locust(_plan(shape=parse_shape(shape), duration=duration)))
    starts = [start for start, _ in constants["RATES"]] + [constants["SECONDS"]]
    sent = sum(
        rate * (end - start)
        for (start, rate), end in zip(constants["RATES"], starts[1:], strict=True)
    )
    assert sent == pytest.approx(requests, rel=0.001)
    assert len(constants["RATES"]) <= MAX_POINTS


def test_a_closed_loop_has_no_rate_to_export() -> None:
    """It is refused by name instead of being exported as something else."""
    with pytest.raises(ValueError, match="open loop"):
        export_locust(_plan(rate="max"))


def test_a_host_header_cannot_break_out_of_the_file() -> None:
    """The file is code, so what comes from a plan stays a literal."""
    evil = "x' + __import__('os').name + '"
    assert _constants(export_locust(_plan(host_header=evil)))["HOST_HEADER"] == evil
