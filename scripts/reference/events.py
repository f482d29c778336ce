"""event-log.md: the events of a run, from rollout_runner.events."""

from __future__ import annotations

import datetime as dt
import types
from typing import Any, get_args, get_origin

import msgspec

from reference.markdown import code, flowed, page, table
from rollout_runner import events

_PARTS = (events.Step, events.Revision, events.MetricPlan, events.VersionTraffic)
_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dt.datetime: "time",
    type(None): "null",
    Any: "any JSON",
}


def render() -> str:
    """Return the page."""
    parts = []
    for event in get_args(events.Event):
        parts += [f"### {tag(event)}", flowed(event.__doc__), _fields(event)]
    parts.append("## Parts")
    for part in _PARTS:
        parts += [f"### {part.__name__}", flowed(part.__doc__), _fields(part)]
    return page(
        "Event log",
        "`events.jsonl` in the folder of a run: one JSON document a line, written as things happen"
        " and flushed one by one. It is the only record of a run; progress, report and result are"
        " made from it ([ADR 7](../adr/0007-event-log-is-the-record.md)).",
        "Every event has `event` (its name) and `at` (virtual time, RFC 3339, UTC). Keys are"
        " camelCase. A key that may be left out has a default. Readers ignore keys that they do"
        f" not know; `schemaVersion` of `run_started` is {events.SCHEMA_VERSION}. The programs of"
        " the bench start before the run does, so their `process_started` lines come after"
        " `run_started` with an earlier `at`. A torn last line is what a killed run leaves;"
        " `gatelab report` accepts it.",
        "## Events",
        *parts,
    )


def tag(event: type[msgspec.Struct]) -> str:
    """Return the name of an event in the log."""
    return str(event.__struct_config__.tag)


def _fields(struct: type[msgspec.Struct]) -> str:
    rows = [
        (code(field.encode_name), type_name(field.type), _default(field))
        for field in msgspec.structs.fields(struct)
        if field.name != "at"
    ]
    return table(("Key", "Type", "Default"), rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT:
        return "empty"
    value = field.default
    return "empty" if value == "" else code(msgspec.json.encode(value).decode())


def type_name(annotation: Any) -> str:
    """Say a type in plain words: `list of Step`, `whole number or null`."""
    if get_origin(annotation) is types.UnionType:
        return " or ".join(type_name(each) for each in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {type_name(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"mapping of text to {type_name(get_args(annotation)[1])}"
    if isinstance(annotation, type) and annotation in _PARTS:
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _NAMES[annotation]
