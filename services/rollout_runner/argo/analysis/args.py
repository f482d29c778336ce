"""Arguments: merging them, and putting them in place of `{{args.name}}`.

A metric is written as JSON, every `{{tag}}` in that text is replaced, and the text is read back:
so a value can fill any text field, stays text, and is not scanned again.

>>> resolve_args("test-{{ args.var }}", [Argument(name="var", value="foo")])
'test-foo'
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.analysis.errors import AnalysisError
from rollout_runner.argo.analysis.metric import PROVIDERS
from rollout_runner.argo.analysis.spec import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OPEN, _CLOSE = "{{", "}}"
# The order in which Argo writes fields. It shows when several tags are unknown: the last is named.
_METRIC_FIELDS: Final = (
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "provider",
    "consecutiveSuccessLimit",
)
_PROVIDER_FIELDS: Final = {
    "prometheus": ("address", "query", "authentication", "timeout", "insecure", "headers"),
    "web": ("method", "url", "headers", "body", "timeoutSeconds", "jsonPath", "insecure"),
    "newRelic": ("profile", "query", "timeout"),
}
_GO_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
# Go's JSON writer escapes these inside text.
_HTML_ESCAPES: Final = str.maketrans(
    {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
)


def merge_args(incoming: Iterable[Argument], declared: Iterable[Argument]) -> tuple[Argument, ...]:
    """Return the template's arguments with the values that the creator of the run gives.

    Arguments that no template declares are dropped. A given value beside a declared
    `secretKeyRef` leaves both; the Secret wins when the run measures.

    Raises:
        AnalysisError: an argument ends with neither a value nor a source.
    """
    given = {each.name: each for each in incoming}
    merged = tuple(_merged(each, given.get(each.name)) for each in declared)
    for each in merged:
        if each.value is None and each.value_from is None:
            raise AnalysisError(f"args.{each.name} was not resolved")
    return merged


def _merged(declared: Argument, given: Argument | None) -> Argument:
    if given is None:
        return declared
    if given.value is not None:
        return Argument(name=declared.name, value=given.value, value_from=declared.value_from)
    if given.value_from is not None:
        return Argument(name=declared.name, value=declared.value, value_from=given.value_from)
    return declared


def resolve_args(template: str, args: Sequence[Argument]) -> str:
    """Return the template with every `{{args.name}}` replaced by that argument's value.

    Raises:
        AnalysisError: a tag is not closed or not known, or any argument has no value, used or not.
    """
    pieces = _split(template)
    values: dict[str, str] = {}
    for each in args:
        if each.value is None:
            raise AnalysisError(f'argument "{each.name}" was not supplied')
        values[f"args.{each.name}"] = each.value
    unknown = [tag for tag in pieces[1::2] if tag.strip() not in values]
    if unknown:
        raise AnalysisError(f"failed to resolve {_OPEN}{unknown[-1]}{_CLOSE}")
    return "".join(
        values[piece.strip()] if index % 2 else piece for index, piece in enumerate(pieces)
    )


def resolve_quoted_args(template: str, args: Sequence[Argument]) -> str:
    """Resolve arguments inside JSON text: values are escaped as Go quotes a string."""
    return resolve_args(
        template,
        [
            Argument(name=each.name, value=None if each.value is None else _go_quoted(each.value))
            for each in args
        ],
    )


def resolve_metric_args(metric: Mapping[str, Any], args: Sequence[Argument]) -> dict[str, Any]:
    """Return the raw metric with its arguments in place.

    Raises:
        AnalysisError: as `resolve_args`; or a value whose Go quoting is not valid JSON (control
            characters), so that Argo cannot read the metric back.
    """
    try:
        written = json.dumps(
            _in_argo_order(metric), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except (TypeError, ValueError) as error:
        raise AnalysisError(f"metric '{metric.get('name')}' cannot be written: {error}") from error
    replaced = resolve_quoted_args(written.translate(_HTML_ESCAPES), args)
    try:
        resolved: dict[str, Any] = json.loads(replaced)
    except json.JSONDecodeError as error:
        character = replaced[error.pos + 1 : error.pos + 2]
        raise AnalysisError(f"invalid character '{character}' in string escape code") from error
    return resolved


def _split(template: str) -> list[str]:
    """Return text, tag, text, tag, ..., text."""
    pieces: list[str] = []
    rest = template
    while _OPEN in rest:
        before, _, rest = rest.partition(_OPEN)
        tag, closed, after = rest.partition(_CLOSE)
        if not closed:
            raise AnalysisError(
                f"Cannot find end tag={_quoted(_CLOSE)} in the template={_quoted(template)} "
                f"starting from {_quoted(rest)}"
            )
        pieces += [before, tag]
        rest = after
    return [*pieces, rest]


def _quoted(text: str) -> str:
    return f'"{_go_quoted(text)}"'


def _go_quoted(text: str) -> str:
    return "".join(_go_escape(character) for character in text)


def _go_escape(character: str) -> str:
    if character in _GO_ESCAPES:
        return _GO_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < ord(" ") or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _in_argo_order(metric: Mapping[str, Any]) -> dict[str, Any]:
    ordered = _ordered(metric, _METRIC_FIELDS)
    provider = ordered.get("provider")
    if isinstance(provider, dict):
        ordered["provider"] = {
            name: _ordered(block, _PROVIDER_FIELDS.get(name, ()))
            if isinstance(block, dict)
            else block
            for name, block in _ordered(provider, PROVIDERS).items()
        }
    return ordered


def _ordered(fields: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    first = {name: fields[name] for name in order if name in fields}
    return {**first, **fields}
