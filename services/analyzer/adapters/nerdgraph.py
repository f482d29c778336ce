"""Windows from New Relic's NerdGraph: one NRQL query holds both arms of a window.

One query is one snapshot, so neither arm is read later than the other. Latencies come from three
linear histograms of NRQL, each ten times as coarse as the one before: 1 ms up to 240 ms, 10 ms up
to 2.4 s, 100 ms up to 25 s. New Relic puts what exceeds a histogram's ceiling into its last bucket,
so each one is read below its ceiling only.

Counts are of stored events. Where an agent samples, they are of a sample of the requests, which a
comparison of arms may use as it is; they are never extrapolated.

Source: New Relic, "NRQL syntax, clauses, and functions" (histogram, filter, FACET, TIMESERIES) and
"NerdGraph tutorial: query your data".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from analyzer.adapters.http_reading import Reader
from analyzer.adapters.newrelic_rest import KEY_HINT
from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import NO_REQUESTS, ArmCounts
from analyzer.ports import ArmReading, History, Tier, WindowReading

if TYPE_CHECKING:
    from analyzer.domain.model import Window
    from analyzer.ports import Arms

_GRAPHQL = """
query ($accountId: Int!, $query: Nrql!, $timeout: Seconds) {
  actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) {
    results
    metadata { timeWindow { begin end } }
  } } }
}
"""
_MOST_BUCKETS = 366
"""TIMESERIES gives no more than this many."""
_NO_EVENTS = "the source has no transactions of it in the window"
_MIDDLE_FROM, _COARSE_FROM = 24, 24
_BUCKETS = 250
_CEILINGS_S = (0.25, 2.5, 25)
_COLUMNS = (
    "count(*) AS 'requests', filter(count(*), WHERE {bad}) AS 'bad', count(duration) AS 'timed'"
)
_HISTOGRAMS = "".join(
    f", histogram(duration, {ceiling}, {_BUCKETS}) AS 'below {ceiling} s'"
    for ceiling in _CEILINGS_S
)


class NerdGraphSource:
    """A Source over NerdGraph.

    Attributes:
        account: New Relic's account id.
        label: the transaction's attribute that tells the arms apart.
        bad: NRQL condition of a bad request.
    """

    name = "nerdgraph"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        timeout_seconds: float,
        account: int,
        label: str = "podTemplateHash",
        bad: str = "error IS true",
    ) -> None:
        self._reader = Reader(
            client, source=self.name, timeout_seconds=timeout_seconds, key_hint=KEY_HINT
        )
        # New Relic ends a query by itself a moment before nobody waits for it any more.
        self._query_seconds = max(1, int(timeout_seconds) - 1)
        self._account = account
        self._label = label
        self._columns = _COLUMNS.format(bad=bad)

    async def read_window(self, arms: Arms, window: Window) -> WindowReading:
        """Return both arms over a window; see the port."""
        rows = await self._ask(
            f"SELECT {self._columns}{_HISTOGRAMS} FROM Transaction"  # noqa: S608 - NRQL
            f" WHERE appName = {_quoted(arms.app)}"
            f" AND {self._label} IN ({_quoted(arms.canary)}, {_quoted(arms.stable)})"
            f" FACET {self._label} LIMIT 10{_between(window)}",
            window,
        )
        found: dict[str, ArmReading] = {}
        for row in rows:
            facet = row.get("facet", row.get(self._label))
            if facet not in {arms.canary, arms.stable} or facet in found:
                raise self._reader.unusable("a facet that was not asked for, or one twice")
            found[facet] = self._read_arm(row)
        nothing = ArmReading(counts=NO_REQUESTS, note=_NO_EVENTS)
        canary, stable = found.get(arms.canary, nothing), found.get(arms.stable, nothing)
        told = all(arm.latency is not None for arm in found.values()) and bool(found)
        return WindowReading(
            window=window,
            canary=canary,
            stable=stable,
            tier=Tier.HISTOGRAM if told else Tier.COUNTS,
        )

    async def read_history(self, arms: Arms, window: Window, *, block_s: int) -> History:
        """Return stable's blocks and latencies; see the port. A longer history is cut."""
        start = max(window.start, window.end - _MOST_BUCKETS * block_s)
        window = type(window)(start=start, end=window.end)
        scope = (
            f" FROM Transaction WHERE appName = {_quoted(arms.app)}"
            f" AND {self._label} = {_quoted(arms.stable)}{_between(window)}"
        )
        blocks = await self._ask(
            f"SELECT {self._columns}{scope} TIMESERIES {block_s} seconds", window
        )
        counts = [self._counts(block) for block in blocks]
        whole = await self._ask(f"SELECT {self._columns}{_HISTOGRAMS}{scope}", window)
        if len(whole) != 1:
            raise self._reader.unusable(f"{len(whole)} rows, expected one")
        return History(
            blocks=tuple((one.count, one.bad) for one in counts if one.count),
            latency=self._read_arm(whole[0]).latency,
        )

    async def _ask(self, nrql: str, window: Window) -> list[dict[str, Any]]:
        status, body = await self._reader.post_json(
            "/graphql",
            {
                "query": _GRAPHQL,
                "variables": {
                    "accountId": self._account,
                    "query": nrql,
                    "timeout": self._query_seconds,
                },
            },
        )
        if status != httpx.codes.OK:
            raise self._reader.refused(status)
        answer = self._reader.decode(body, _Answer)
        # GraphQL tells errors under status 200, and may send half of the data beside them.
        if answer.errors:
            raise self._reader.failed(
                "answered with GraphQL errors",
                "the account, the key's rights and the names of attributes must be right",
            )
        try:
            nrql_answer = answer.data["actor"]["account"]["nrql"]
            rows = msgspec.convert(nrql_answer["results"], list[dict[str, Any]])
            told = nrql_answer["metadata"]["timeWindow"]
            edges = (told["begin"], told["end"])
        except (msgspec.ValidationError, TypeError, KeyError):
            raise self._reader.unusable("no results, or no time window") from None
        if edges != (round(window.start * 1000), round(window.end * 1000)):
            raise self._reader.unusable("it tells of another time window")
        return rows

    def _counts(self, row: dict[str, Any]) -> ArmCounts:
        try:
            return ArmCounts(count=_whole(row["requests"]), bad=_whole(row["bad"]))
        except (KeyError, ValueError) as error:
            raise self._reader.unusable(f"counts: {error}") from None

    def _read_arm(self, row: dict[str, Any]) -> ArmReading:
        counts = self._counts(row)
        try:
            latency = _latency(row, counts.count)
        except (KeyError, ValueError) as error:
            raise self._reader.unusable(f"latencies: {error}") from None
        note = "" if latency is not None else "its requests have no durations"
        return ArmReading(counts=counts, latency=latency, note=note)


class _Answer(msgspec.Struct):
    data: Any = None
    errors: Any = None


def _between(window: Window) -> str:
    return f" SINCE {round(window.start * 1000)} UNTIL {round(window.end * 1000)}"


def _quoted(text: str) -> str:
    """Return a string literal of NRQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("expected a whole number")  # noqa: TRY004 - bad data, not a bad call
    return value


def _buckets(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) != _BUCKETS:
        raise ValueError(f"expected {_BUCKETS} buckets")
    return [_whole(one) for one in value]


def _latency(row: dict[str, Any], requests: int) -> LatencyHistogram | None:
    """Return the latencies of a row; None when no request has one.

    Raises:
        ValueError: the row contradicts itself.
    """
    timed = _whole(row["timed"])
    if timed > requests:
        raise ValueError("more requests are timed than there are")
    if requests and not timed:
        return None
    latency = _together([_buckets(row[f"below {one} s"]) for one in _CEILINGS_S])
    if latency.count != timed:
        raise ValueError(f"buckets hold {latency.count} of {timed} timed requests")
    return latency


def _together(scales: list[list[int]]) -> LatencyHistogram:
    """Put the scales together: each from where the finer one before it ends."""
    fine, middle, coarse = scales
    spans = (
        (1, 0, fine[: _MIDDLE_FROM * 10]),
        (10, _MIDDLE_FROM, middle[_MIDDLE_FROM : _COARSE_FROM * 10]),
        (100, _COARSE_FROM, coarse[_COARSE_FROM:-1]),
    )
    bins = [
        (float(width * (first + index + 1)), count)
        for width, first, counts in spans
        for index, count in enumerate(counts)
        if count
    ]
    if coarse[-1]:
        bins.append((float("inf"), coarse[-1]))
    return LatencyHistogram(
        le_ms=tuple(edge for edge, _ in bins), counts=tuple(count for _, count in bins)
    )
