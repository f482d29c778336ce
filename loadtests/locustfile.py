"""Load on the suite during a canary window: votes, the gate's queries, the judge's questions.

    locust -f loadtests/locustfile.py --headless --plan loadtests/plans/canary-window.yaml \
        --mock http://127.0.0.1:8080 --analyzer http://127.0.0.1:8081

What is not given is not loaded. The length and the number of voters come from the plan file that
votegen reads, too. The exit code is 0 when every limit held, 3 when one did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from checks import Limits, broken
from locust import constant_throughput, events
from shape import PlanShape
from users import AnalystUser, GateUser, Voter

from svckit.errors import ExitCode
from votegen.cli.flags import plan_of

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from locust.env import Environment

__all__ = ["AnalystUser", "GateUser", "PlanShape", "Voter"]


@events.init_command_line_parser.add_listener
def _flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("gatelab")
    group.add_argument("--plan", default="loadtests/plans/canary-window.yaml", help="Plan file.")
    group.add_argument("--vote", default="", help="Base URL instead of the plan's targets.")
    group.add_argument("--mock", default="", help="Base URL of mock-newrelic.")
    group.add_argument("--analyzer", default="", help="Base URL of canary-analyzer.")
    group.add_argument("--app", default="voting01-vote-qa", help="Application to ask about.")
    group.add_argument("--canary", default="7cd75c6d7c", help="Pod-template hash of the canary.")
    group.add_argument("--stable", default="79bd65fcc9", help="Pod-template hash of stable.")
    group.add_argument("--api-key", default="test-key", help="Key of the queries.")
    group.add_argument("--max-error-ratio", type=float, default=0.01, help="Of any request name.")
    group.add_argument("--max-p95-ms", type=float, default=200.0, help="Of any request name.")
    group.add_argument("--min-requests", type=int, default=1, help="Of all requests together.")


@events.init.add_listener
def _prepare(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None:
        return
    plan = plan_of(Path(options.plan))
    PlanShape.plan = plan
    Voter.prepare(plan, base_url=options.vote)
    GateUser.prepare(options)
    AnalystUser.prepare(options)
    for user in (Voter, GateUser, AnalystUser):
        user.wait_time = constant_throughput(user.per_second)
    environment.user_classes = [
        user for user in (Voter, GateUser, AnalystUser) if user is Voter or user.host
    ]


@events.quitting.add_listener
def _judge(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or getattr(options, "worker", False):
        return
    limits = Limits(
        error_ratio=options.max_error_ratio,
        p95_ms=options.max_p95_ms,
        requests=options.min_requests,
    )
    reasons = broken(environment.stats, limits)
    for reason in reasons:
        print(f"limit not held: {reason}")
    environment.process_exit_code = ExitCode.GATE_FAILED if reasons else ExitCode.OK
