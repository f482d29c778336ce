"""A plan as a locustfile: the same traffic from many machines, on an engine made for that.

The file that comes out needs locust and nothing else. What is the same: targets and weights, the
votes and their split, voters, the rate over time, the length. What is not: locust's users form a
closed loop, each sends at most `PER_USER` requests a second and waits for its answer, so a target
that stalls slows the load down instead of letting it queue, and there are no intended times.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from svckit import webpage

if TYPE_CHECKING:
    from votegen.domain.plan import Plan

MAX_POINTS = 600


def export_locust(plan: Plan) -> str:
    """Return a locustfile for an open-loop plan with a duration.

    Raises:
        ValueError: the plan is a closed loop or has no end.
    """
    profile, seconds = plan.profile, plan.duration_seconds
    if profile is None or seconds is None:
        raise ValueError("expected an open loop (a rate, not max) with a duration")
    step = max(1.0, seconds / MAX_POINTS)
    count = int(seconds / step)
    # The mean rate of each step, so that the number of requests is that of the plan.
    edges = [number * step for number in range(count + 1)]
    rates = [
        (round(first, 3), round((profile.units_until(last) - profile.units_until(first)) / step, 6))
        for first, last in pairwise(edges)
    ]
    template = webpage.text_environment("votegen.report").get_template("locustfile.py.j2")
    return template.render(
        plan=plan,
        targets=[target.url for target in plan.targets],
        weights=[target.weight for target in plan.targets],
        rates=rates or [(0.0, profile.rate_at(0.0))],
        seconds=seconds,
    )
