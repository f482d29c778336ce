"""Agent effects: what agents are told when they connect is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, whole
from mock_newrelic.domain.effects.base import Effect

COLLECT = (
    "collect_errors",
    "collect_traces",
    "collect_error_events",
    "collect_analytics_events",
    "collect_custom_events",
    "collect_span_events",
)
LIMITS = (
    "analytic_event_data",
    "custom_event_data",
    "error_event_data",
    "log_event_data",
    "span_event_data",
)
ABSENT = "absent"
_MEMBERS = ("redirect_host", "report_period_ms", "harvest_limits", "agent_run_id", *COLLECT)
_LONGEST_HOST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEffect(Effect):
    """`{"agent": {"redirect_host": "nowhere.invalid"}}` and others, several at once.

    redirect_host       where agents are sent to instead
    report_period_ms    how often events are reported, 1000 to 600000
    harvest_limits      {kind: events per period}
    collect_…           false: agents do not send these
    agent_run_id        "absent": the reply to connect has none
    """

    name: ClassVar[str] = "agent"
    redirect: str = ""
    period: int = 0
    limits: tuple[tuple[str, int], ...] = ()
    collect: tuple[tuple[str, bool], ...] = ()
    without_run: bool = False

    def change(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what preconnect or connect answers, changed where it says such a thing."""
        if "redirect_host" in told:
            return {**told, "redirect_host": self.redirect} if self.redirect else told
        events = dict(told["event_harvest_config"])
        spans = dict(told["span_event_harvest_config"])
        if self.period:
            events["report_period_ms"] = spans["report_period_ms"] = self.period
        limits = dict(self.limits)
        if "span_event_data" in limits:
            spans["harvest_limit"] = limits.pop("span_event_data")
        events["harvest_limits"] = {**events["harvest_limits"], **limits}
        changed = {
            **told,
            **dict(self.collect),
            "event_harvest_config": events,
            "span_event_harvest_config": spans,
        }
        if self.without_run:
            del changed["agent_run_id"]
        return changed


def parse(argument: object, _metric: str | None) -> AgentEffect:
    """Read what agents are told."""
    members = Members(argument, name="agent", known=_MEMBERS)
    given = members.given
    if not given:
        raise bad("effect.agent is empty", f"members: {', '.join(_MEMBERS)}")
    if "agent_run_id" in given and given["agent_run_id"] != ABSENT:
        raise bad(f'effect.agent.agent_run_id is not "{ABSENT}"')
    for name in COLLECT:
        if name in given and not isinstance(given[name], bool):
            raise bad(f"effect.agent.{name} is neither true nor false")
    return AgentEffect(
        given=argument,
        redirect=_host(given["redirect_host"]) if "redirect_host" in given else "",
        period=members.whole("report_period_ms", 0, lowest=1000, highest=600_000),
        limits=_limits(given.get("harvest_limits", {})),
        collect=tuple((name, given[name]) for name in COLLECT if name in given),
        without_run="agent_run_id" in given,
    )


def _host(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_HOST or not given.isascii():
        raise bad("effect.agent.redirect_host is no host")
    return given


def _limits(given: object) -> tuple[tuple[str, int], ...]:
    members = Members(given, name="agent.harvest_limits", known=LIMITS)
    return tuple(
        (name, whole(value, name=f"agent.harvest_limits.{name}", lowest=0, highest=1_000_000))
        for name, value in members.given.items()
    )
