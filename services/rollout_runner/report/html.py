"""The report of one run as one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rollout_runner.report import narrative, wording
from rollout_runner.report.charts import chart_data
from rollout_runner.report.paint import outcome_tone, phase_tone
from svckit import webpage

if TYPE_CHECKING:
    from jinja2 import Environment

    from rollout_runner.report.model import RunReport

_PACKAGE = "rollout_runner.report"


def render_html(report: RunReport) -> str:
    """Return the page: banner, charts, steps, every measurement, traffic and timeline."""
    return render_page(
        "run.html.j2",
        report=report,
        facts=_facts(report),
        charts=webpage.inline_json(chart_data(report)),
    )


def render_page(template: str, **values: Any) -> str:
    """Render a template of this package with the vocabulary that all pages share."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = webpage.environment(_PACKAGE)
    environment.globals["say"] = narrative
    environment.globals["write"] = wording
    environment.filters["outcome_tone"] = outcome_tone
    environment.filters["phase_tone"] = phase_tone
    return environment


def _facts(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    """Return the figures under the banner: name, figure, explanation."""
    meta = report.meta
    canary, stable = report.served(meta.canary.hash), report.served(meta.stable.hash)
    done = sum(step.state == "completed" for step in report.steps)
    facts = [
        ("Steps done", f"{done}/{len(report.steps)}", meta.strategy),
        ("Duration", wording.duration(report.duration_seconds), "virtual time"),
        _traffic_fact("Canary errors", canary),
        _traffic_fact("Stable errors", stable),
        _downtime_fact(report),
    ]
    if report.rollback is not None:
        took = wording.duration(report.rollback.seconds)
        facts.insert(2, ("Time to rollback", took, "first evidence to weight 0"))
    return tuple(facts)


def _downtime_fact(report: RunReport) -> tuple[str, str, str]:
    if report.traffic.downtime_seconds() is None:
        return ("Downtime", wording.NOTHING, "no requests observed")
    return ("Downtime", narrative.downtime(report), "time in which no request succeeded")


def _traffic_fact(name: str, counts: Any) -> tuple[str, str, str]:
    if counts is None or not counts.requests:
        return (name, wording.NOTHING, "no requests observed")
    explained = f"{counts.errors:,} of {wording.plural(counts.requests, 'request')} failed"
    return (name, wording.error_rate(counts), explained)
