"""How a run begins: where to connect to, who it is, what it may send.

The reply to `connect` has what the agents for Python, Node and Go were seen to need. Events are
asked for every five seconds, and so many of them that a test is hardly ever sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.agents.run import AgentRun
from mock_newrelic.domain.identity import ACCOUNT_ID, application_id, entity_guid
from mock_newrelic.domain.query import APP_HINT, APP_PATTERN
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT_PERIOD_MS = 5000
HARVEST_LIMITS = {
    "analytic_event_data": 10_000,
    "custom_event_data": 10_000,
    "error_event_data": 1_000,
    "log_event_data": 10_000,
    "span_event_data": 2_000,
}
"""Events of each kind in one report period."""
APDEX_SECONDS = 0.5
MAX_APPS = 3
"""New Relic rolls up to three names."""
MAX_PAYLOAD_BYTES = 1_000_000
SESSION_LABEL = "mock_session"
"""The label by which a run says which session it belongs to."""
_METADATA = "NEW_RELIC_METADATA_KUBERNETES_"
_KUBERNETES = {
    "POD_NAME": "podName",
    "NAMESPACE_NAME": "namespaceName",
    "DEPLOYMENT_NAME": "deploymentName",
    "CONTAINER_NAME": "containerName",
    "CLUSTER_NAME": "clusterName",
    "NODE_NAME": "nodeName",
}


def redirect_host(*, host: str, port: int, user_agent: str) -> str:
    """Return the host that an agent connects to, in the form that this agent understands.

    Without a port they all go to 443. Where there is another one, Python's agent keeps its own and
    breaks on `host:port`, while those for Node and Go need it.
    """
    if port == 443 or user_agent.startswith("NewRelic-PythonAgent"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read_connect(body: Any, *, run_id: str, session: str, now: float) -> AgentRun:
    """Return the run that a `connect` describes.

    Raises:
        InvalidInput: it names no application, or is of another form.
    """
    told = body[0] if isinstance(body, list) and body else None
    if not isinstance(told, dict):
        raise refused("connect: expected a list with one object")
    names = told.get("app_name")
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not names:
        raise refused("connect: app_name is missing")
    apps = list(dict.fromkeys(name for name in names if isinstance(name, str)))[:MAX_APPS]
    if not apps or not all(APP_PATTERN.fullmatch(name) for name in apps):
        raise refused(f"connect: app_name is no name of an application ({APP_HINT})")
    tags = _tags(told.get("labels"))
    metadata = told.get("metadata")
    attributes = {
        "host": _text(told.get("host")),
        "host.displayName": _text(told.get("display_host")),
        **(_kubernetes(metadata) if isinstance(metadata, dict) else {}),
        **{f"tags.{name}": value for name, value in tags.items() if name != SESSION_LABEL},
    }
    return AgentRun(
        id=run_id,
        apps=tuple(apps),
        host=attributes["host"],
        language=_text(told.get("language")),
        agent_version=_text(told.get("agent_version")),
        attributes={name: value for name, value in attributes.items() if value},
        session=session or tags.get(SESSION_LABEL, ""),
        connected=now,
    )


def connect_reply(run: AgentRun, *, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what `connect` answers.

    Args:
        run: the run that begins.
        headers: what the agent shall send along from now on.
    """
    app = run.apps[0]
    number = application_id(app)
    limits = {name: HARVEST_LIMITS[name] for name in HARVEST_LIMITS if name != "span_event_data"}
    return {
        "agent_run_id": run.id,
        "request_headers_map": dict(headers),
        "max_payload_size_in_bytes": MAX_PAYLOAD_BYTES,
        "entity_guid": entity_guid(app),
        "account_id": str(ACCOUNT_ID),
        "trusted_account_key": str(ACCOUNT_ID),
        "trusted_account_ids": [ACCOUNT_ID],
        "primary_application_id": str(number),
        "application_id": str(number),
        "cross_process_id": f"{ACCOUNT_ID}#{number}",
        "encoding_key": "d67afc830dab717fd163bfcb0b8b88423e9a1a3b",
        "apdex_t": APDEX_SECONDS,
        "collect_errors": True,
        "collect_traces": True,
        "collect_error_events": True,
        "collect_analytics_events": True,
        "collect_custom_events": True,
        "collect_span_events": True,
        "data_report_period": 60,
        "sampling_rate": 0,
        "sampling_target": 10,
        "sampling_target_period_in_seconds": 60,
        "url_rules": [],
        "metric_name_rules": [],
        "transaction_name_rules": [],
        "transaction_segment_terms": [],
        "product_level": 50,
        "messages": [{"message": f"Reporting to mock-newrelic as {app}", "level": "INFO"}],
        "event_harvest_config": {"report_period_ms": REPORT_PERIOD_MS, "harvest_limits": limits},
        "span_event_harvest_config": {
            "report_period_ms": REPORT_PERIOD_MS,
            "harvest_limit": HARVEST_LIMITS["span_event_data"],
        },
    }


def refused(detail: str) -> InvalidInput:
    """Return the refusal of a body that is not what its method asks for."""
    return InvalidInput(detail, code="bad_agent_data", status=400)


def _tags(labels: Any) -> dict[str, str]:
    found = {}
    for one in labels if isinstance(labels, list) else []:
        if isinstance(one, dict):
            name, value = _text(one.get("label_type")), _text(one.get("label_value"))
            if name and value:
                found[name] = value
    return found


def _kubernetes(metadata: dict[str, Any]) -> dict[str, str]:
    named = {name: _text(metadata.get(_METADATA + key)) for key, name in _KUBERNETES.items()}
    # The pod's name tells the hash, and it is the host that people look for.
    return {**named, "k8s.pod.name": named["podName"]}


def _text(value: Any) -> str:
    return value[:255] if isinstance(value, str) else ""
