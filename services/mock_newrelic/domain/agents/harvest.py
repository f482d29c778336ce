"""What an agent sends every few seconds: transactions, errors, spans, custom events and logs.

A body is `[run, {reservoir_size, events_seen}, [[intrinsic, user's, agent's attributes], …]]`. An
agent that has seen more events than it may send sends a sample of them; each then stands for
several (`spread_weights`), so that their number comes out exactly.

What is an error is what the agent says: a handler of Python's that returns a 500 is none, one of
Node's is. Expected errors are none; Python marks their transactions as errors all the same, and
gives them away by an Apdex zone that errors never have. HTTP 5xx are counted beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.domain.agents.connect import APDEX_SECONDS, REPORT_PERIOD_MS, refused
from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins, spread_weights
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    MAX_DURATION_SECONDS,
    MAX_LABEL,
    Dropped,
    ItemError,
    check_age,
    check_attributes,
    event_attributes,
    is_flag,
    is_probe,
    labels_of,
    status_of,
    unix_seconds,
)
from mock_newrelic.domain.model import SeriesKey, Source, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mock_newrelic.domain.agents.run import AgentRun
    from mock_newrelic.domain.ingest.event_api import ProbeRule

MAX_EVENTS = 100_000
MAX_SEEN = 10**9
TRANSACTION = "Transaction"
_RESERVED = frozenset(
    {
        TRANSACTION,
        "TransactionError",
        "Span",
        "Metric",
        "Log",
        "Deployment",
        "NrIntegrationError",
        "NrMockInjection",
    }
)
_CUSTOM_TYPE = re.compile(r"[A-Za-z0-9_: ]{1,255}", re.ASCII)
_LAST_HARVEST_SECONDS = REPORT_PERIOD_MS / 2000
"""How long ago something happened, on average, that tells no time."""


class _Event(NamedTuple):
    """One event: its attributes together, those of the user alone, when it was."""

    attributes: dict[str, Any]
    own: dict[str, Any]
    instant: float


def read_transactions(body: Any, now: float, *, run: AgentRun, probes: ProbeRule) -> Batch:
    """Return the counts and events of `analytic_event_data`.

    Raises:
        InvalidInput: the body as a whole is of another form.
    """
    events, weights = _reservoir(body, "analytic_event_data")
    rows, dropped = _Rows(TRANSACTION, run), Dropped()
    labels, bins = _Labels(run), _Bins(run)
    samples = health_checks = 0
    for item, weight in zip(events, weights, strict=True):
        try:
            event = _event(item, now)
            duration = _duration(event.attributes.get("duration"))
        except ItemError as error:
            dropped.add(error, app=run.apps[0], count=weight)
            continue
        shown, outcome = _transaction(event.attributes, duration)
        rows.add(event._replace(attributes=shown), weight)
        if is_probe(probes, shown):
            health_checks += weight
            continue
        samples += weight
        terms = labels.of(event.own, shown.get("name"))
        bins.add(terms, int(event.instant), outcome, duration, weight)
    return Batch(
        bins=bins.bins,
        apps=frozenset(run.apps),
        samples=samples,
        probes=health_checks,
        records=rows.chunk(now),
        drops=dropped.drops(),
    )


def read_events(body: Any, now: float, *, run: AgentRun, kind: str, method: str) -> Batch:
    """Return the events of `error_event_data` and `span_event_data`, which count in no window.

    Raises:
        InvalidInput: the body as a whole is of another form.
    """
    events, weights = _reservoir(body, method)
    rows, dropped = _Rows(kind, run), Dropped()
    for item, weight in zip(events, weights, strict=True):
        try:
            event = _event(item, now)
        except ItemError as error:
            dropped.add(error, app=run.apps[0], count=weight)
        else:
            rows.add(event._replace(attributes=_with_status(event.attributes)), weight)
    return Batch(
        bins={},
        apps=frozenset(run.apps),
        others=len(rows),
        records=rows.chunk(now),
        drops=dropped.drops(),
    )


def read_custom_events(body: Any, now: float, *, run: AgentRun) -> Batch:
    """Return the events of `custom_event_data`; each tells its own type.

    Raises:
        InvalidInput: the body as a whole is of another form.
    """
    events, weights = _reservoir(body, "custom_event_data")
    kinds: dict[str, _Rows] = {}
    dropped = Dropped()
    for item, weight in zip(events, weights, strict=True):
        try:
            event = _event(item, now)
            kind = _custom_type(event.attributes.get("type"))
        except ItemError as error:
            dropped.add(error, app=run.apps[0], count=weight)
        else:
            kinds.setdefault(kind, _Rows(kind, run)).add(event, weight)
    return Batch(
        bins={},
        apps=frozenset(run.apps),
        others=sum(map(len, kinds.values())),
        records=tuple(chunk for rows in kinds.values() for chunk in rows.chunk(now)),
        drops=dropped.drops(),
    )


def read_logs(body: Any, now: float, *, run: AgentRun) -> Batch:
    """Return the logs of `log_event_data`: `[{common: {attributes}, logs: […]}]`.

    Raises:
        InvalidInput: the body as a whole is of another form.
    """
    if not isinstance(body, list) or not all(
        isinstance(block, dict) and isinstance(block.get("logs"), list) for block in body
    ):
        raise refused("log_event_data: expected [{common, logs}]")
    rows, dropped = _Rows("Log", run), Dropped()
    for block in body:
        common = block.get("common")
        shared = common.get("attributes") if isinstance(common, dict) else None
        for log in block["logs"]:
            try:
                rows.add(_log(log, shared if isinstance(shared, dict) else {}, now), 1)
            except ItemError as error:
                dropped.add(error, app=run.apps[0])
    return Batch(
        bins={},
        apps=frozenset(run.apps),
        others=len(rows),
        records=rows.chunk(now),
        drops=dropped.drops(),
    )


def _reservoir(body: Any, method: str) -> tuple[Sequence[Any], list[int]]:
    """Return the events of a body and for how many each of them stands."""
    if (
        not isinstance(body, list)
        or len(body) != 3
        or not isinstance(body[1], dict)
        or not isinstance(body[2], list)
    ):
        raise refused(f"{method}: expected [run, {{reservoir_size, events_seen}}, events]")
    events = body[2]
    if len(events) > MAX_EVENTS:
        raise refused(f"{method}: more than {MAX_EVENTS} events")
    seen = body[1].get("events_seen", len(events))
    if isinstance(seen, bool) or not isinstance(seen, int) or not 0 <= seen <= MAX_SEEN:
        raise refused(f"{method}: events_seen is no number of events")
    return events, spread_weights(seen, len(events)) if events else []


def _event(item: Any, now: float) -> _Event:
    """Return one `[intrinsic, user's, agent's attributes]`; the last may be missing."""
    if not isinstance(item, list) or not 1 <= len(item) <= 3:
        raise ItemError("bad_event", "an event is no list of attributes")
    if not all(isinstance(part, dict) for part in item):
        raise ItemError("bad_event", "the attributes of an event are no object")
    intrinsic, own, agent = (*item, {}, {})[:3]
    attributes = {
        name: value
        for name, value in {**agent, **own, **intrinsic}.items()
        if isinstance(value, str | int | float)
    }
    check_attributes(attributes)
    # Node's agent tells 0 for errors that an HTTP status made.
    told = attributes.get("timestamp") or now - _LAST_HARVEST_SECONDS
    instant = unix_seconds(told, now)
    check_age(instant, now)
    return _Event(attributes, own, instant)


def _log(log: Any, common: dict[str, Any], now: float) -> _Event:
    if not isinstance(log, dict):
        raise ItemError("bad_event", "a log is no object")
    own = log.get("attributes")
    told = {**common, **(own if isinstance(own, dict) else {}), **log}
    attributes = {
        name: value for name, value in told.items() if isinstance(value, str | int | float)
    }
    check_attributes({name: value for name, value in attributes.items() if name != "message"})
    instant = unix_seconds(attributes.get("timestamp"), now)
    check_age(instant, now)
    return _Event(attributes, {}, instant)


def _transaction(
    attributes: dict[str, Any], duration: float | None
) -> tuple[dict[str, Any], tuple[int, int, int]]:
    """Return a transaction as queries see it, and whether it is an error, HTTP 5xx and 4xx."""
    status = status_of(attributes)
    error = is_flag(attributes.get("error"))
    zone = attributes.get("apdexPerfZone")
    expected = error and zone in {"S", "T"}
    error = error and not expected
    shown = {**_with_status(attributes), "error": error}
    if expected:
        shown["error.expected"] = True
    if zone is None and duration is not None:
        shown["apdexPerfZone"] = "F" if error else _zone(duration)
    return shown, (int(error), int(status >= 500), int(400 <= status <= 499))


def _with_status(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes with the status in the three ways in which queries ask for it."""
    status = status_of(attributes)
    if not status:
        return attributes
    return {
        **attributes,
        "http.statusCode": status,
        "httpResponseCode": str(status),
        "response.status": str(status),
    }


def _zone(duration: float) -> str:
    if duration <= APDEX_SECONDS:
        return "S"
    return "T" if duration <= 4 * APDEX_SECONDS else "F"


def _duration(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ItemError("bad_duration", "'duration' is no number")
    if not 0 <= value <= MAX_DURATION_SECONDS:
        raise ItemError("bad_duration", "'duration' is negative or longer than a day")
    return float(value)


def _custom_type(value: Any) -> str:
    if not isinstance(value, str) or not _CUSTOM_TYPE.fullmatch(value) or value in _RESERVED:
        raise ItemError("bad_event_type", "the type of a custom event is none, or reserved")
    return value


class _Labels:
    """The labels of a run's events: those of the run, and what the event's user added."""

    def __init__(self, run: AgentRun) -> None:
        self._run = run
        self._known: dict[tuple[Any, ...], Terms] = {}

    def of(self, own: dict[str, Any], name: Any) -> Terms:
        """Return the labels of one event.

        Args:
            own: attributes that the user added.
            name: of the transaction.
        """
        told = {key: value for key, value in own.items() if isinstance(value, str | int)}
        key = (name if isinstance(name, str) else "", *told.items())
        terms = self._known.get(key)
        if terms is None:
            labels = dict(self._run.labels)
            if told:
                labels |= labels_of({**self._run.attributes, **told})
            if key[0]:
                labels["transaction"] = str(key[0])[:MAX_LABEL]
            terms = self._known[key] = frozenset(labels.items())
        return terms


class _Bins:
    """Counts that are those of each application of a run."""

    def __init__(self, run: AgentRun) -> None:
        self._apps = run.apps
        self.bins: Bins = {}

    def add(
        self,
        terms: Terms,
        second: int,
        outcome: tuple[int, int, int],
        duration: float | None,
        weight: int,
    ) -> None:
        """Count one event."""
        for app in self._apps:
            seconds = self.bins.setdefault(SeriesKey(app, terms, Source.AGENT), {})
            if (one := seconds.get(second)) is None:
                one = seconds[second] = Bin()
            one.add(outcome, duration, weight)


class _Rows:
    """Raw events that are those of each application of a run."""

    def __init__(self, kind: str, run: AgentRun) -> None:
        self._run = run
        self._count = 0
        self._rows = SharedRows(kind)
        self._blocks = {
            app: self._rows.share(event_attributes(app, run.attributes, run.joined(app)))
            for app in run.apps
        }

    def add(self, event: _Event, weight: int) -> None:
        """Keep one event."""
        own = {**event.attributes, "timestamp": round(event.instant * 1000)}
        if event.own:
            # What the user added may be a label, and then has the name by which queries ask.
            everything = {**self._run.attributes, **event.own}
            own |= event_attributes("", everything, {})
        for app, block in self._blocks.items():
            self._rows.add(app, block, own, event.instant, weight)
        self._count += weight

    def __len__(self) -> int:
        return self._count

    def chunk(self, now: float) -> tuple[Any, ...]:
        """Return the events as a chunk; none without events."""
        return self._rows.chunk(now)
