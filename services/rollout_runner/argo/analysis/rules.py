"""Which metrics a `dryRun` or `measurementRetention` rule selects.

A rule is a Go regular expression and unanchored: `rate` selects `error-rate` as well, `*` is no
regular expression and selects nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rollout_runner.argo.analysis.errors import AnalysisError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rollout_runner.argo.analysis.spec import MeasurementRetention

# What Python compiles and Go refuses: look-around, back references, possessive repetition.
_PYTHON_ONLY = re.compile(r"\(\?(?:[=!>#(]|<[=!]|P=)|\\[1-9Z]|(?<!\\)[*+?}]\+")
# What Go compiles and Python refuses or reads in another way.
_GO_ONLY = re.compile(r"\[:\^?[a-z]+:\]|\\[pPQEzC]|\(\?[imsU-]*U")


def dry_run_metrics(rules: Iterable[str], metrics: Sequence[str]) -> frozenset[str]:
    """Return the names that the rules select; AnalysisError if a rule selects none."""
    selected: set[str] = set()
    for index, rule in enumerate(rules):
        selected.update(_selected(rule, metrics, f"dryRun[{index}]"))
    return frozenset(selected)


def retention_limits(
    rules: Iterable[MeasurementRetention], metrics: Sequence[str]
) -> dict[str, int]:
    """Return the limit per selected name (the last rule wins); AnalysisError as above."""
    limits: dict[str, int] = {}
    for index, rule in enumerate(rules):
        where = f"measurementRetention[{index}]"
        limits.update(dict.fromkeys(_selected(rule.metric_name, metrics, where), rule.limit))
    return limits


def _selected(rule: str, metrics: Sequence[str], where: str) -> list[str]:
    pattern = _compile(rule, where)
    selected = [name for name in metrics if pattern is not None and pattern.search(name)]
    if not selected:
        raise AnalysisError(f"{where}: Rule didn't match any metric name(s)")
    return selected


def _compile(rule: str, where: str) -> re.Pattern[str] | None:
    if _GO_ONLY.search(rule):
        raise AnalysisError(
            f"{where}: '{rule}' uses syntax that only Go's regular expressions have",
            hint="write it with plain classes such as [A-Za-z]",
        )
    if _PYTHON_ONLY.search(rule):
        return None
    try:
        return re.compile(rule, re.ASCII)
    except re.error:
        return None
