"""The gate's two readers agree: the shell extraction and the JSON condition.

The shell lines are those of the deployment that this service serves, word for word.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator

import pytest

from mock_newrelic_bench import Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

SHELL_READER = r"""
RESPONSE=$(cat)
ERROR_RATE=$(echo "$RESPONSE" | grep -oE '"errorRate"[[:space:]]*:[[:space:]]*[0-9.]+' \
  | grep -oE '[0-9.]+$' || echo "0")
RESULT=$(awk -v rate="$ERROR_RATE" -v threshold="$THRESHOLD" \
  'BEGIN { if (rate < threshold) print "PASS"; else print "FAIL" }')
echo "$ERROR_RATE $RESULT"
"""


def read_in_shell(body: str, threshold: str) -> tuple[str, str]:
    """Return the rate and the verdict of the shell lines."""
    done = subprocess.run(
        ["sh", "-c", SHELL_READER],
        input=body,
        capture_output=True,
        text=True,
        check=True,
        env={"THRESHOLD": threshold, "PATH": "/usr/bin:/bin"},
    )
    rate, verdict = done.stdout.rsplit(maxsplit=1)
    return rate, verdict


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


@pytest.mark.parametrize("threshold", ["2", "2.0", "0.1", "6", "100"])
@pytest.mark.parametrize(
    "rate", [0, 0.00001, 0.0001, 0.1, 0.5, 1.9999, 1.99994, 1.99996, 2, 2.0001, 5.2, 15, 99.99, 100]
)
async def test_shell_and_condition_reach_the_same_verdict(
    bench: Bench, rate: float, threshold: str
) -> None:
    """For every rate and threshold, boundary values included, both readers agree."""
    await bench.inject({"set": rate})
    response = await bench.ask()
    shown, verdict = read_in_shell(response.text, threshold)
    value = response.json()["errorRate"]
    assert float(shown) == value
    assert (verdict == "PASS") == (value < float(threshold))


@pytest.mark.parametrize(("good", "bad"), [(98, 2), (9801, 199), (999, 1), (0, 3), (50, 0)])
@pytest.mark.parametrize("detail", [{}, {"detail": "full"}], ids=["plain", "detail"])
async def test_both_readers_agree_on_measured_rates(
    bench: Bench, good: int, bad: int, detail: dict[str, str]
) -> None:
    """The same holds for measured rates and with details."""
    for start in range(0, good, 2000):
        await bench.fill(min(2000, good - start))
    if bad:
        await bench.fill(0, bad)
    response = await bench.ask(**detail)
    shown, verdict = read_in_shell(response.text, "2")
    assert float(shown) == response.json()["errorRate"]
    assert (verdict == "PASS") == (response.json()["errorRate"] < 2)
