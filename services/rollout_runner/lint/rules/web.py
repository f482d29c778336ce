"""GL5xx: web provider: the request, and what is read in the answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.gourl import check_url
from rollout_runner.argo.jsonpath import JsonPathError, compile_path
from rollout_runner.argo.jsonpath_parser import (
    Block,
    Filter,
    Identifier,
    Part,
    Recursive,
    Slice,
    Text,
    Union,
    Value,
    Wildcard,
)
from rollout_runner.argo.web import DEFAULT_TIMEOUT_SECONDS
from rollout_runner.lint.arguments import Origin, tags_in
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import entries, mapping, text_of, texts
from rollout_runner.lint.rule import Hit, metrics, rule, template
from rollout_runner.lint.rules.conditions import conditions_of
from rollout_runner.lint.samples import shapes_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.world import MetricAt, World

_PLAIN_TEXT_PATH: Final = re.compile(
    r"(/|.*\.(html?|txt)|.*/(healthz?|livez|readyz|ready|live|ping|metrics))?"
)
_SECRET_HEADER: Final = re.compile(
    r"authorization|(api|license|insert|query|access)[-_]?key|.*token|.*secret|.*password",
    re.IGNORECASE,
)
_SECRET_FIELD: Final = re.compile(r"(.*password|.*secret|.*token|api-?key)", re.IGNORECASE)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _web(world: World) -> Iterator[tuple[MetricAt, dict[str, Any]]]:
    for each in world.metrics:
        block = each.block("web")
        if block is not None:
            yield each, block


def _hit(each: MetricAt, reason: str, *path: str | int, fix: str = "") -> Hit:
    return Hit(item=each.owner, path=each.at("provider", "web", *path), reason=reason, fix=fix)


def _metric(web: str, condition: str = "result.p99 < 300") -> str:
    return f"""
    - name: latency
      successCondition: {condition}
      provider:
        web:
          url: https://apm.example/v1/latency
          {web}
    """


def _json_path(block: dict[str, Any]) -> str:
    return text_of(block.get("jsonPath"))


def _parts(path: str) -> tuple[Part, ...]:
    try:
        return compile_path(path).parts
    except JsonPathError:
        return ()


@rule(
    "GL501",
    Severity.ERROR,
    "jsonPath that is a literal text",
    why="""The jsonPath is a template: what stands outside of braces is output. `$.p99` gives the
    text "$.p99", and text before the braces is taken instead of the value.""",
    fix="write the path in braces and nothing around it: `{$.p99}`",
    bad=metrics(_metric("jsonPath: $.p99", "result < 300")),
    good=metrics(_metric('jsonPath: "{$.p99}"', "result < 300")),
)
def literal_path(world: World) -> Iterator[Hit]:
    """Paths whose first part is text."""
    for each, block in _web(world):
        path = _json_path(block)
        parts = _parts(path)
        if parts and isinstance(parts[0], Text):
            yield _hit(each, f"{path!r} gives the text {parts[0].text!r}, not a value", "jsonPath")


@rule(
    "GL502",
    Severity.ERROR,
    "jsonPath that does not parse",
    why="""The dialect is kubectl's: no double quotes in brackets, no functions, no `&&`. A path
    that does not parse makes each measurement an Error; the fifth aborts the rollout.""",
    fix="write `{$.a.b}`, `{$['a']['b']}` or `{$.k\\.with\\.dots}`",
    bad=metrics(_metric("""jsonPath: '{$["p99"]}'""", "result < 300")),
    good=metrics(_metric("""jsonPath: "{$['p99']}\"""", "result < 300")),
)
def unparsable_path(world: World) -> Iterator[Hit]:
    """Paths that the provider refuses."""
    for each, block in _web(world):
        path = _json_path(block)
        if not path or "{{" in path:
            continue
        try:
            compile_path(path)
        except JsonPathError as error:
            yield _hit(each, f"{path!r}: {error}", "jsonPath")
            continue
        for part in _all_parts(_parts(path)):
            if isinstance(part, Identifier) and part.name not in {"range", "end"}:
                yield _hit(
                    each,
                    f"{path!r}: unrecognized identifier {part.name}",
                    "jsonPath",
                    fix=f"write {{$.{part.name}}}",
                )
        if path.strip() == "{.}":
            yield _hit(each, f"{path!r} selects nothing", "jsonPath", fix="write {$}")


def _all_parts(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, Block):
            yield from _all_parts(part.parts)
        elif isinstance(part, Union):
            yield from _all_parts(part.blocks)
        elif isinstance(part, Filter):
            yield from _all_parts((part.left, part.right))


@rule(
    "GL503",
    Severity.ERROR,
    "jsonPath filter that compares with a whole number",
    why="""Every JSON number is a float to the provider, and a whole number in a filter is none:
    the two cannot be compared (`incompatible types for comparison`). Every measurement is an
    Error.""",
    fix="write the number with a fraction, `1.0`, or filter in the condition",
    bad=metrics(_metric('jsonPath: "{$.pods[?(@.errors>1)].name}"', 'result == "vote"')),
    good=metrics(_metric("jsonPath: \"{$.pods[?(@.name=='vote')].errors}\"", "result < 3")),
)
def whole_number_filter(world: World) -> Iterator[Hit]:
    """Filters with an integer literal on one side."""
    for each, block in _web(world):
        path = _json_path(block)
        for part in _all_parts(_parts(path)):
            if not isinstance(part, Filter):
                continue
            for side in (part.left, part.right):
                literal = next((one for one in side.parts if isinstance(one, Value)), None)
                if literal is not None and type(literal.value) is int:
                    yield _hit(
                        each,
                        f"{path!r} compares a JSON number with the whole number {literal.value}",
                        "jsonPath",
                        fix=f"write {literal.value}.0",
                    )


@rule(
    "GL504",
    Severity.WARNING,
    "jsonPath that selects several values",
    why="""Only the first value of the first expression counts. With a wildcard, a slice, `..` or
    a second pair of braces the others are never looked at.""",
    fix="select one value, or select the list and look at all of it in the condition",
    bad=metrics(_metric('jsonPath: "{$.pods[*].p99}"', "result < 300")),
    good=metrics(_metric('jsonPath: "{$.pods}"', "'len(result) > 0 and all(result, .p99 < 300)'")),
)
def several_values(world: World) -> Iterator[Hit]:
    """Paths that can select more than one value."""
    for each, block in _web(world):
        path = _json_path(block)
        parts = _parts(path)
        if parts and isinstance(parts[0], Text):
            continue
        blocks = [part for part in parts if isinstance(part, Block)]
        several = len(blocks) > 1 or any(_is_several(part) for part in _all_parts(parts[:1]))
        if several:
            yield _hit(each, f"{path!r} can select several; the first alone is judged", "jsonPath")


def _is_several(part: Part) -> bool:
    wide = isinstance(part, Wildcard | Recursive | Union)
    named_range = isinstance(part, Identifier) and part.name == "range"
    return wide or named_range or (isinstance(part, Slice) and not part.single)


@rule(
    "GL505",
    Severity.ERROR,
    "body with GET",
    why="""GET is the default. A body or jsonBody with it is an Error in every measurement:
    `Body/JSONBody can only be used with POST or PUT`.""",
    fix="set `method: POST`, or remove the body",
    bad=metrics(_metric("jsonBody: {window: 5m}")),
    good=metrics(_metric("method: POST\n          jsonBody: {window: 5m}")),
)
def body_with_get(world: World) -> Iterator[Hit]:
    """Bodies of requests that cannot have one."""
    for each, block in _web(world):
        if (block.get("method") or "GET") == "GET":
            for field in ("body", "jsonBody"):
                if block.get(field):
                    yield _hit(each, f"{field} cannot be sent with GET", field)


@rule(
    "GL506",
    Severity.ERROR,
    "both body and jsonBody",
    why="Argo refuses the two together, in every measurement: `use either Body or JSONBody`.",
    fix="keep one of the two",
    bad=metrics(_metric('method: POST\n          body: "{}"\n          jsonBody: {window: 5m}')),
    good=metrics(_metric("method: POST\n          jsonBody: {window: 5m}")),
)
def two_bodies(world: World) -> Iterator[Hit]:
    """Requests with two bodies."""
    for each, block in _web(world):
        if block.get("body") and block.get("jsonBody"):
            yield _hit(each, "body and jsonBody are both set", "jsonBody")


@rule(
    "GL507",
    Severity.ERROR,
    "header that is not sent",
    why="""Go's client takes Host, Content-Length and Transfer-Encoding from the request itself.
    As a header they have no effect: a request for another virtual host goes to the one of the
    URL.""",
    fix="put the host into the URL",
    bad=metrics(_metric("headers: [{key: Host, value: other.example}]")),
    good=metrics(_metric("headers: [{key: X-Scope, value: other}]")),
)
def unsent_header(world: World) -> Iterator[Hit]:
    """Headers that the transport sets itself."""
    for each, block in _web(world):
        for index, header in entries(block.get("headers")):
            key = text_of(header.get("key"))
            if key.lower() in {"host", "content-length", "transfer-encoding"}:
                yield _hit(each, f"the header {key} has no effect", "headers", index)


@rule(
    "GL508",
    Severity.WARNING,
    "header there twice",
    why="A header of the same name overwrites the earlier one; only the last is sent.",
    fix="keep one of them",
    bad=metrics(_metric("headers: [{key: X-Env, value: a}, {key: x-env, value: b}]")),
    good=metrics(_metric("headers: [{key: X-Env, value: b}]")),
)
def twin_header(world: World) -> Iterator[Hit]:
    """Headers of one name, in any case of letters."""
    for each, block in _web(world):
        seen: set[str] = set()
        for index, header in entries(block.get("headers")):
            key = text_of(header.get("key")).lower()
            if key in seen:
                yield _hit(each, f"the header {key} is there twice", "headers", index)
            seen.add(key)


@rule(
    "GL509",
    Severity.WARNING,
    "certificate not verified",
    why="""With `insecure: true` anybody on the way can answer for the source, and a gate believes
    the answer. That transport also ignores the proxy variables of the controller.""",
    fix="remove it, and give the controller the authority's certificate",
    bad=metrics(_metric("insecure: true")),
    good=metrics(_metric("insecure: false")),
)
def insecure(world: World) -> Iterator[Hit]:
    """TLS without verification, of web and Prometheus."""
    for each in world.metrics:
        for provider in ("web", "prometheus"):
            block = each.block(provider)
            if block is not None and block.get("insecure") is True:
                yield Hit(
                    item=each.owner,
                    path=each.at("provider", provider, "insecure"),
                    reason="whoever is on the way can answer for the source",
                )


@rule(
    "GL510",
    Severity.WARNING,
    "secret over plain HTTP",
    why="""The key travels in clear text through the cluster's network, from the controller's node
    to the source.""",
    fix="use https; inside of a cluster a service name without TLS is left alone by this rule",
    bad=template("""
    args:
      - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: http://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """),
    good=template("""
    args:
      - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """),
)
def secret_over_http(world: World) -> Iterator[Hit]:
    """Secret arguments in requests that leave the cluster without TLS."""
    for each, block in _web(world):
        url = urlsplit_safely(text_of(block.get("url")))
        if url is None or url.scheme != "http" or _inside_cluster(url.hostname or ""):
            continue
        raw = mapping(mapping(each.raw.get("provider")).get("web"))
        for path, text in texts({"headers": raw.get("headers"), "url": raw.get("url")}):
            if any(_is_secret(each, tag) for tag in tags_in(text)):
                yield _hit(each, f"the key goes to {url.hostname} unencrypted", *path)


def urlsplit_safely(url: str) -> Any:
    """Split a URL; None if it cannot be."""
    try:
        found = urlsplit(url)
        _ = found.hostname, found.port
    except ValueError:
        return None
    return found


def _inside_cluster(host: str) -> bool:
    return "." not in host or host.endswith((".svc", ".cluster.local", ".local", ".invalid"))


def _is_secret(each: MetricAt, tag: str) -> bool:
    given = each.given.get(tag.removeprefix("args."))
    return given is not None and given.origin is Origin.SECRET


@rule(
    "GL511",
    Severity.ERROR,
    "secret in clear text",
    why="""Whoever may read the template has the key, and so has everybody with the repository. It
    is also written into each AnalysisRun.""",
    fix="put it into a Secret, and take it with an argument's `valueFrom.secretKeyRef`",
    bad=metrics(_metric("headers: [{key: Api-Key, value: NRAK-0123456789ABCDEF}]")),
    good=template("""
    args:
      - {name: key, valueFrom: {secretKeyRef: {name: apm, key: key}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """),
)
def clear_secret(world: World) -> Iterator[Hit]:
    """Keys in headers, URLs and authentication blocks that no argument fills from a Secret."""
    for each in world.metrics:
        for provider in ("web", "prometheus"):
            raw = mapping(each.raw.get("provider")).get(provider)
            if not isinstance(raw, dict):
                continue
            for path, what in _clear_secrets(each, raw):
                yield Hit(
                    item=each.owner,
                    path=each.at("provider", provider, *path),
                    reason=f"{what} stands here for everybody to read",
                )


def _clear_secrets(
    each: MetricAt, block: dict[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, header in entries(block.get("headers")):
        key, value = text_of(header.get("key")), text_of(header.get("value"))
        if _SECRET_HEADER.fullmatch(key) and _is_clear(each, value):
            yield ("headers", index), f"the value of the header {key}"
    url = urlsplit_safely(text_of(block.get("url") or block.get("address")))
    if url is not None and url.password and _is_clear(each, url.password):
        yield ("url" if "url" in block else "address",), "a password in the URL"
    for path, text in texts(block.get("authentication"), ("authentication",)):
        if _SECRET_FIELD.fullmatch(str(path[-1])) and _is_clear(each, text):
            yield path, f"{path[-1]}"


def _is_clear(each: MetricAt, text: str) -> bool:
    """Whether a text is there without being asked for from a Secret or from whoever rolls out."""
    tags = tags_in(text)
    if not tags:
        return bool(text.strip())
    given = [each.given.get(tag.removeprefix("args.")) for tag in tags]
    return all(one is not None and one.origin is Origin.VALUE and one.value for one in given)


@rule(
    "GL512",
    Severity.WARNING,
    "answer that is hardly JSON",
    why="""Up to Argo Rollouts 1.9 a 2xx answer that is not JSON is Successful, whatever the
    condition says: a web page, an empty body, a plain `ok`, the login page of a proxy. A page or
    a health endpoint is asked here.""",
    fix="ask an endpoint that answers JSON, and errors with a status that is not 2xx",
    bad=metrics("""
    - name: health
      successCondition: result.status == "up"
      provider: {web: {url: "http://vote.prod.svc.cluster.local/"}}
    """),
    good=metrics("""
    - name: health
      successCondition: result.status == "up"
      provider: {web: {url: "http://checker.prod.svc.cluster.local/v1/health-check?service=vote"}}
    """),
)
def hardly_json(world: World) -> Iterator[Hit]:
    """URLs of pages and health endpoints, for the versions that do not look at their answers."""
    if world.version.evaluates_plain_text:
        return
    for each, block in _web(world):
        url = urlsplit_safely(text_of(block.get("url")))
        if (
            url is not None
            and url.scheme
            and not url.query
            and _PLAIN_TEXT_PATH.fullmatch(url.path)
        ):
            yield _hit(
                each,
                f"{url.path or '/'} tends to answer a page or plain text, and Argo "
                f"{world.version} takes any 2xx that is not JSON for Successful",
                "url",
            )


@rule(
    "GL513",
    Severity.ERROR,
    "condition for an answer that crashes the controller",
    why="""A 2xx answer that is exactly `null` makes the provider panic where the jsonPath selects
    the whole document, and nothing recovers: the controller dies, and does so again after its
    restart. The condition says that such an answer is expected.""",
    fix="let the source answer an object; select a field of it",
    bad=metrics(_metric('jsonPath: "{$}"', "result != nil and result.p99 < 300")),
    good=metrics(_metric('jsonPath: "{$}"', "result.p99 != nil and result.p99 < 300")),
)
def null_answer(world: World) -> Iterator[Hit]:
    """Conditions that ask whether the whole document is null."""
    for each, _ in _web(world):
        shapes = shapes_of(each)
        if shapes is None or not shapes.whole:
            continue
        for condition in conditions_of(each, world):
            if any(_asks_for_null(node) for node in walk(condition.tree)):
                yield Hit(
                    item=each.owner,
                    path=each.at(condition.field),
                    reason=f"{condition.text!r} expects the document null, "
                    "on which the controller crashes",
                )


def _asks_for_null(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Call) and isinstance(node.callee, nodes.Identifier):
        argument = node.arguments[0] if node.arguments else None
        return node.callee.name in {"isNil", "default"} and _is_result(argument)
    if not isinstance(node, nodes.Binary):
        return False
    if node.operator == "??":
        return _is_result(node.left)
    sides = (node.left, node.right)
    return (
        node.operator in {"==", "!="}
        and any(isinstance(side, nodes.Nil) for side in sides)
        and any(_is_result(side) for side in sides)
    )


def _is_result(node: nodes.Node | None) -> bool:
    return isinstance(node, nodes.Identifier) and node.name == "result"


@rule(
    "GL514",
    Severity.ERROR,
    "URL that Argo cannot use",
    why="""Without a scheme, or with characters that no URL has, no request is made: every
    measurement is an Error, and the fifth aborts the rollout.""",
    fix="write the whole URL, with http:// or https://",
    bad=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      provider: {web: {url: apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def bad_url(world: World) -> Iterator[Hit]:
    """URLs that Go's client refuses."""
    for each, block in _web(world):
        url = text_of(block.get("url"))
        if not url or "{{" in url or _begins_unknown(each):
            continue
        problem = check_url(url)
        parts = urlsplit_safely(url)
        if not problem and (parts is None or parts.scheme not in {"http", "https"}):
            problem = f'unsupported protocol scheme "{parts.scheme if parts else ""}"'
        if not problem and parts is not None and not parts.hostname:
            problem = "no host in request URL"
        if problem:
            yield _hit(each, f"{url!r}: {problem}", "url")


def _begins_unknown(each: MetricAt) -> bool:
    """Whether the URL begins with an argument whose value is not known here."""
    raw = text_of(mapping(mapping(each.raw.get("provider")).get("web")).get("url"))
    tags = tags_in(raw)
    if not tags or not raw.lstrip().startswith("{{"):
        return False
    given = each.given.get(tags[0].removeprefix("args."))
    return given is None or given.origin is not Origin.VALUE


@rule(
    "GL515",
    Severity.WARNING,
    "unusual method",
    why="""The method is sent as it is written. `get` is another method than `GET`, and most
    servers answer it with 405 or 501, which is an Error in every measurement.""",
    fix="write the method in capital letters",
    bad=metrics(_metric("method: get")),
    good=metrics(_metric("method: GET")),
)
def odd_method(world: World) -> Iterator[Hit]:
    """Methods that HTTP does not define."""
    for each, block in _web(world):
        method = block.get("method")
        if isinstance(method, str) and method and "{{" not in method and method not in _METHODS:
            yield _hit(each, f"{method!r} is sent as it is", "method")


@rule(
    "GL516",
    Severity.ERROR,
    "authentication that the web provider ignores",
    why="""The web provider knows `oauth2` alone. `basicAuth` and `sigv4` are fields that only
    other providers read: the request goes out without credentials.""",
    fix="send a header whose value comes from a Secret, or use oauth2",
    bad=metrics(_metric("authentication: {sigv4: {region: us-west-2}}")),
    good=metrics(_metric("timeoutSeconds: 30")),
)
def ignored_authentication(world: World) -> Iterator[Hit]:
    """Blocks of other providers."""
    for each, block in _web(world):
        for name in ("sigv4", "basicAuth"):
            if mapping(block.get("authentication")).get(name) is not None:
                yield _hit(each, f"{name} is not sent", "authentication", name)


@rule(
    "GL517",
    Severity.ERROR,
    "incomplete oauth2",
    why="""A token URL without clientId and clientSecret is refused in every measurement: `missing
    mandatory parameter in metric for OAuth2 setup`.""",
    fix="give tokenUrl, clientId and clientSecret",
    bad=metrics(_metric("authentication: {oauth2: {tokenUrl: https://login.example/token}}")),
    good=template("""
    args:
      - {name: secret, valueFrom: {secretKeyRef: {name: apm, key: client-secret}}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            authentication:
              oauth2:
                tokenUrl: https://login.example/token
                clientId: gate
                clientSecret: "{{args.secret}}"
    """),
)
def half_oauth2(world: World) -> Iterator[Hit]:
    """Client credentials with a part missing."""
    for each, block in _web(world):
        oauth2 = mapping(mapping(block.get("authentication")).get("oauth2"))
        missing = [name for name in ("clientId", "clientSecret") if not oauth2.get(name)]
        if oauth2.get("tokenUrl") and missing:
            yield _hit(each, f"{' and '.join(missing)} missing", "authentication", "oauth2")


@rule(
    "GL518",
    Severity.WARNING,
    "timeout that is no timeout",
    why=f"""`timeoutSeconds` of 0 or less means the default, {DEFAULT_TIMEOUT_SECONDS} s: neither no
    timeout, nor an immediate one.""",
    fix=f"give the seconds, or leave it out for {DEFAULT_TIMEOUT_SECONDS}",
    bad=metrics(_metric("timeoutSeconds: 0")),
    good=metrics(_metric("timeoutSeconds: 30")),
)
def no_timeout(world: World) -> Iterator[Hit]:
    """Timeouts that Argo replaces."""
    for each, block in _web(world):
        seconds = block.get("timeoutSeconds")
        if isinstance(seconds, int) and seconds <= 0:
            yield _hit(
                each,
                f"{seconds} means the default of {DEFAULT_TIMEOUT_SECONDS} s",
                "timeoutSeconds",
            )


@rule(
    "GL519",
    Severity.ERROR,
    "URL of the controller's own pod",
    why="""The request is made by the Argo Rollouts controller, not by the pod that is rolled out:
    `localhost` is the controller. Nothing answers there, or something else does.""",
    fix="use the name of a Service: `http://name.namespace.svc.cluster.local`",
    bad=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      provider: {web: {url: "http://localhost:8080/v1/latency"}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      provider: {web: {url: "http://apm.prod.svc.cluster.local:8080/v1/latency"}}
    """),
)
def loopback(world: World) -> Iterator[Hit]:
    """Loopback addresses, of web and Prometheus."""
    for each in world.metrics:
        for provider, field in (("web", "url"), ("prometheus", "address")):
            block = each.block(provider)
            url = urlsplit_safely(text_of(block.get(field))) if block is not None else None
            if url is not None and (url.hostname or "") in _LOOPBACK:
                yield Hit(
                    item=each.owner,
                    path=each.at("provider", provider, field),
                    reason=f"{url.hostname} is the controller's own pod",
                )


@rule(
    "GL520",
    Severity.NOTE,
    "number that arrives as text",
    why="""Arguments are text. In a `jsonBody` a substituted number stays a JSON string, which a
    strict source refuses or compares as text.""",
    fix="let the source take text, or write the number into the body itself",
    bad=template("""
    args:
      - {name: threshold, value: "2"}
    metrics:
      - name: verdict
        successCondition: result.verdict == "pass"
        provider:
          web:
            method: POST
            url: https://analyzer.example/v1/judge
            jsonBody: {threshold: "{{args.threshold}}"}
    """),
    good=template("""
    args:
      - {name: config, value: strict}
    metrics:
      - name: verdict
        successCondition: result.verdict == "pass"
        provider:
          web:
            method: POST
            url: https://analyzer.example/v1/judge
            jsonBody: {config: "{{args.config}}"}
    """),
)
def number_in_body(world: World) -> Iterator[Hit]:
    """Fields of a jsonBody that become a number in quotes."""
    for each, _ in _web(world):
        raw = mapping(mapping(each.raw.get("provider")).get("web")).get("jsonBody")
        for path, text in texts(raw, ("jsonBody",)):
            tags = tags_in(text)
            given = each.given.get(tags[0].removeprefix("args.")) if len(tags) == 1 else None
            alone = text.strip().startswith("{{") and text.strip().endswith("}}")
            known = given is not None and given.origin is Origin.VALUE
            if alone and known and given is not None and _is_number(given.value):
                yield _hit(each, f'{path[-1]} is sent as "{given.value}", a text', *path)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) is not None
