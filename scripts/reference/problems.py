"""problems.md: every error code, who raises it, and what to do about it.

Which program raises a code is read from the sources; the sentences are kept here. A code without a
sentence, or a sentence without a code, stops the generator.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mock_newrelic.domain import query
from reference.markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICES = Path(query.__file__).parents[2]
_PROGRAMS = {
    "svckit": "all",
    "mock_newrelic": "mock-newrelic",
    "analyzer": "canary-analyzer",
    "votegen": "votegen",
    "voteapp": "voteapp",
    "rollout_runner": "gatelab",
}


class Problem(NamedTuple):
    """Status ("-" on the command line only), what it means, what to do."""

    status: str
    meaning: str
    remedy: str


PROBLEMS = {
    # Any program
    "bad_request": Problem(
        "400", "The request is not HTTP as it should be.", "Look at the client."
    ),
    "invalid_request": Problem(
        "422, 400",
        "A body or parameter has a wrong value; 400 when the body is not JSON.",
        "`errors[]` names each field and what is expected.",
    ),
    "invalid_input": Problem(
        "422", "A value cannot be used.", "The detail names the field; the hint says what to do."
    ),
    "unauthorized": Problem("401", "No key, or a wrong one.", "Send the header `Api-Key`."),
    "forbidden": Problem(
        "403",
        "A valid key that may not do this: a reading key on the control plane, or the admin key on"
        " the data plane.",
        "Use the other key.",
    ),
    "not_found": Problem("404", "No such route or object.", "Look at `/docs`."),
    "method_not_allowed": Problem("405", "The route has other methods.", "Look at `/docs`."),
    "conflict": Problem("409", "The request does not fit the present state.", "Read the detail."),
    "too_large": Problem("413", "The body is too long.", "Send several smaller ones."),
    "unavailable": Problem(
        "502", "A source, program or port failed, so there is nothing to judge.", "Read the detail."
    ),
    "internal_error": Problem("500", "A bug.", "The service's log has the traceback."),
    "port_in_use": Problem("-", "The port is taken.", "Stop the other process, or `--port 0`."),
    "run_in_progress": Problem(
        "-", "Another run writes into this folder.", "Wait for its end, or choose another `--dir`."
    ),
    "cannot_listen": Problem(
        "-", "The address is not one of this machine.", "Give another `--host`."
    ),
    # mock-newrelic: questions
    "bad_app": Problem("400", "`app` is missing or no application name.", "`app=my-app`"),
    "bad_metric": Problem(
        "400, 422",
        "`metric` is missing or unknown; 422 in an injection.",
        "The hint lists the metrics.",
    ),
    "bad_window": Problem(
        "400", "`window` is missing or not a window.", "`window=5m`, at most 24h"
    ),
    "bad_step": Problem(
        "400", "`step` is not a window, or too small for the window.", "`step=10s`"
    ),
    "bad_at": Problem("400", "`at` is no time, or outside of what is kept.", "RFC 3339, last 24 h"),
    "bad_since": Problem(
        "400", "`since` is no time, outside of what is kept, or after `at`.", "RFC 3339, last 24 h"
    ),
    "bad_t": Problem("400", "`t` is empty or too long.", "`t=0.5`, with `metric=apdex` only"),
    "bad_slo": Problem(
        "400", "`slo` is missing or no share, with `metric=burn_rate`.", "`slo=99.9`"
    ),
    "bad_source": Problem("400", "`source` is not known.", "The hint lists the sources."),
    "bad_q": Problem(
        "400",
        "`q` is missing, no NRQL, or asks for more than one number.",
        "The detail names the place in the query.",
    ),
    "nrql_error": Problem(
        "200", "NRQL asked over NerdGraph that cannot be run.", "Read the detail."
    ),
    "negative_value": Problem(
        "422", "The query's number is below zero, which no metric of a gate is.", "Mend the query."
    ),
    "bad_detail": Problem("400", "`detail` is empty or too long.", "`detail=full`"),
    "bad_min_samples": Problem("400", "`min_samples` is empty or too long.", "`min_samples=100`"),
    "bad_parameter": Problem(
        "400", "A parameter has a value that cannot be read.", "The detail names it."
    ),
    "bad_selector": Problem("400", "A selector is empty, too long or not printable.", "Mend it."),
    "unknown_parameter": Problem(
        "400",
        "A parameter that does not exist here. It is refused: a selector that silently does not"
        " apply would answer for other samples.",
        "The hint lists the parameters.",
    ),
    "duplicate_parameter": Problem("400", "A parameter is given twice.", "Send it once."),
    "unknown_app": Problem(
        "404",
        "The application has never sent a sample.",
        "`GET /v1/apps`; names are case-sensitive.",
    ),
    "no_data": Problem(
        "404",
        "No sample in the window, or none with a duration when one is needed. Never a zero.",
        "Check window and selector, and that traffic flows.",
    ),
    "no_distribution": Problem(
        "404",
        "A percentile is asked for, and some durations are known by their sum only.",
        "Ask for `responseTime`, or let the application send events, spans or histograms.",
    ),
    "stale_data": Problem(
        "503", "The last sample is older than `stale_after`.", "Is the sender still alive?"
    ),
    "insufficient_samples": Problem(
        "422", "Fewer samples than `min_samples`.", "A longer window, or more traffic."
    ),
    "label_not_kept": Problem(
        "400", "A label of the selector has too many values to be kept.", "Select by another label."
    ),
    "too_many_series": Problem(
        "503",
        "Some samples of the window lost their labels for want of room, so a selector would miss"
        " them.",
        "`POST /control/reset?app=…`, or raise `MOCK_NEWRELIC_MAX_SERIES`.",
    ),
    "injected_status": Problem(
        "as injected",
        "An injection answers with this status.",
        "`GET /control/injections` lists it.",
    ),
    # mock-newrelic: ingest
    "invalid_json": Problem("400", "The body is not JSON.", "Send a JSON list of events."),
    "invalid_batch": Problem("422", "The body is not a list of events.", "Send a JSON list."),
    "empty_batch": Problem("400", "The list is empty.", "Send at least one event."),
    "invalid_event": Problem(
        "422",
        "An event is bad; nothing of the body was counted.",
        "The detail names event and field. Mend it and send the body again.",
    ),
    "bad_encoding": Problem(
        "415, 400",
        "The `Content-Encoding` is unknown (415), or the body does not unpack with it (400).",
        "gzip, deflate, zstd or none",
    ),
    "bad_content_type": Problem(
        "415", "The content type is none that the path takes.", "The guide of the API names them."
    ),
    "bad_data_format": Problem(
        "400",
        "`Data-Format` or `Data-Format-Version` of spans is unknown.",
        "`newrelic` with `1`, or `zipkin` with `2`",
    ),
    "empty_body": Problem("400", "There is no body.", "Send JSON."),
    "data_dir_in_use": Problem(
        "-",
        "Another process of the service keeps its data there.",
        "Stop it, choose another `--data-dir`, or use `--ephemeral`.",
    ),
    "data_dir_damaged": Problem(
        "-",
        "The file in the data directory is damaged, or is not one of this service.",
        "Move it away, or choose another `--data-dir`.",
    ),
    "data_dir_version": Problem(
        "-",
        "The data directory was written by another version of the service.",
        "Move it away, or choose another `--data-dir`.",
    ),
    "data_dir_unusable": Problem(
        "-",
        "The data directory cannot be made, read or written.",
        "Choose another `--data-dir`, or use `--ephemeral`.",
    ),
    "store_failed": Problem(
        "503",
        "The data directory or the database cannot be used; nothing of the request was kept.",
        "Make room on the disk, or start the database, and send it again.",
    ),
    "records_lost": Problem(
        "503",
        "Raw events of the window had to give way to later ones; an answer would be partial.",
        "Ask for a shorter window, or for what counts by label can answer.",
    ),
    "disconnected": Problem(
        "400", "The sender went away in the middle of its body.", "Send it again."
    ),
    "bad_agent_data": Problem(
        "400",
        "The body of a collector's method is not what agents send with it; nothing of it counts.",
        "The message names the method and the form that was expected.",
    ),
    "unknown_agent_method": Problem(
        "400",
        "The collector has no such method.",
        "Compare it with `docs/guides/point-your-agent-here.md`.",
    ),
    "unknown_agent_run": Problem(
        "409",
        "The run of an agent is not known: it ended, or the service began with an empty store.",
        "Nothing: the agent connects again by itself.",
    ),
    "no_statuses": Problem(
        "404",
        "The exact counts of agents (`source=agent_metrics`) do not tell HTTP statuses.",
        "Ask with `source=agent`, or leave `source` out.",
    ),
    "bad_license_key": Problem(
        "401",
        "The licence key is none, or not among `MOCK_NEWRELIC_LICENSE_KEYS`.",
        "Set `NEW_RELIC_LICENSE_KEY` to 40 letters and digits.",
    ),
    "bad_tls_host": Problem(
        "-", "`--tls-host` is no host name and no address.", "Leave out scheme and port."
    ),
    "bad_tls_files": Problem(
        "-",
        "The certificates in `--tls-dir` do not serve: other names, out of date, or not a pair.",
        "Remove the directory to have new ones made, and give clients the new `ca.pem`.",
    ),
    "invalid_otlp": Problem(
        "400",
        "The body is no export request of OTLP, as protobuf or as JSON.",
        "Let an OTLP/HTTP exporter send it, with the content type of its encoding.",
    ),
    "too_many_apps": Problem(
        "507", "No room for another application.", "Reset one, or raise `MOCK_NEWRELIC_MAX_APPS`."
    ),
    # mock-newrelic: control plane
    "bad_effect": Problem("422", "The effect is unknown or its argument wrong.", "Read the hint."),
    "too_many_injections": Problem(
        "409", "There are 1000 injections already.", "`DELETE /control/injections`"
    ),
    "bad_scope": Problem("422", "A label of an injection is no label, or a field.", "Mend it."),
    "bad_surface": Problem(
        "422", "The surface is unknown, or the effect cannot act there.", "Read the hint."
    ),
    "bad_schedule": Problem(
        "422", "Start, schedule or trigger of an injection cannot be read.", "Read the hint."
    ),
    "unknown_session": Problem(
        "400", "The session has never begun, or it has ended.", "`POST /control/sessions`"
    ),
    "snapshot_missing": Problem(
        "404", "In CI no snapshot is created.", "Create it elsewhere, and `PUT` it here."
    ),
    "snapshot_differs": Problem(
        "409", "The requests are not those of the snapshot.", "`errors` says where."
    ),
    "too_many_snapshots": Problem(
        "409", "There are 1000 snapshots already.", "`DELETE /control/snapshots/{name}`"
    ),
    "too_many_sessions": Problem(
        "409", "There are 100 sessions already.", "`DELETE /control/sessions/{token}`"
    ),
    "bad_wait": Problem(
        "422",
        "Not exactly one of `samples`, `count` and `metric` (with `op`, `value`).",
        "Give one.",
    ),
    "bad_timeout": Problem("422", "`timeout` is not a duration up to 1m.", "`timeout=30s`"),
    "wait_timeout": Problem("408", "It did not come in time.", "The detail says how much came."),
    # canary-analyzer
    "invalid_parameter": Problem(
        "422",
        "A query parameter is unknown, missing, doubled, empty or wrong.",
        "The detail names it and says what is expected.",
    ),
    "invalid_config": Problem(
        "422",
        "A configuration of the judge cannot be used; the detail names file and field.",
        "Mend the file; it is read again when it changes.",
    ),
    "unknown_config": Problem(
        "422", "There is no configuration of that name.", "The hint lists all names."
    ),
    "unknown_run": Problem("404", "There is no run of that name.", "A run begins with `run=`."),
    "run_reads_itself": Problem(
        "409",
        "Windows were brought along for a run that reads its windows from a source.",
        "Take another name.",
    ),
    "run_is_brought_along": Problem(
        "409",
        "A run whose windows are brought along was asked to read them.",
        "Take another name.",
    ),
    "store_busy": Problem("503", "Other replicas change the run all the time.", "Send it again."),
    "invalid_target": Problem(
        "422", "Service, namespace or path of a health check has no valid form.", "Names only."
    ),
    "target_not_allowed": Problem(
        "403", "The target is not on the allow-list; nothing was sent.", "`ANALYZER_HEALTH_ALLOW`"
    ),
    "no_source": Problem("503", "No metric source is configured.", "`--source newrelic=URL`"),
    "source_failed": Problem(
        "502", "The source answered with an error or with nonsense.", "The detail quotes it."
    ),
    "source_stale": Problem(
        "502",
        "The source is there, and its data are too old to judge by.",
        "Does the application still report to it?",
    ),
    "source_no_series": Problem(
        "502",
        "Prometheus has no series of either arm.",
        "Compare `ANALYZER_PROMETHEUS_REQUESTS` and the label names with what it scrapes.",
    ),
    "source_timeout": Problem(
        "504",
        "The source did not answer in time.",
        "Is it running? `ANALYZER_SOURCE_TIMEOUT_SECONDS`",
    ),
    # votegen
    "no_plan": Problem("409", "There is no plan to start or change.", "`PUT /control/plan` first."),
    "bad_ca": Problem("-", "The file of authorities cannot be read.", "`--ca PEM-FILE`"),
    "part_died": Problem(
        "-", "One process of a run died, so its counts are lost.", "Look at the machine's memory."
    ),
    "running": Problem("409", "A run is under way.", "Stop it first, or `PATCH /control/plan`."),
    # gatelab
    "service_not_ready": Problem(
        "-", "A program of the bench did not start.", "The hint names its log."
    ),
    "invalid_rollout": Problem("-", "A Rollout that cannot be used.", "Argo's own message."),
    "invalid_analysis": Problem(
        "-", "A template, argument or AnalysisRun that cannot be used.", "Argo's own message."
    ),
    "unsupported": Problem(
        "-",
        "The Rollout asks for something that `gatelab` cannot do.",
        "See [fields](rollout-fields.md).",
    ),
}


def render() -> str:
    """Return the page.

    Raises:
        SystemExit: sources and sentences do not agree.
    """
    raised = raised_codes()
    if unlike := set(PROBLEMS) ^ set(raised):
        raise SystemExit(f"problems.py and the sources disagree about: {sorted(unlike)}")
    rows = [
        (code(name), problem.status, _who(raised[name]), problem.meaning, problem.remedy)
        for name, problem in PROBLEMS.items()
    ]
    return page(
        "Problems",
        "Every error of every service is `application/problem+json` (RFC 9457): `type`, `title`,"
        " `status`, `detail`, `instance`, and `error` (the code below), `hint` (what to do), and"
        " `errors[]` (`loc`, `msg`) for validation. Empty members are left out. `type` is an"
        " identifier made of the code; it is not a page. An error body never holds a metric's key.",
        "Codes are stable; sentences are not. A code that no row names is the lower-case name of"
        " an HTTP status.",
        "The command line prints detail and hint and ends with an [exit code](cli.md#exit-codes)."
        " Rows without a status appear there only, so their code is never printed.",
        table(("Code", "Status", "Raised by", "Means", "What to do"), rows),
    )


@cache
def raised_codes() -> dict[str, set[str]]:
    """Return code -> packages whose sources raise it."""
    found: dict[str, set[str]] = {}
    for path in sorted(_SERVICES.rglob("*.py")):
        package = path.relative_to(_SERVICES).parts[0]
        for name in _codes(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, set()).add(package)
    for parameter in sorted(query._METRIC | query._SERIES):  # noqa: SLF001 - f"bad_{name}" there
        found.setdefault(f"bad_{parameter}", set()).add("mock_newrelic")
    return found


def _codes(tree: ast.AST) -> Iterator[str]:
    """Yield the codes in a module: `code="…"`, also as a default, and `_bad(detail, "…")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="_bad"), args=[_, ast.Constant(value=str(found)), *_]):
                if found.startswith(("bad_", "unknown_", "duplicate_")):
                    yield found
            case ast.keyword(arg="code", value=ast.Constant(value=str(found))):
                yield found
            case ast.arguments():
                yield from _defaults(node)
            case (
                ast.AnnAssign(
                    target=ast.Name(id="default_code"), value=ast.Constant(value=str(found))
                )
                | ast.Assign(
                    targets=[ast.Name(id="default_code")], value=ast.Constant(value=str(found))
                )
            ):
                yield found
            case ast.Assign(targets=[ast.Name(id="_CODES")], value=ast.Dict(values=values)):
                yield from (str(each.value) for each in values if isinstance(each, ast.Constant))
            # code or "invalid_parameter"; "bad_selector" for what is no named parameter
            case ast.BoolOp(op=ast.Or(), values=[_, ast.Constant(value="invalid_parameter")]):
                yield "invalid_parameter"
            case ast.IfExp(orelse=ast.Constant(value="bad_selector")):
                yield "bad_selector"


def _defaults(arguments: ast.arguments) -> Iterator[str]:
    for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if name.arg == "code" and isinstance(default, ast.Constant) and default.value:
            yield str(default.value)


def _who(packages: set[str]) -> str:
    if "svckit" in packages:
        return "all"
    return ", ".join(_PROGRAMS[each] for each in sorted(packages))
