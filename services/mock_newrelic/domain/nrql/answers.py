"""The shapes in which an answer is given: NerdGraph's and the older query API's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.columns import column_name, facet_name, insights_name
from mock_newrelic.domain.nrql.result import WHOLE
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from mock_newrelic.domain.nrql.ast import Item
    from mock_newrelic.domain.nrql.result import Result


def nerdgraph_answer(result: Result, text: str) -> dict[str, Any]:
    """Return the fields of NerdGraph's `NrdbResultContainer`."""
    compared = result.previous is not None
    current = [row for row in result.rows if row.get("comparison") != "previous"]
    return {
        "results": result.rows,
        "nrql": text,
        "totalResult": result.total,
        "otherResult": result.other,
        "currentResults": current if compared else None,
        "previousResults": result.previous,
        "metadata": _metadata(result),
        "rawResponse": insights_answer(result),
        "queryProgress": None,
        "suggestedFacets": [],
    }


def insights_answer(result: Result) -> dict[str, Any]:
    """Return the document of `GET /v1/accounts/{id}/query`."""
    metadata = _metadata(result)
    window = metadata["timeWindow"]
    about = {
        "eventTypes": metadata["eventTypes"],
        "eventType": ",".join(metadata["eventTypes"]),
        "openEnded": result.window.open,
        "beginTimeMillis": window["begin"],
        "endTimeMillis": window["end"],
        "beginTime": format_timestamp(window["begin"] // 1000),
        "endTime": format_timestamp(window["end"] // 1000),
        "messages": metadata["messages"],
        "contents": [_content(item) for item in result.query.select],
    }
    statistics = {"inspectedCount": _whole(result.inspected.get(WHOLE, 0))}
    more = {"performanceStats": statistics, "metadata": about}
    if result.buckets and result.faceted:
        return {**_faceted_series(result), **more}
    if result.buckets:
        return {"timeSeries": [_step(result, row) for row in result.rows], **more}
    if result.faceted:
        about["facet"] = metadata["facets"]
        return {
            "facets": [
                {"name": row["facet"], "results": _values(result, row)} for row in result.rows
            ],
            **more,
        }
    if result.events:
        return {"results": [{"events": result.rows}], **more}
    rows = result.rows or [{}]
    return {"results": _values(result, rows[0]), **more}


def _metadata(result: Result) -> dict[str, Any]:
    query, window = result.query, result.window
    return {
        "eventTypes": result.event_types,
        "facets": [facet_name(item) for item in query.facets]
        or [case.alias or f"case {number}" for number, case in enumerate(query.cases, 1)]
        or None,
        "messages": result.messages,
        "timeWindow": {
            "begin": round(window.begin * 1000),
            "end": round(window.end * 1000),
            "since": f"{format_timestamp(window.begin)}",
            "until": f"{format_timestamp(window.end)}",
            "compareWith": None
            if query.compare is None
            else f"{query.compare.amount:g} {query.compare.unit.upper()}S AGO",
        },
    }


def _values(result: Result, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one object for each selected value, keyed as the older API names it."""
    values = []
    for item in result.query.select:
        if isinstance(item.value, ast.Star):
            continue
        value = row.get(column_name(item))
        name = insights_name(item)
        shown = {name: value}
        if name == "score":
            shown |= {key: row[key] for key in ("s", "t", "f", "count") if key in row}
        values.append(shown)
    return values


def _step(result: Result, row: dict[str, Any]) -> dict[str, Any]:
    begins = {int(bucket.begin): index for index, bucket in enumerate(result.buckets)}
    index = begins.get(row["beginTimeSeconds"], WHOLE)
    return {
        "beginTimeSeconds": row["beginTimeSeconds"],
        "endTimeSeconds": row["endTimeSeconds"],
        "inspectedCount": _whole(result.inspected.get(index, 0)),
        "results": _values(result, row),
    }


def _faceted_series(result: Result) -> dict[str, Any]:
    facets: dict[str, list[dict[str, Any]]] = {}
    names: dict[str, Any] = {}
    for row in result.rows:
        key = repr(row["facet"])
        names[key] = row["facet"]
        facets.setdefault(key, []).append(_step(result, row))
    return {"facets": [{"name": names[key], "timeSeries": steps} for key, steps in facets.items()]}


def _content(item: Item) -> dict[str, Any]:
    function = item.value.function if isinstance(item.value, ast.Call) else "events"
    content: dict[str, Any] = {"function": function}
    if item.alias is not None:
        content = {"function": "alias", "alias": item.alias, "contents": content}
    return content


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value
