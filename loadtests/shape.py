"""The load over time: that of a votegen plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from locust import LoadTestShape
from users import AnalystUser, GateUser, Voter

if TYPE_CHECKING:
    from votegen.domain.plan import Plan


class PlanShape(LoadTestShape):
    """As many voters as the plan's rate needs, and a fixed number of those who ask."""

    plan: ClassVar[Plan | None] = None

    def tick(self) -> tuple[int, float] | None:
        """Return users and how many of them to start a second; None when the plan is over."""
        plan, passed = self.plan, self.get_run_time()
        profile = None if plan is None else plan.profile
        if plan is None or profile is None or passed >= (plan.duration_seconds or 0.0):
            return None
        voters = max(1, round(profile.rate_at(passed) / Voter.per_second))
        asking = sum(user.fixed_count for user in (GateUser, AnalystUser) if user.host)
        users = voters + asking
        return users, float(users)
