"""New Relic's Event API as the suite's own ingest: `[{"eventType":"Transaction", …}, …]`.

A body is judged as a whole: one bad event and nothing of it counts. Only transactions are samples.
A sample is an error when its HTTP status is 500 or more, when there was no answer (status 0), or
when its `error` flag says so; an HTTP 4xx never is, whatever the flag says. Without a duration a
sample counts in every rate and in no latency.

The pod-template hash is taken from `podTemplateHash`, else from a host name of the form
`<rollout>-<hash>-<5 characters>`, as Kubernetes names pods. Attributes of no meaning here become
labels when their value is a text, a whole number or a boolean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from mock_newrelic.domain.ingest.batch import GOOD, Batch, Bin, Bins
from mock_newrelic.domain.labels import LABEL_PREFIX
from mock_newrelic.domain.model import SeriesKey, Span
from mock_newrelic.domain.query import APP_HINT, APP_PATTERN
from mock_newrelic.domain.records import Chunk, Record, Row
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_TYPE = "Transaction"
EVENTS = "event_api"
"""The codec of bodies that are kept as they came."""
MAX_AGE_SECONDS = 48 * 3600
MAX_AHEAD_SECONDS = 24 * 3600
MAX_DURATION_SECONDS = 24 * 3600
MAX_ATTRIBUTES = 255
MAX_NAME = 255
MAX_TEXT = 4096

Labels: TypeAlias = tuple[tuple[str, str], ...]
Label = Annotated[str, Meta(max_length=255)]

_POD_NAME = re.compile(r".+-([a-z0-9]{6,10})-[a-z0-9]{5}", re.ASCII)
_MILLISECONDS_FROM = 1e11
"""A timestamp from here on is in milliseconds (1973 in them, the year 5138 in seconds)."""
_FLAGGED = (1, 0, 0)
_BAD_TIME = "more than 48 hours old or 24 hours ahead; Unix milliseconds are expected"
_PATH = re.compile(r"^(?P<what>.*?) - at `\$(?:\[(?P<index>\d+)\])?\.?(?P<field>.*)`$", re.DOTALL)


class Event(msgspec.Struct, gc=False):
    """One event, with the attributes that have a meaning here."""

    event_type: Annotated[str, Meta(min_length=1, max_length=255)] = msgspec.field(name="eventType")
    app_name: Label | None = msgspec.field(name="appName", default=None)
    timestamp: float | None = None
    duration: float | None = None
    error: bool | None = None
    status: str | int | None = msgspec.field(name="httpResponseCode", default=None)
    role: Label | None = None
    pod_template_hash: Label | None = msgspec.field(name="podTemplateHash", default=None)
    version: Label | None = None
    host: Label | None = None
    # What follows is looked at and not kept, so its length does not matter.
    uri: str | None = msgspec.field(name="request.uri", default=None)
    method: str | None = msgspec.field(name="request.method", default=None)
    user_agent: str | None = msgspec.field(name="request.headers.userAgent", default=None)
    name: str | None = None


class _KnownEvent(Event, gc=False, forbid_unknown_fields=True):
    """The same, refusing other attributes: the fast way, which the suite's own senders take."""


_IN_COLUMNS_FROM = 64
"""Events from which on counting in columns is quicker."""
_key = attrgetter(
    "status", "app_name", "pod_template_hash", "host", "role", "version", "error", "uri",
    "user_agent", "event_type",
)  # fmt: skip
"""What events of one kind have in common."""

_KNOWN_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(Event))
_known_decoder = msgspec.json.Decoder(list[_KnownEvent])
_event_decoder = msgspec.json.Decoder(list[Event])
_attribute_decoder = msgspec.json.Decoder(list[dict[str, Any]])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRule:
    """Which transactions are health checks: by the beginning of the user agent, or by path."""

    user_agents: tuple[str, ...] = ("kube-probe",)
    paths: frozenset[str] = frozenset()

    def matches(self, event: Event) -> bool:
        """Whether the event is a health check."""
        if event.user_agent is not None and event.user_agent.startswith(self.user_agents):
            return True
        return event.uri is not None and event.uri.partition("?")[0] in self.paths


def read_batch(body: bytes, now: float, *, probes: ProbeRule) -> Batch:
    """Read one body.

    Raises:
        InvalidInput: it is no JSON list of events (400), or an event is bad (422, naming it).
    """
    events, labels = _decode(body)
    if not events:
        raise InvalidInput("the body holds no event", code="empty_batch", status=400)
    if len(events) >= _IN_COLUMNS_FROM:
        batch = _Binning(now, probes).many(body, events, labels)
        if batch is not None:
            return batch
        # One after the other, to name the first that is bad.
    return _Binning(now, probes).each(body, events, labels)


def read_events(chunk: Chunk) -> Iterator[Record]:
    """Yield the events of a body that was kept as it came."""
    for attributes in msgspec.json.decode(_as_list(chunk.payload), type=list[dict[str, Any]]):
        instant = attributes.get("timestamp")
        if instant is None:
            instant = chunk.received
        elif instant >= _MILLISECONDS_FROM:
            instant /= 1000
        app = attributes.get("appName")
        yield Record(
            attributes["eventType"],
            app if isinstance(app, str) and app in chunk.apps else "",
            Row({**attributes, "timestamp": round(instant * 1000)}, instant),
        )


def _as_list(body: bytes) -> bytes:
    body = body.strip()
    return b"[" + body + b"]" if body[:1] == b"{" else body


def _decode(body: bytes) -> tuple[list[Any], list[Labels] | None]:
    """Return the events and, when some have attributes of their own, the labels of each."""
    body = _as_list(body)
    try:
        try:
            return _known_decoder.decode(body), None
        except msgspec.ValidationError:
            # Something unknown or something bad: these two tell which.
            events = _event_decoder.decode(body)
            attributes = _attribute_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput(
            "the body is not JSON, or nested too deeply",
            code="invalid_json",
            status=400,
            hint='a list of events: [{"eventType":"Transaction","appName":"my-app",…}]',
        ) from None
    return events, [_labels(index, one) for index, one in enumerate(attributes)]


def _labels(index: int, attributes: dict[str, Any]) -> Labels:
    if len(attributes) > MAX_ATTRIBUTES:
        raise _bad(index, "", f"more than {MAX_ATTRIBUTES} attributes")
    labels = []
    for name, value in attributes.items():
        if not name or len(name) > MAX_NAME:
            raise _bad(index, "", f"an attribute name is empty or longer than {MAX_NAME}")
        if name in _KNOWN_NAMES:
            continue
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise _bad(index, name, f"longer than {MAX_TEXT} characters")
        plain = name.removeprefix("tags.").removeprefix(LABEL_PREFIX)
        if isinstance(value, bool):
            labels.append((plain, "true" if value else "false"))
        elif isinstance(value, str | int):
            labels.append((plain, str(value)))
    return tuple(sorted(labels))


class _Kind:
    """What events have in common that differ in time and duration only."""

    __slots__ = ("counts", "is_other", "seconds")

    def __init__(
        self,
        seconds: dict[int, Bin] | None,
        counts: tuple[int, int, int],
        *,
        is_other: bool = False,
    ) -> None:
        self.seconds = seconds
        """Where they are counted; None when they count in no window."""
        self.counts = counts
        self.is_other = is_other


class _Binning:
    """Counts the events of one body; what is the same for many events is worked out once."""

    def __init__(self, now: float, probes: ProbeRule) -> None:
        self._now = now
        self._oldest = now - MAX_AGE_SECONDS
        self._latest = now + MAX_AHEAD_SECONDS
        self._probes = probes
        self._bins: Bins = {}
        self._apps: set[str] = set()

    def many(self, body: bytes, events: list[Event], labels: list[Labels] | None) -> Batch | None:
        """Return the batch, counted in columns; None when an event is bad."""
        # An idle service does without numpy.
        import numpy as np  # noqa: PLC0415

        from mock_newrelic.domain.ingest.bulk import add_many  # noqa: PLC0415

        keys: list[Any] = list(map(_key, events))
        if labels is not None:
            keys = list(zip(keys, labels, strict=True))
        numbers: dict[object, int] = {}
        which = [numbers.setdefault(key, len(numbers)) for key in keys]
        firsts_at = dict(zip(reversed(which), range(len(which) - 1, -1, -1), strict=True))
        kinds = []
        for number in range(len(numbers)):
            index = firsts_at[number]
            try:
                kinds.append(self._kind(index, events[index], labels[index] if labels else ()))
            except InvalidInput:
                return None
        instants = np.array([event.timestamp for event in events], dtype=np.float64)
        instants[np.isnan(instants)] = self._now
        instants[instants >= _MILLISECONDS_FROM] /= 1000
        durations = np.array([event.duration for event in events], dtype=np.float64)
        if not (self._oldest <= instants.min() and instants.max() <= self._latest) or np.any(
            (durations < 0) | (durations > MAX_DURATION_SECONDS)
        ):
            return None
        seconds = np.floor(instants).astype(np.int64)
        kind_of = np.array(which)
        others = int(np.count_nonzero(np.array([kind.is_other for kind in kinds])[kind_of]))
        counted = np.array([kind.seconds is not None for kind in kinds])[kind_of]
        if not counted.all():
            kind_of, durations = kind_of[counted], durations[counted]
        places = list(self._bins.values())
        at = {id(place): number for number, place in enumerate(places)}
        place_of = [at.get(id(kind.seconds), 0) for kind in kinds]
        add_many(
            places,
            np.array(place_of)[kind_of],
            seconds if counted.all() else seconds[counted],
            durations,
            np.array([kind.counts for kind in kinds])[kind_of],
        )
        span = Span(int(seconds.min()), int(seconds.max()) + 1)
        firsts = [events[firsts_at[number]] for number in range(len(numbers))]
        return self._batch(body, firsts, len(events), span, len(kind_of), others)

    def each(self, body: bytes, events: list[Event], labels: list[Labels] | None) -> Batch:
        """Return the batch, or raise InvalidInput with the first bad event."""
        now, oldest, latest = self._now, self._oldest, self._latest
        kinds: dict[tuple[object, ...], _Kind] = {}
        samples = others = 0
        first, last = latest, oldest
        own: Labels = ()
        for index, event in enumerate(events):
            if labels is not None:
                own = labels[index]
            key = (_key(event), own)
            kind = kinds.get(key)
            if kind is None:
                kind = kinds[key] = self._kind(index, event, own)
            instant = event.timestamp
            if instant is None:
                instant = now
            elif instant >= _MILLISECONDS_FROM:
                instant /= 1000
            duration = event.duration
            if not oldest <= instant <= latest:
                raise _bad(index, "timestamp", _BAD_TIME)
            if duration is not None and not 0 <= duration <= MAX_DURATION_SECONDS:
                raise _bad(index, "duration", f"not from 0 to {MAX_DURATION_SECONDS} seconds")
            first, last = min(first, instant), max(last, instant)
            seconds = kind.seconds
            if seconds is None:
                others += kind.is_other
                continue
            samples += 1
            second = floor(instant)
            one = seconds.get(second)
            if one is None:
                one = seconds[second] = Bin()
            one.add(kind.counts, duration)
        span = Span(floor(first), floor(last) + 1)
        return self._batch(body, events, len(events), span, samples, others)

    def _batch(  # noqa: PLR0917 - what the two ways of counting have found
        self,
        body: bytes,
        kinds: list[Event],
        count: int,
        span: Span,
        samples: int,
        others: int,
    ) -> Batch:
        """Return the batch; `kinds` holds an event of every kind."""
        chunk = Chunk(
            codec=EVENTS,
            payload=body,
            kinds=frozenset(event.event_type for event in kinds),
            apps=frozenset(event.app_name or "" for event in kinds),
            span=span,
            count=count,
            received=self._now,
        )
        return Batch(
            bins={key: seconds for key, seconds in self._bins.items() if seconds},
            records=(chunk,),
            apps=frozenset(self._apps),
            samples=samples,
            probes=count - samples - others,
            others=others,
        )

    def _kind(self, index: int, event: Event, own: Labels) -> _Kind:
        if event.event_type != SAMPLE_TYPE:
            return _Kind(None, GOOD, is_other=True)
        app = event.app_name
        if app is None or not APP_PATTERN.fullmatch(app):
            raise _bad(index, "appName", f"missing or no application name ({APP_HINT})")
        outcome = _outcome(index, event)
        self._apps.add(app)
        if self._probes.matches(event):
            return _Kind(None, outcome)
        pod = _POD_NAME.fullmatch(event.host) if event.host else None
        named = {
            "role": event.role,
            "hash": event.pod_template_hash or (pod[1] if pod else None),
            "version": event.version,
            "host": event.host,
        }
        # The four dimensions win over attributes of the same name.
        pairs = {**dict(own), **{name: value for name, value in named.items() if value}}
        return _Kind(self._bins.setdefault(SeriesKey(app, frozenset(pairs.items())), {}), outcome)


def _outcome(index: int, event: Event) -> tuple[int, int, int]:
    """Return whether a sample is an error, an HTTP 5xx and an HTTP 4xx, each as 0 or 1."""
    if event.status is None:
        return _FLAGGED if event.error else GOOD
    text = str(event.status)
    code = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else -1
    if code == 0:
        return 1, 0, 0
    if not 100 <= code <= 599:
        raise _bad(index, "httpResponseCode", "neither 0 (no answer) nor an HTTP status")
    if code >= 500:
        return 1, 1, 0
    if code >= 400:
        return 0, 0, 1
    return _FLAGGED if event.error else GOOD


def _bad(index: int, field: str, what: str) -> InvalidInput:
    where = f"event {index}" + (f", field '{_safe(field)}'" if field else "")
    loc = f"{index}.{_safe(field)}" if field else str(index)
    return InvalidInput(
        f"{where}: {what}",
        code="invalid_event",
        hint="nothing of this body was counted; mend the event and send the body again",
        errors=({"loc": loc, "msg": what},),
    )


def _explain(message: str) -> InvalidInput:
    """Turn msgspec's "Expected `float`, got `str` - at `$[3].duration`" into our own words."""
    match = _PATH.match(message)
    if match is None or match["index"] is None:
        return InvalidInput(
            "the body is not a list of events", code="invalid_batch", hint="send a JSON list"
        )
    what = match["what"].replace("`", "")
    missing = re.fullmatch(r"Object missing required field (\w+)", what)
    if missing:
        return _bad(int(match["index"]), missing[1], "missing")
    return _bad(int(match["index"]), match["field"], what[:1].lower() + what[1:])


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name[:64])
