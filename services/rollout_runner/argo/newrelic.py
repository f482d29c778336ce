"""Argo's newRelic provider without the network: the NerdGraph request, and what an answer comes to.

    read_profile(secret) ─► build_request(block, profile) ─► send ─► read_answer(status, body)
                                                              ▲             │
                                                              └── retried ──┤
                                                                            ▼
                                                                   measure(answer.rows)

Rules: metricproviders/newrelic of argoproj/argo-rollouts (1.8 to 1.10), and internal/http of
newrelic-client-go v2 with hashicorp/go-retryablehttp for status codes and retries.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo import gojson
from rollout_runner.argo.conditions import assess
from rollout_runner.argo.expr import NrdbRow, NrdbRows
from rollout_runner.argo.gojson_syntax import syntax_error
from rollout_runner.argo.gourl import check_url
from rollout_runner.argo.newrelic_decode import NerdGraphErrors, decode_errors, decode_rows
from rollout_runner.argo.types import Measurement, Phase
from rollout_runner.argo.web import WebRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.argo.types import ArgoVersion

DEFAULT_PROFILE: Final = "newrelic"
DEFAULT_QUERY_SECONDS: Final = 5
CLIENT_SECONDS: Final = 30
"""The client gives up on one attempt after this time, whatever the metric's timeout says."""
MAX_ATTEMPTS: Final = 4
API_KEY: Final = "personal-api-key"
"""Key of a profile's Secret that holds the API key."""
RESOLVED_QUERY: Final = "ResolvedNewRelicQuery"
_LONGEST_WAIT_SECONDS: Final = 30.0
_SERVICE: Final = "newrelic-client-go"
_REPOSITORY: Final = "https://github.com/argoproj/argo-rollouts"
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_HOSTS: Final = {
    "us": "https://api.newrelic.com/graphql",
    "eu": "https://api.eu.newrelic.com/graphql",
    "jp": "https://api.jp.newrelic.com/graphql",
    "gov": "https://gov-api.newrelic.com/graphql",
    "fedramp": "https://gov-api.newrelic.com/graphql",
    "staging": "https://staging-api.newrelic.com/graphql",
    "local": "http://localhost:3000/graphql",
}
# The variables are what a server goes by; this text is the client's, space for space.
_QUERY: Final = """query (
  $query: Nrql!,\x20
  $accountId: Int!,
  $timeout: Seconds!
)
{
  actor {
    account(id: $accountId) {
      nrql(query: $query, timeout: $timeout) {
        results
      }
    }
  }
}
"""
_NO_ROWS: Final = "no results returned from NRQL query"
_NULL_BODY: Final = (
    "the answer is a bare null, on which the controller of Argo Rollouts crashes; "
    "answer a JSON object instead"
)


class NewRelicError(ValueError):
    """No request can be made. Argo records the message in an Error measurement and tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Whom to ask, and as whom."""

    url: str
    api_key: str
    account_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one attempt came to.

    Attributes:
        rows: the rows of the result; None when there is an error.
        error: the message of the measurement; empty when there are rows.
        retried: whether the client tries again. The error counts once it has no attempt left.
    """

    rows: list[dict[str, Any]] | None = None
    error: str = ""
    retried: bool = False


def read_profile(secret: Mapping[str, str] | None, name: str) -> Profile:
    """Read the Secret of a profile.

    Args:
        secret: its values; None when it does not exist.
        name: of the Secret.

    Raises:
        NewRelicError: it does not exist, or something in it is missing or wrong.
    """
    if secret is None:
        raise NewRelicError(f'secrets "{name}" not found')
    api_key, account = secret.get(API_KEY, ""), secret.get("account-id", "")
    if not api_key or not account:
        raise NewRelicError("account ID or personal API key not found")
    if not _INTEGER.fullmatch(account):
        raise NewRelicError(
            f'could not parse account ID: strconv.Atoi: parsing "{account}": invalid syntax'
        )
    url = secret.get("base-url-nerdgraph") or _HOSTS.get(
        secret.get("region", "us").lower(), _HOSTS["us"]
    )
    return Profile(url=url.removesuffix("/"), api_key=api_key, account_id=int(account))


def profile_name(block: Mapping[str, Any]) -> str:
    """Return the name of the Secret that a `provider.newRelic` block uses."""
    return str(block.get("profile") or DEFAULT_PROFILE)


def build_request(
    block: Mapping[str, Any], profile: Profile, *, release: str = "v1.10.0"
) -> WebRequest:
    """Build the request of a `provider.newRelic` block with its arguments filled in.

    Args:
        block: the block.
        profile: what `read_profile` made of its Secret.
        release: of Argo Rollouts, as the User-Agent tells it.

    Raises:
        NewRelicError: the timeout is negative, or the URL cannot be used.
    """
    given = block.get("timeout")
    timeout = DEFAULT_QUERY_SECONDS if given is None else int(given)
    if timeout < 0:
        raise NewRelicError("timeout value needs to be a positive value")
    refusal = check_url(profile.url)
    if refusal:
        raise NewRelicError(refusal)
    variables = {
        "accountId": profile.account_id,
        "query": str(block.get("query") or ""),
        "timeout": timeout,
    }
    return WebRequest(
        method="POST",
        url=profile.url,
        headers=(
            ("User-Agent", f"argo-rollouts/{release} ({_REPOSITORY})"),
            ("Api-Key", profile.api_key),
            ("Content-Type", "application/json"),
            ("Newrelic-Requesting-Services", _SERVICE),
            ("X-Query-Source-Component-Id", _SERVICE),
            ("Accept-Encoding", "gzip"),
        ),
        body=gojson.encode({"query": _QUERY, "variables": variables}).encode(),
        timeout_seconds=CLIENT_SECONDS,
    )


def read_answer(  # noqa: PLR0911 - one return for each end
    status: int, body: bytes, *, url: str
) -> Answer:
    """Read what a server answered, after redirects.

    Args:
        status: of the answer.
        body: decompressed.
        url: that was asked, for messages.
    """
    if _is_retried(status):
        return Answer(error=given_up(url), retried=True)
    if _first_error_class(body) == "TOO_MANY_REQUESTS":
        return Answer(error=given_up(url, "TOO_MANY_REQUESTS"), retried=True)
    if status == 404:
        return Answer(error="resource not found")
    syntax, document = _decoded(body)
    errors = decode_errors(document)
    if errors.retryable and status != 402:
        return Answer(error=f"maximum retries reached: {errors.message}", retried=True)
    problem = _NULL_BODY if not syntax and document is None else _problem(status, errors) or syntax
    if problem:
        return Answer(error=problem)
    try:
        return Answer(rows=decode_rows(document))
    except gojson.GoJsonError as error:
        return Answer(error=str(error))


def _problem(status: int, errors: NerdGraphErrors) -> str:
    """Return what a complete answer is refused for; empty if it is taken."""
    if status == 402:
        return "Payment Required"
    if not 200 <= status < 300:
        return _refused(status, errors)
    return "" if errors.deprecation else errors.message


def given_up(url: str, reason: str = "") -> str:
    """Word the end of the retries; `reason` is that of a connection that failed, in Go's words."""
    told = f": {reason}" if reason else ""
    return f"POST {url} giving up after {MAX_ATTEMPTS} attempt(s){told}"


def retry_wait(attempt: int, *, status: int = 0, retry_after: str = "") -> float:
    """Return the seconds before the next attempt.

    Args:
        attempt: how many attempts have been made, from 1.
        status: of the last answer; 0 when there was none.
        retry_after: the header of that name; a number of seconds is followed for 429 and 503.
    """
    if status in {429, 503} and retry_after.isdecimal():
        return float(retry_after)
    return min(2.0 ** (attempt - 1), _LONGEST_WAIT_SECONDS)


def measure(
    rows: Sequence[Mapping[str, Any]],
    *,
    success_condition: str,
    failure_condition: str,
    version: ArgoVersion,
    now: float | None = None,
) -> Measurement:
    """Judge the rows of an answer: one row is a map to the conditions, several are a list.

    Args:
        rows: decoded by `gojson.decode`.
        success_condition: empty if there is none.
        failure_condition: empty if there is none.
        version: decides the expression library and the wording of errors.
        now: instant that `now()` gives in a condition, in seconds since the Unix epoch.
    """
    if not rows or (len(rows) == 1 and not rows[0]):
        return Measurement(phase=Phase.ERROR, message=_NO_ROWS)
    result: NrdbRow | NrdbRows
    result = NrdbRow(rows[0]) if len(rows) == 1 else NrdbRows(NrdbRow(row) for row in rows)
    try:
        value = gojson.encode(result)
    except gojson.GoJsonError as error:
        return Measurement(phase=Phase.ERROR, message=f"could not marshal results: {error}")
    phase, message = assess(
        result,
        success_condition=success_condition,
        failure_condition=failure_condition,
        version=version,
        now=now,
    )
    return Measurement(phase=phase, message=message, value="" if phase is Phase.ERROR else value)


def metadata(block: Mapping[str, Any]) -> dict[str, str]:
    """Return what the metric's result tells besides its measurements: the resolved query."""
    query = block.get("query")
    return {RESOLVED_QUERY: str(query)} if query else {}


def _decoded(body: bytes) -> tuple[str, Any]:
    """Return why the body is no JSON (empty if it is), and what it holds."""
    syntax = syntax_error(body)
    if syntax:
        return syntax, None
    try:
        return "", gojson.decode(body)
    except gojson.GoJsonError as error:
        return str(error), None


def _is_retried(status: int) -> bool:
    return status in {429, 500} or status >= 502


def _first_error_class(body: bytes) -> str:
    """Return `errors[0].extensions.errorClass`, which the client looks up before it decodes."""
    try:
        document = json.loads(body)
        found = document["errors"][0]["extensions"]["errorClass"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""


def _refused(status: int, errors: NerdGraphErrors) -> str:
    if errors.present and (status == 401 or errors.bad_key):
        return (
            "401 response returned: Invalid credentials provided. Missing API key or an invalid "
            "API key was provided."
        )
    told = f": {errors.message}" if errors.message else ""
    return f"{status} response returned{told}"
