"""Everything about a run that is settled before it measures: arguments, metrics, rules.

Arguments are resolved once, not in each pass as Argo does: a Secret that changes while a run is
under way is not noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis.args import resolve_metric_args
from rollout_runner.argo.analysis.errors import AnalysisError
from rollout_runner.argo.analysis.metric import Metric
from rollout_runner.argo.analysis.rules import dry_run_metrics, retention_limits
from rollout_runner.argo.analysis.spec import Argument
from rollout_runner.argo.analysis.validation import validate_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.analysis.spec import AnalysisRunSpec

_SECRET_PLACEHOLDER = "temp-for-secret"  # noqa: S105 - what Argo shows to its own checks


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRun:
    """A run whose arguments, rules and metrics are ready to use, or the error that forbids it.

    `metrics` are checked and assessed, with a placeholder for Secrets; `task_metrics` are the
    same in the same order with the real values, for the providers. `error` is the message of the
    run's status when it cannot run at all.
    """

    metrics: tuple[Metric, ...] = ()
    task_metrics: tuple[Metric, ...] = ()
    dry_run: frozenset[str] = frozenset()
    retention: Mapping[str, int] = field(default_factory=dict)
    secret_values: tuple[str, ...] = ()
    terminate: bool = False
    error: str = ""

    def terminated(self) -> ResolvedRun:
        """Return the run after someone set `spec.terminate`."""
        return replace(self, terminate=True)


def resolve_run(spec: AnalysisRunSpec, secrets: Mapping[str, Mapping[str, str]]) -> ResolvedRun:
    """Resolve arguments, validate metrics and match rules, in Argo's order.

    Args:
        spec: the run's spec.
        secrets: keys and values of every Secret of the namespace, by name.

    Returns:
        The run; problems are in its `error`, as they end a run in phase Error.
    """
    try:
        metrics = _resolve_metrics(spec.metrics, [_with_placeholder(each) for each in spec.args])
    except AnalysisError as error:
        return ResolvedRun(error=f"Unable to resolve metric arguments: {error}")
    names = [metric.name for metric in metrics]
    try:
        validate_metrics(metrics)
        dry_run = dry_run_metrics(spec.dry_run, names)
        retention = retention_limits(spec.measurement_retention, names)
    except AnalysisError as error:
        return ResolvedRun(error=f"Analysis spec invalid: {error}")
    secret_values: tuple[str, ...] = ()
    task_metrics = metrics
    if any(each.secret_key_ref for each in spec.args):
        try:
            args = [_with_secret(each, secrets) for each in spec.args]
            task_metrics = _resolve_metrics(spec.metrics, args)
        except AnalysisError as error:
            return ResolvedRun(error=f"Unable to resolve metric arguments: {error}")
        values = {
            arg.value for arg, each in zip(args, spec.args, strict=True) if each.secret_key_ref
        }
        # The longest first, so that a value inside another cannot uncover the rest of it.
        secret_values = tuple(sorted(filter(None, values), key=lambda each: (-len(each), each)))
    return ResolvedRun(
        metrics=metrics,
        task_metrics=task_metrics,
        dry_run=dry_run,
        retention=retention,
        secret_values=secret_values,
        terminate=spec.terminate,
    )


def _resolve_metrics(
    metrics: Sequence[Mapping[str, Any]], args: Sequence[Argument]
) -> tuple[Metric, ...]:
    return tuple(Metric.from_json(resolve_metric_args(each, args)) for each in metrics)


def _with_placeholder(arg: Argument) -> Argument:
    return Argument(name=arg.name, value=_SECRET_PLACEHOLDER) if arg.secret_key_ref else arg


def _with_secret(arg: Argument, secrets: Mapping[str, Mapping[str, str]]) -> Argument:
    """Return the argument with the Secret's value, which wins over a plain one."""
    if arg.secret_key_ref is None:
        return arg
    name, key = arg.secret_key_ref
    if name not in secrets:
        raise AnalysisError(f'secrets "{name}" not found')
    if key not in secrets[name]:
        raise AnalysisError(f"key '{key}' does not exist in secret '{name}'")
    return Argument(name=arg.name, value=secrets[name][key])
