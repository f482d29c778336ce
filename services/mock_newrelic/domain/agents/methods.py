"""The methods of the collector, and what is read of each.

begin       preconnect, connect
data        read into counts and events
accepted    taken, checked for being JSON, and kept in the journal only
end         shutdown
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.agents.connect import refused
from mock_newrelic.domain.agents.harvest import (
    read_custom_events,
    read_events,
    read_logs,
    read_transactions,
)
from mock_newrelic.domain.agents.timeslices import read_metrics
from mock_newrelic.domain.ingest.batch import Batch, Covered
from mock_newrelic.domain.model import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.domain.agents.run import AgentRun
    from mock_newrelic.domain.ingest.event_api import ProbeRule


class Method(StrEnum):
    """A method of the collector."""

    PRECONNECT = "preconnect"
    CONNECT = "connect"
    AGENT_SETTINGS = "agent_settings"
    METRIC_DATA = "metric_data"
    TRANSACTIONS = "analytic_event_data"
    ERROR_EVENTS = "error_event_data"
    CUSTOM_EVENTS = "custom_event_data"
    SPANS = "span_event_data"
    LOGS = "log_event_data"
    ERRORS = "error_data"
    TRACES = "transaction_sample_data"
    SQL_TRACES = "sql_trace_data"
    PROFILE = "profile_data"
    PPROF = "pprof_data"
    MODULES = "update_loaded_modules"
    COMMANDS = "get_agent_commands"
    COMMAND_RESULTS = "agent_command_results"
    SHUTDOWN = "shutdown"


BEGIN = frozenset({Method.PRECONNECT, Method.CONNECT})
LISTS = frozenset({Method.METRIC_DATA, Method.AGENT_SETTINGS, Method.COMMANDS})
"""Methods that are answered with a list; all others with null."""
_NOT_JSON = frozenset({Method.PPROF})
_EVENTS = {Method.ERROR_EVENTS: "TransactionError", Method.SPANS: "Span"}
_READERS: dict[Method, Callable[..., Batch]] = {
    Method.METRIC_DATA: read_metrics,
    Method.CUSTOM_EVENTS: read_custom_events,
    Method.LOGS: read_logs,
}


def is_json(method: Method) -> bool:
    """Whether the body of a method is JSON; its content type does not say so reliably."""
    return method not in _NOT_JSON


def read(method: Method, body: Any, now: float, *, run: AgentRun, probes: ProbeRule) -> Batch:
    """Return what a call of a run tells.

    Args:
        method: what was called; not one of `BEGIN`.
        body: the parsed body.
        now: Unix seconds.
        run: the run that calls.
        probes: which requests are health checks.

    Raises:
        InvalidInput: the body is of another form.
    """
    if method is Method.TRANSACTIONS:
        return read_transactions(body, now, run=run, probes=probes)
    if method in _EVENTS:
        return read_events(body, now, run=run, kind=_EVENTS[method], method=method)
    if method in _READERS:
        return _READERS[method](body, now, run=run)
    if is_json(method) and not isinstance(body, list):
        raise refused(f"{method}: expected a list")
    return ended(run) if method is Method.SHUTDOWN else Batch(bins={}, apps=frozenset())


def begun(run: AgentRun, now: float) -> Batch:
    """Return what makes a run known: its applications, which have sent nothing yet."""
    return _told(run, Span(int(now), int(now)), over=False)


def ended(run: AgentRun) -> Batch:
    """Return what ends a run: it tells no more counts."""
    return _told(run, Span(0, 0), over=True)


def _told(run: AgentRun, span: Span, *, over: bool) -> Batch:
    return Batch(
        bins={},
        apps=frozenset(run.apps),
        covered=tuple(
            Covered(app=app, labels=run.labels, run=run.id, span=span, ended=over)
            for app in run.apps
        ),
    )
