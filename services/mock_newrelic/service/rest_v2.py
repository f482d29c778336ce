"""REST v2: applications with their summaries, hosts, and timeslice metrics.

Summaries are the facade's numbers over the last three minutes; without data there is no summary,
because a zero would read as health.
"""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.identity import host_id
from mock_newrelic.domain.metrics import DEFAULT_APDEX_SECONDS, METRICS
from mock_newrelic.domain.model import NO_TERMS, NOTHING
from mock_newrelic.domain.nrql.ast import TimeSeries
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.timing import MAX_BUCKETS, Range, buckets_of
from mock_newrelic.domain.query import Query
from mock_newrelic.domain.timeslices import METRIC_VALUES, timeslice_values
from svckit.errors import InvalidInput
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mock_newrelic.domain.injections import Ask, Injection
    from mock_newrelic.domain.model import Reading, Terms
    from mock_newrelic.domain.nrql.timing import Bucket
    from mock_newrelic.service.entities import Entity
    from mock_newrelic.service.queries import QueryService
    from mock_newrelic.service.reader import Reader

SUMMARY_SECONDS = 180
LANGUAGE = "python"
_SUMMARY = (
    ("response_time", "responseTime", 3),
    ("throughput", "throughput", 3),
    ("error_rate", "errorRate", 4),
    ("apdex_score", "apdex", 4),
)


class RestV2Service:
    """Makes the documents of REST v2; `injected` of a call collects what touched them."""

    def __init__(self, *, queries: QueryService, reader: Reader) -> None:
        self._queries = queries
        self._reader = reader

    def application(
        self, one: Entity, caller: Ask, now: float, injected: dict[str, None]
    ) -> dict[str, Any]:
        """Return one application."""
        hosts = one.tags.get("host", [])
        summary = self._summary(one.name, NO_TERMS, caller, now, injected)
        document: dict[str, Any] = {
            "id": one.number,
            "name": one.name,
            "language": LANGUAGE,
            "health_status": _health(summary),
            "reporting": one.reporting,
            "last_reported_at": _instant(one.last_second),
            "settings": {
                "app_apdex_threshold": DEFAULT_APDEX_SECONDS,
                "end_user_apdex_threshold": 7.0,
                "enable_real_user_monitoring": False,
                "use_server_side_config": False,
            },
            "links": {
                "application_instances": [host_id(one.name, f"{host}:0") for host in hosts],
                "servers": [],
                "application_hosts": [host_id(one.name, host) for host in hosts],
            },
        }
        if summary:
            document["application_summary"] = {
                **summary,
                "apdex_target": DEFAULT_APDEX_SECONDS,
                "host_count": len(hosts),
                "instance_count": len(hosts),
                "concurrent_instance_count": len(hosts),
            }
        return document

    def host(
        self, one: Entity, host: str, caller: Ask, now: float, injected: dict[str, None]
    ) -> dict[str, Any]:
        """Return one host of an application; an instance looks the same, with a port."""
        summary = self._summary(one.name, frozenset({("host", host)}), caller, now, injected)
        document: dict[str, Any] = {
            "id": host_id(one.name, host),
            "application_name": one.name,
            "host": host,
            "language": LANGUAGE,
            "health_status": _health(summary),
            "links": {
                "application": one.number,
                "application_instances": [host_id(one.name, f"{host}:0")],
            },
        }
        if summary:
            document["application_summary"] = {
                **summary, "apdex_target": DEFAULT_APDEX_SECONDS, "instance_count": 1,
            }  # fmt: skip
        return document

    def timeslices(
        self,
        one: Entity,
        *,
        wanted: Sequence[str],
        values: Sequence[str],
        steps: Sequence[Bucket],
        caller: Ask,
        now: float,
        injected: dict[str, None],
    ) -> list[dict[str, Any]]:
        """Return metrics step by step.

        Args:
            one: the application.
            wanted: names of metrics that are known.
            values: names of values; all that a metric has when empty.
            steps: what each step covers.
            caller: surface, session and client.
            now: the instant.
            injected: takes the ids of the injections that touched the numbers.
        """
        ask = replace(caller, app=one.name)
        drawn = self._reader.draw(ask, now)
        touched: dict[int, Injection] = {}
        readings: list[Reading] = []
        for step in steps:
            shown = self._reader.read(
                one.name, NO_TERMS, step.span, now,
                latency=True, drawn=drawn, session=caller.session,
            )  # fmt: skip
            touched.update({injection.number: injection for injection in shown.injections})
            readings.append(shown.reading if shown.reading.counts.samples else NOTHING)
        if touched:
            self._reader.applied(touched.values(), ask, now)
            injected.update(dict.fromkeys(injection.id for injection in touched.values()))
        return [
            {
                "name": name,
                "timeslices": [
                    {
                        "from": _instant(floor(step.begin)),
                        "to": _instant(floor(step.end)),
                        "values": _chosen(
                            timeslice_values(name, reading, step.end - step.begin), values
                        ),
                    }
                    for step, reading in zip(steps, readings, strict=True)
                ],
            }
            for name in wanted
        ]

    def _summary(
        self, app: str, terms: Terms, caller: Ask, now: float, injected: dict[str, None]
    ) -> dict[str, float]:
        summary: dict[str, float] = {}
        for name, metric, decimals in _SUMMARY:
            answer = self._queries.answer(
                Query(
                    app=app,
                    metric=METRICS[metric],
                    window_text=f"{SUMMARY_SECONDS}s",
                    width=SUMMARY_SECONDS,
                    terms=terms,
                ),
                now,
                caller,
            )
            injected.update(dict.fromkeys(answer.injected))
            if answer.refusal is None and answer.value is not None:
                summary[name] = round(answer.value, decimals)
        return summary


def steps_of(begin: float, end: float, period: float, *, now: float) -> list[Bucket]:
    """Return the steps from `begin` to `end`; the last one may be shorter.

    Raises:
        InvalidInput: there would be too many.
    """
    try:
        return buckets_of(TimeSeries(period), Range(begin, end, open=end == now))
    except NrqlError:
        raise InvalidInput(
            f"there would be more than {MAX_BUCKETS} timeslices; a longer period is needed"
        ) from None


def known_metrics(part: str = "") -> list[dict[str, Any]]:
    """Return the metrics whose name contains the text, each with the names of its values."""
    return [
        {"name": name, "values": list(values)}
        for name, values in METRIC_VALUES.items()
        if part.lower() in name.lower()
    ]


def _chosen(values: dict[str, float], wanted: Sequence[str]) -> dict[str, float]:
    return {name: values[name] for name in wanted if name in values} if wanted else values


def _instant(second: float | None) -> str | None:
    return None if second is None else format_timestamp(second).replace("Z", "+00:00")


def _health(summary: dict[str, float]) -> str:
    return "green" if summary else "gray"
