"""REST API v2: applications, hosts, instances, metrics and deployments."""

from __future__ import annotations

import json
import re
from functools import wraps
from math import floor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.bodies import read_body
from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.faults import INJECTION_HEADER
from mock_newrelic.domain.identity import host_id
from mock_newrelic.domain.model import RETENTION_SECONDS
from mock_newrelic.domain.surfaces import Surface
from mock_newrelic.domain.timeslices import METRIC_VALUES
from mock_newrelic.service.rest_v2 import known_metrics, steps_of
from svckit.errors import InvalidInput, NotFound, SuiteError
from svckit.timestamps import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.injections import Ask
    from mock_newrelic.service.deployments import Deployment, DeploymentService
    from mock_newrelic.service.entities import Entity, EntityService
    from mock_newrelic.service.rest_v2 import RestV2Service
    from svckit.clock import Clock

    Handler = Callable[..., Awaitable[Response]]

PAGE_SIZE = 200
DEFAULT_WINDOW_SECONDS = 30 * 60
_LONGEST = {"revision": 127, "user": 127, "changelog": 65535, "description": 65535}
_LINKS = {
    "application.servers": "/v2/servers?ids={server_ids}",
    "application.application_hosts": "/v2/applications/{application_id}/hosts?ids={host_ids}",
    "application.application_instances": "/v2/applications/{application_id}/instances"
    "?ids={instance_ids}",
}


def rest_v2_router(  # noqa: C901, PLR0915 - one function a route
    *,
    rest: RestV2Service,
    entities: EntityService,
    deployments: DeploymentService,
    keys: Keys,
    clock: Clock,
) -> APIRouter:
    """Return the routes under /v2."""
    router = APIRouter(tags=["rest v2"])

    def guarded(handler: Handler) -> Handler:
        """Check the key and answer every error as REST v2 does."""

        @wraps(handler)
        async def run(request: Request, *args: Any, **arguments: Any) -> Response:
            try:
                given = request.headers.get("api-key") or request.headers.get("x-api-key")
                keys.check_reading(None if given is None else given.encode("latin-1"))
                return await handler(request, *args, **arguments)
            except SuiteError as error:
                title = "The API key provided is invalid" if error.status == 401 else error.detail
                return JSONResponse({"error": {"title": title}}, status_code=error.status)

        return run

    def caller(request: Request) -> Ask:
        return caller_of(request.scope, Surface.REST2)

    def found(request: Request, application: str, asking: Ask) -> Entity:
        number = int(application) if application.isdecimal() and len(application) < 12 else -1
        one = entities.by_number(number, clock.now(), asking.session)
        if one is None:
            raise NotFound("No application found with the given ID.")
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=one.name, query=request.scope["query_string"].decode("latin-1"))
        return one

    @router.get("/v2/applications.json", summary="Applications")
    @guarded
    async def applications(request: Request) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        shown, links = _page(request, _filtered(request, entities.all(now, asking.session)))
        return _json(
            {
                "applications": [rest.application(one, asking, now, injected) for one in shown],
                "links": _LINKS,
            },
            injected,
            links,
        )

    @router.get("/v2/applications/{application}.json", summary="One application")
    @guarded
    async def one_application(request: Request, application: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        return _json(
            {"application": rest.application(one, asking, now, injected), "links": _LINKS}, injected
        )

    @router.get("/v2/applications/{application}/hosts.json", summary="Hosts of an application")
    @guarded
    async def hosts(request: Request, application: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        shown, links = _page(request, _named(request, one, "filter[hostname]"))
        return _json(
            {
                "application_hosts": [
                    rest.host(one, host, asking, now, injected) for host in shown
                ],
                "links": {"application_host.application": "/v2/applications/{application_id}"},
            },
            injected,
            links,
        )

    @router.get("/v2/applications/{application}/hosts/{host}.json", summary="One host")
    @guarded
    async def one_host(request: Request, application: str, host: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        name = _host(one, host, "")
        return _json({"application_host": rest.host(one, name, asking, now, injected)}, injected)

    @router.get("/v2/applications/{application}/instances.json", summary="Instances")
    @guarded
    async def instances(request: Request, application: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        shown, links = _page(request, _named(request, one, "filter[hostname]"))
        return _json(
            {
                "application_instances": [
                    _instance(one, rest.host(one, host, asking, now, injected)) for host in shown
                ],
                "links": {"application_instance.application": "/v2/applications/{application_id}"},
            },
            injected,
            links,
        )

    @router.get("/v2/applications/{application}/instances/{instance}.json", summary="One instance")
    @guarded
    async def one_instance(request: Request, application: str, instance: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        name = _host(one, instance, ":0")
        shown = _instance(one, rest.host(one, name, asking, now, injected))
        return _json({"application_instance": shown}, injected)

    @router.get("/v2/applications/{application}/metrics.json", summary="Names of metrics")
    @guarded
    async def metrics(request: Request, application: str) -> Response:
        found(request, application, caller(request))
        shown, links = _page(request, known_metrics(request.query_params.get("name", "")))
        return _json({"metrics": shown}, {}, links)

    @router.get(
        "/v2/applications/{application}/metrics/data.json",
        summary="Metrics step by step",
        description="`names[]`, `values[]`, `from`, `to`, `period`, `summarize`; also as a form in "
        "the body.",
    )
    @guarded
    async def metric_data(request: Request, application: str) -> Response:
        asking, now, injected = caller(request), clock.now(), dict[str, None]()
        one = found(request, application, asking)
        given = [*request.query_params.multi_items(), *_form(await read_body(request))]
        wanted = _list(given, "names")
        if not wanted:
            raise InvalidInput("The parameter names[] is missing.")
        begin, end = _window(given, now)
        steps = steps_of(begin, end, _period(given, begin, end), now=now)
        known = [name for name in wanted if name in METRIC_VALUES]
        return _json(
            {
                "metric_data": {
                    "from": format_timestamp(begin),
                    "to": format_timestamp(end),
                    "metrics_not_found": [name for name in wanted if name not in METRIC_VALUES],
                    "metrics_found": known,
                    "metrics": rest.timeslices(
                        one,
                        wanted=known,
                        values=_list(given, "values"),
                        steps=steps,
                        caller=asking,
                        now=now,
                        injected=injected,
                    ),
                }
            },
            injected,
        )

    @router.get("/v2/applications/{application}/deployments.json", summary="Deployments")
    @guarded
    async def listed(request: Request, application: str) -> Response:
        asking = caller(request)
        one = found(request, application, asking)
        shown, links = _page(request, deployments.listed(one.name, asking.session))
        return _json(
            {
                "deployments": [_deployment(marker, one) for marker in shown],
                "links": {"deployment.application": "/v2/applications/{application_id}"},
            },
            {},
            links,
        )

    @router.post(
        "/v2/applications/{application}/deployments.json",
        summary="Record a deployment",
        status_code=201,
        openapi_extra={
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["deployment"],
                            "properties": {
                                "deployment": {
                                    "type": "object",
                                    "required": ["revision"],
                                    "properties": {
                                        name: {"type": "string"}
                                        for name in (*_LONGEST, "timestamp")
                                    },
                                }
                            },
                        }
                    }
                }
            }
        },
    )
    @guarded
    async def create(request: Request, application: str) -> Response:
        asking, now = caller(request), clock.now()
        one = found(request, application, asking)
        fields, at = _read_deployment(await read_body(request), now)
        marker = deployments.create(app=one.name, at=at, session=asking.session, **fields)
        return JSONResponse(
            {
                "deployment": _deployment(marker, one),
                "links": {"deployment.application": "/v2/applications/{application_id}"},
            },
            status_code=201,
        )

    @router.delete(
        "/v2/applications/{application}/deployments/{deployment}.json",
        summary="Delete a deployment",
    )
    @guarded
    async def delete(request: Request, application: str, deployment: str) -> Response:
        asking = caller(request)
        one = found(request, application, asking)
        number = int(deployment) if deployment.isdecimal() and len(deployment) < 12 else -1
        marker = deployments.delete(one.name, number, asking.session)
        return _json({"deployment": _deployment(marker, one)}, {})

    @router.get("/v2/{rest_of_path:path}.xml", include_in_schema=False)
    async def xml(rest_of_path: str) -> Response:
        del rest_of_path
        return JSONResponse(
            {"error": {"title": "XML is not available here; ask for .json."}}, status_code=406
        )

    return router


def _json(
    document: dict[str, Any], injected: dict[str, None], links: dict[str, str] | None = None
) -> Response:
    headers = dict(links or {})
    if injected:
        headers[INJECTION_HEADER] = ",".join(injected)
    return JSONResponse(document, headers=headers)


def _page(request: Request, rows: Sequence[Any]) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the rows of the page that is asked for, and the Link header to the others."""
    text = request.query_params.get("page", "1")
    if not (text.isdecimal() and 1 <= len(text) <= 6 and int(text) >= 1):
        raise InvalidInput("The parameter page is not a whole number from 1.")
    page, last = int(text), max(1, -(-len(rows) // PAGE_SIZE))
    shown = rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    others = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    links = []
    for name, number in others.items():
        if 1 <= number <= last and number != page:
            query = [(k, v) for k, v in request.query_params.multi_items() if k != "page"]
            url = request.url.replace(query=urlencode([*query, ("page", str(number))]))
            links.append(f'<{url}>; rel="{name}"')
    return shown, {"Link": ", ".join(links)} if links else {}


def _filtered(request: Request, applications: Sequence[Entity]) -> list[Entity]:
    given = request.query_params
    rows = list(applications)
    name = given.get("filter[name]")
    if name is not None:
        # As New Relic does: a part of the name, in any case; who takes the first row means the
        # application of exactly this name.
        rows = [one for one in rows if name.lower() in one.name.lower()]
        rows.sort(key=lambda one: (one.name != name, one.name))
    host = given.get("filter[host]")
    if host is not None:
        rows = [one for one in rows if any(host in known for known in one.tags.get("host", []))]
    ids = given.get("filter[ids]")
    if ids is not None:
        rows = [one for one in rows if str(one.number) in ids.split(",")]
    language = given.get("filter[language]")
    if language is not None:
        rows = [one for one in rows if language.lower() == "python"]
    return rows


def _named(request: Request, one: Entity, name: str) -> list[str]:
    part = request.query_params.get(name, "")
    return [host for host in one.tags.get("host", []) if part in host]


def _host(one: Entity, number: str, suffix: str) -> str:
    for host in one.tags.get("host", []):
        if str(host_id(one.name, host + suffix)) == number:
            return host
    raise NotFound("No host or instance found with the given ID.")


def _instance(one: Entity, host: dict[str, Any]) -> dict[str, Any]:
    return {
        **host,
        "id": host_id(one.name, f"{host['host']}:0"),
        "port": 0,
        "links": {"application": one.number, "application_host": host["id"]},
    }


def _deployment(marker: Deployment, one: Entity) -> dict[str, Any]:
    return {
        "id": marker.number,
        "revision": marker.revision,
        "changelog": marker.changelog,
        "description": marker.description,
        "user": marker.user,
        "timestamp": format_timestamp(floor(marker.at)).replace("Z", "+00:00"),
        "links": {"application": one.number},
    }


def _read_deployment(body: bytes, now: float) -> tuple[dict[str, str], float]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not JSON.", status=400) from None
    given = document.get("deployment") if isinstance(document, dict) else None
    if not isinstance(given, dict):
        raise InvalidInput("The body has no deployment.")
    fields: dict[str, str] = {}
    for name, longest in _LONGEST.items():
        value = given.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > longest:
            raise InvalidInput(f"{name} is not a text of at most {longest} characters.")
        fields[name] = value
    if not fields.get("revision", "").strip():
        raise InvalidInput("Revision can't be blank.")
    at = now
    if given.get("timestamp") is not None:
        at = _time(given["timestamp"], "timestamp")
        if not now - RETENTION_SECONDS <= at <= now + 60:
            raise InvalidInput("timestamp is in the future or more than 24 hours old.")
    return fields, at


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), max_num_fields=1000) if body else []
    except ValueError:
        raise InvalidInput("The body is not a form.", status=400) from None


def _list(given: list[tuple[str, str]], name: str) -> list[str]:
    """Return the values of `name[]`, or of `name` with values on lines of their own."""
    values = [value for key, value in given if key in {name, f"{name}[]"}]
    return list(dict.fromkeys(line for value in values for line in value.splitlines() if line))


def _last(given: list[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in reversed(given) if key == name), None)


def _window(given: list[tuple[str, str]], now: float) -> tuple[float, float]:
    to, begin = _last(given, "to"), _last(given, "from")
    end = now if to is None else min(_time(to, "to"), now)
    start = end - DEFAULT_WINDOW_SECONDS if begin is None else _time(begin, "from")
    if not now - RETENTION_SECONDS <= start < end:
        raise InvalidInput("from is not before to, or before everything that is kept (24 hours).")
    return start, end


def _time(text: Any, name: str) -> float:
    if isinstance(text, str):
        if re.fullmatch(r"\d{9,12}", text):
            return float(text)
        text = text.strip().replace(" ", "+") if "T" in text else text.strip().replace(" ", "T")
        for form in (text, text + "Z"):
            try:
                return parse_timestamp(form)
            except ValueError:
                continue
    raise InvalidInput(f"{name} is not a time in ISO 8601.")


def _period(given: list[tuple[str, str]], begin: float, end: float) -> float:
    if (_last(given, "summarize") or "").lower() == "true":
        return end - begin
    text = _last(given, "period")
    if text is None:
        return 60.0
    if not (text.isdecimal() and len(text) <= 6 and int(text) >= 1):
        raise InvalidInput("period is not a whole number of seconds.")
    return float(text)
