"""The result document of a study as tables: for a terminal, for Markdown, for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.report import gfm
from rollout_runner.report.wording import NOTHING
from svckit.durations import short_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the names of the columns, and the cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(document: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a document."""
    if "sweep" in document:
        return [_sweep(document)]
    made = [_outcomes(document), _detection(document)]
    if document["abortedAtStep"]:
        made.append(_steps(document))
    if document["readings"]:
        made.append(_readings(document))
    if document["appWideReadings"]:
        made.append(_mixtures(document))
    if "comparison" in document:
        made.append(_comparison(document))
    return made


def advice(document: Mapping[str, Any]) -> list[str]:
    """Return the sentences of a document; of a sweep none, which has its curve."""
    return list(document.get("advice", ()))


def headline(document: Mapping[str, Any]) -> str:
    """Return one line: what was tried."""
    canary, baseline = described(document["canary"]), described(document["baseline"])
    if "sweep" in document:
        points = document["sweep"]["points"]
        canary = f"{document['sweep']['field']} {points[0]['label']} to {points[-1]['label']}"
    turned = [entry for entry in document["timeline"] if "canary" in entry]
    if turned:
        last = turned[-1]
        when = f"from step {last['on']['step']} on" if "on" in last else "later"
        canary = f"{described(last['canary'])} ({when})"
    return (
        f"{document['rollout']} of {document['manifests']}: {document['runs']:,} rollouts,"
        f" seed {document['seed']}, {document['traffic']}; stable {baseline}, canary {canary}"
    )


def described(behaviour: Mapping[str, Any]) -> str:
    """Return a behaviour of the document in a few words."""
    parts = [f"{100 * behaviour.get('errors', 0):.4g} % errors"]
    if "status" in behaviour:
        parts[0] = f"HTTP {behaviour['status']}" + (
            f" to {100 * behaviour['errors']:.4g} %" if "errors" in behaviour else ""
        )
    parts.extend(
        f"{name} {1000 * behaviour[name]:.4g} ms" for name in ("p50", "p99") if name in behaviour
    )
    if "latency" in behaviour:
        parts.append(f"{behaviour['latency']['add']} added")
    if "hang" in behaviour:
        parts.append(f"hangs {behaviour['hang']}")
    return ", ".join(parts)


def as_text(document: Mapping[str, Any]) -> str:
    """Return the document for a terminal."""
    lines = [headline(document), ""]
    for table in tables(document):
        lines += [table.title, *_aligned(table), ""]
    lines.extend(advice(document))
    return "\n".join(lines).rstrip() + "\n"


def as_markdown(document: Mapping[str, Any]) -> str:
    """Return the document as Markdown for a job summary."""
    lines = [f"## gatelab simulate: {gfm.escape(document['rollout'])}", ""]
    lines += [gfm.escape(headline(document)), ""]
    for table in tables(document):
        rows = [[gfm.escape(cell) for cell in row] for row in table.rows]
        lines += [f"### {table.title}", "", *gfm.table(table.header, rows), ""]
    lines.extend(f"- {gfm.escape(sentence)}" for sentence in advice(document))
    return "\n".join(lines).rstrip() + "\n"


def _aligned(table: Table) -> list[str]:
    rows = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.header))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _outcomes(document: Mapping[str, Any]) -> Table:
    header = ["outcome", "probability", "95 % interval", "method"]
    other = document.get("against")
    if other:
        header += [f"against {other['manifests']}", "95 % interval"]
    rows = []
    for name, chance in document["probabilities"].items():
        row = [
            name,
            percent(chance),
            _interval(document["intervals"][name]),
            document["intervalMethods"][name],
        ]
        if other:
            row += [
                percent(other["probabilities"].get(name, 0.0)),
                _interval(other["intervals"].get(name)),
            ]
        rows.append(tuple(row))
    return Table("Outcomes", tuple(header), tuple(rows))


def _detection(document: Mapping[str, Any]) -> Table:
    columns = [("", document)]
    if "against" in document:
        columns.append(("against ", document["against"]))
    lines: list[tuple[str, str, str, Callable[[float], str]]] = [
        ("time until stopped", "detection", "seconds", short_duration),
        ("bad requests until stopped", "detection", "badRequestsServed", _count),
        ("bad requests, all runs", "exposure", "badRequestsServed", _count),
    ]
    rows = [
        (name, *(cell for _, each in columns for cell in _spread(each[part][key], write)))
        for name, part, key, write in lines
    ]
    header = ["", *(f"{prefix}{name}" for prefix, _ in columns for name in ("p50", "p90"))]
    return Table("Detection and exposure", tuple(header), tuple(rows))


def _steps(document: Mapping[str, Any]) -> Table:
    decided = ", ".join(f"{name} {count}" for name, count in document["decidedBy"].items())
    rows = [
        (step, f"{count:,}", percent(count / document["runs"]))
        for step, count in document["abortedAtStep"].items()
    ]
    title = "Aborted at step" + (f" (decided by {decided})" if decided else "")
    return Table(title, ("step", "runs", "share"), tuple(rows))


def _readings(document: Mapping[str, Any]) -> Table:
    rows = [
        (
            NOTHING if each["step"] is None else str(each["step"]),
            each["metric"],
            *(f"{each[name]:.4g}" for name in ("mean", "p10", "p50", "p90")),
            f"{each['count']:,}",
        )
        for each in document["readings"]
    ]
    header = ("step", "metric", "mean", "p10", "p50", "p90", "readings")
    return Table("Error rates that the gates were told, in percent", header, tuple(rows))


def _mixtures(document: Mapping[str, Any]) -> Table:
    rows = [
        (str(each["weight"]), f"{each['errorRate']:.4g} %") for each in document["appWideReadings"]
    ]
    return Table("What an app-wide error rate reads", ("weight", "reads"), tuple(rows))


def _comparison(document: Mapping[str, Any]) -> Table:
    comparison = document["comparison"]
    stopped = comparison["stopped"]
    low, high = comparison["differenceInterval"]
    rows = (
        ("stopped by both", f"{stopped['both']:,}"),
        ("stopped by this gate only", f"{stopped['onlyThis']:,}"),
        ("stopped by the other only", f"{stopped['onlyAgainst']:,}"),
        ("stopped by neither", f"{stopped['neither']:,}"),
        (
            "difference of P(stopped)",
            f"{100 * comparison['difference']:+.3g} points ({100 * low:+.3g} to {100 * high:+.3g})",
        ),
        ("McNemar's exact p", f"{comparison['mcnemarP']:.3g}"),
    )
    return Table("Both gates on the same runs", ("", "runs"), rows)


def _sweep(document: Mapping[str, Any]) -> Table:
    sweep = document["sweep"]
    header = ["canary " + sweep["field"], "P(stopped)", "95 % interval", "time p50", "bad p50"]
    compared = "comparison" in sweep["points"][0]
    if compared:
        header += ["other P(stopped)", "only this", "only other", "p"]
    rows = []
    for point in sweep["points"]:
        promoted = point["probabilities"]["promoted"]
        low, high = point["intervals"]["promoted"]
        row = [
            point["label"],
            percent(1 - promoted),
            _interval([1 - high, 1 - low]),
            _spread(point["detection"]["seconds"], short_duration)[0],
            _spread(point["exposure"]["badRequestsServed"], _count)[0],
        ]
        if compared:
            stopped = point["comparison"]["stopped"]
            row += [
                percent(1 - point["against"]["probabilities"]["promoted"]),
                f"{stopped['onlyThis']:,}",
                f"{stopped['onlyAgainst']:,}",
                f"{point['comparison']['mcnemarP']:.3g}",
            ]
        rows.append(tuple(row))
    return Table("Operating characteristic", tuple(header), tuple(rows))


def percent(share: float) -> str:
    """Return a share as percent: `99.2 %`."""
    return f"{100 * share:.4g} %"


def _interval(bounds: Sequence[float] | None) -> str:
    return NOTHING if bounds is None else f"{100 * bounds[0]:.3g} to {100 * bounds[1]:.3g} %"


def _spread(
    quantiles: Mapping[str, float | None], write: Callable[[float], str]
) -> tuple[str, str]:
    first, second = (
        NOTHING if value is None else write(value) for value in (quantiles["p50"], quantiles["p90"])
    )
    return first, second


def _count(value: float) -> str:
    return f"{value:,.0f}"
