"""A NerdGraph answer, decoded into the client's types as Go does: lenient where Go is.

Names of fields are matched without regard to case; a value of the wrong kind is an error that tells
the Go type it should have been, and the first such error counts.

>>> decode_rows({"data": {"actor": {"account": {"nrql": {"results": [{"count": 10.0}]}}}}})
[{'count': 10.0}]

Source: encoding/json of Go, metricproviders/newrelic of argoproj/argo-rollouts and pkg/nrdb of
newrelic-client-go v2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollout_runner.argo.gojson import GoJsonError

_RETRYABLE: Final = frozenset({"TIMEOUT", "INTERNAL_SERVER_ERROR", "SERVER_ERROR"})
_BAD_KEY: Final = "BAD_API_KEY"
_DEPRECATION: Final = "This field is deprecated!"
_CONTAINER: Final = "nrdb.NRDBResultContainer"
_ROW: Final = "nrdb.NRDBResult"
_LEVELS: Final = (
    # JSON name, Go field, its type, and the struct that holds it
    ("data", "data", "newrelic.gqlNrglQueryResponse", "graphQLResponse"),
    (
        "actor",
        "data.Actor",
        f"struct {{ Account struct {{ NRQL {_CONTAINER} }} }}",
        "gqlNrglQueryResponse",
    ),
    ("account", "data.Actor.Account", f"struct {{ NRQL {_CONTAINER} }}", ""),
    ("nrql", "data.Actor.Account.NRQL", _CONTAINER, ""),
)
_RESULTS: Final = "data.Actor.Account.NRQL.results"
_HOLDER: Final = "NRDBResultContainer"


@dataclass(frozen=True, slots=True, kw_only=True)
class NerdGraphErrors:
    """The `errors` of an answer.

    Attributes:
        present: whether there are any, even without a message.
        message: their messages, joined.
        retryable: whether one of them asks for another attempt.
        bad_key: whether one of them refuses the key.
        deprecation: whether one of them only warns of a deprecated field; then none counts.
    """

    present: bool = False
    message: str = ""
    retryable: bool = False
    bad_key: bool = False
    deprecation: bool = False


def decode_errors(document: Any) -> NerdGraphErrors:
    """Return the errors of an answer; what does not look like errors is none."""
    listed = _get(document, "errors")
    if not isinstance(listed, list):
        return NerdGraphErrors()
    messages = [_text(_get(error, "message")) for error in listed]
    extensions = [_get(error, "extensions") for error in listed]
    return NerdGraphErrors(
        present=bool(listed),
        message=", ".join(filter(None, messages)),
        retryable=any(_text(_get(each, "errorClass")) in _RETRYABLE for each in extensions),
        bad_key=any(_text(_get(each, "error_code")) == _BAD_KEY for each in extensions),
        deprecation=any(message.startswith(_DEPRECATION) for message in messages),
    )


def decode_rows(document: Any) -> list[dict[str, Any]]:
    """Return the rows of an answer; a level that is missing or null gives none.

    Raises:
        GoJsonError: a level has the wrong type; the message is Go's.
    """
    if not isinstance(document, Mapping):
        raise GoJsonError(
            f"json: cannot unmarshal {_kind(document)} into Go value of type http.graphQLResponse"
        )
    level: Any = document
    for name, path, go_type, holder in _LEVELS:
        level = _get(level, name)
        if level is None:
            return []
        if not isinstance(level, Mapping):
            raise _mismatch(level, holder, path, go_type)
    results = _get(level, "results")
    if results is None:
        return []
    if not isinstance(results, list):
        raise _mismatch(results, _HOLDER, _RESULTS, f"[]{_ROW}")
    for row in results:
        if row is not None and not isinstance(row, dict):
            raise _mismatch(row, _HOLDER, _RESULTS, _ROW)
    return [row or {} for row in results]


def _mismatch(value: Any, holder: str, path: str, go_type: str) -> GoJsonError:
    return GoJsonError(
        f"json: cannot unmarshal {_kind(value)} into Go struct field {holder}.{path} of type"
        f" {go_type}"
    )


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _get(value: Any, name: str) -> Any:
    """Return a field by its name in any case; of several the last one that is not null."""
    found = None
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key.lower() == name.lower() and item is not None:
                found = item
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
