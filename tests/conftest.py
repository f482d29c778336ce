"""What every test shares: one event loop, and a switch that turns skips into failures."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from svckit.clock import ManualClock

NO_SKIP = "GATELAB_NO_SKIP"
EXAMPLES = "GATELAB_EXAMPLES"

# A busy machine is no fault of the code: neither deadlines nor slow data generation fail a test.
# The same examples every time; `make search` tries many more.
settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=int(os.environ.get(EXAMPLES, "50")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


@pytest.fixture(name="anyio_backend", scope="session")
def _anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    """A clock that stands at 2026-02-04T02:00:00Z."""
    return ManualClock(1_770_170_400.0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]  # noqa: ANN201, ARG001 - pytest's hook shape
    """Where everything is installed, a skipped test is a check that did not happen."""
    report = yield
    if os.environ.get(NO_SKIP) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although {NO_SKIP} is set: {report.longrepr}"
    return report
