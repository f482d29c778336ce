"""Arguments that a Rollout hands to its analysis runs.

The built argument always has a value, possibly empty, so it always overrides a template's default.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis.errors import AnalysisError
from rollout_runner.argo.analysis.spec import Argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SEPARATORS = re.compile(r"[.\[\]]+")
_SUBSCRIPT = re.compile(r"(?P<path>[^\[]+)\['(?P<key>.*)'\]", re.DOTALL)
_INDEX = re.compile(r"[+-]?[0-9]+")
_METADATA_TEXTS = {f"metadata.{name}" for name in ("name", "namespace", "uid")}
_METADATA_MAPS = {f"metadata.{name}" for name in ("labels", "annotations")}


def build_rollout_args(
    args: Iterable[Argument],
    *,
    stable_hash: str,
    latest_hash: str,
    rollout: Mapping[str, Any],
) -> tuple[Argument, ...]:
    """Return the arguments as plain values.

    Args:
        args: as declared in the Rollout: a value, a `podTemplateHashValue` or a `fieldRef`.
        stable_hash: pod template hash of the stable ReplicaSet.
        latest_hash: pod template hash of the new ReplicaSet.
        rollout: the Rollout as JSON, with its status, for `fieldRef`.

    Raises:
        AnalysisError: a `fieldRef` names nothing, or something that is not one value.
    """
    hashes = {"Stable": stable_hash, "Latest": latest_hash}
    return tuple(Argument(name=each.name, value=_value(each, hashes, rollout)) for each in args)


def extract_value(rollout: Mapping[str, Any], path: str) -> str:
    """Return the primitive at a path such as `spec.template.spec.containers[0].image`."""
    found: Any = rollout
    for section in _SEPARATORS.split(path):
        if not section:
            continue
        if isinstance(found, list):
            found = _item(found, section)
        elif isinstance(found, dict):
            found = found.get(section)
        else:
            raise AnalysisError(f"invalid path {path} in rollout")
    if found is None:
        raise AnalysisError(f"invalid path {path} in rollout")
    if isinstance(found, dict | list):
        raise AnalysisError(f"path {path} in rollout must terminate in a primitive value")
    return _printed(found)


def _value(arg: Argument, hashes: Mapping[str, str], rollout: Mapping[str, Any]) -> str:
    source = arg.value_from or {}
    which = source.get("podTemplateHashValue")
    if which is not None:
        if which not in hashes:
            raise AnalysisError(
                f"args.{arg.name}.valueFrom.podTemplateHashValue must be Stable or Latest, "
                f"got {which!r}"
            )
        return hashes[which]
    reference = source.get("fieldRef")
    if reference is None:
        return arg.value or ""
    path = str(reference.get("fieldPath", "")) if isinstance(reference, dict) else ""
    if path.startswith("metadata"):
        return _metadata(rollout.get("metadata") or {}, path)
    return extract_value(rollout, path)


def _metadata(metadata: Mapping[str, Any], path: str) -> str:
    """Read metadata the way the downward API does; a missing key is empty text."""
    subscripted = _SUBSCRIPT.fullmatch(path)
    if subscripted:
        if subscripted["path"] not in _METADATA_MAPS:
            raise AnalysisError(f'fieldPath "{path}" does not support subscript')
        entries = metadata.get(subscripted["path"].removeprefix("metadata.")) or {}
        return str(entries.get(subscripted["key"], ""))
    field = metadata.get(path.removeprefix("metadata."))
    if path in _METADATA_TEXTS:
        return str(field or "")
    raise AnalysisError(f"unsupported fieldPath: {path}")


def _item(found: list[Any], section: str) -> Any:
    if not _INDEX.fullmatch(section):
        raise AnalysisError(f"invalid index '{section}'")
    index = int(section)
    if not 0 <= index < len(found):
        raise AnalysisError(f"index {index} out of range")
    return found[index]


def _printed(value: object) -> str:
    """Write a JSON primitive as Go prints it: numbers are floats, `1e+06` from a million on."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, int | float):
        return str(value)
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if value != 0 and not -4 <= power < 6:
        fraction = "".join(map(str, digits[1:]))
        mantissa = f"{digits[0]}.{fraction}" if fraction else str(digits[0])
        return f"{'-' * sign}{mantissa}e{power:+03d}"
    plain = format(Decimal(repr(float(value))).normalize(), "f")
    return "0" if value == 0 else plain
