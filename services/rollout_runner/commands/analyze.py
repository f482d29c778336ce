"""`gatelab analyze`: one analysis against live endpoints, in real time, recorded as Argo would."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout_runner.adapters.cluster_network import Address, cluster_name
from rollout_runner.adapters.providers.http import http_providers
from rollout_runner.adapters.providers.job import JobProvider
from rollout_runner.argo.analysis import (
    AnalysisError,
    AnalysisTemplate,
    Argument,
    TemplateRef,
    build_run_spec,
    collect_templates,
    resolve_run,
)
from rollout_runner.argo.analysis.metric import MEASURED_PROVIDERS
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.engine.analysis_controller import AnalysisController, AnalysisRunPlan
from rollout_runner.events import MeasurementTaken
from rollout_runner.manifests import load_manifests
from rollout_runner.manifests.select import controller_secrets
from svckit.clock import SystemClock
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rollout_runner.events import Event
    from rollout_runner.manifests import Manifests
    from rollout_runner.ports import MetricProvider

PROVIDERS = frozenset(MEASURED_PROVIDERS)
_DEFAULT_NAMESPACE = "default"
_CODES = {
    Phase.SUCCESSFUL: ExitCode.OK,
    Phase.FAILED: ExitCode.GATE_FAILED,
    Phase.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeRequest:
    """One analysis as asked for.

    `templates` names the templates of `path` to run together, all of them when it is empty;
    `terminate_after` ends the run after so many seconds, as `spec.terminate` does; `addresses`
    says where cluster names answer.
    """

    path: Path
    templates: tuple[str, ...]
    args: Mapping[str, str]
    addresses: Mapping[str, Address]
    argo_version: ArgoVersion
    terminate_after: float | None
    quiet: bool


def analyze(request: AnalyzeRequest) -> tuple[dict[str, Any], ExitCode]:
    """Run the analysis and return the AnalysisRun's status, and the exit code that tells it.

    Raises:
        InvalidInput: the templates or arguments cannot be used; nothing was measured.
    """
    manifests = load_manifests(request.path)
    plan, namespace = _plan(manifests, request)
    secrets = {
        each.name: each.values
        for each in manifests.secrets
        if each.namespace in {namespace, _DEFAULT_NAMESPACE, ""}
    }
    run = resolve_run(plan.spec, secrets)
    if run.error:
        raise InvalidInput(run.error, hint="in a cluster the AnalysisRun would end in phase Error")
    if request.terminate_after is None:
        for metric in run.metrics:
            if metric.effective_count is None:
                raise InvalidInput(
                    f"metric {metric.name!r} has an interval and no count, so it has no end",
                    hint="--terminate-after 5m ends the run as Argo does at full promotion",
                )
    status = asyncio.run(_run(plan, namespace, manifests, secrets, request))
    document = {"name": plan.name, "templates": list(plan.templates), **status.to_json()}
    return document, _CODES.get(status.phase or Phase.ERROR, ExitCode.COULD_NOT_JUDGE)


def _plan(manifests: Manifests, request: AnalyzeRequest) -> tuple[AnalysisRunPlan, str]:
    loaded = (*manifests.analysis_templates, *manifests.cluster_analysis_templates)
    known = [AnalysisTemplate.from_manifest(each.raw) for each in loaded]
    wanted = request.templates or tuple(each.name for each in known)
    if not wanted:
        raise InvalidInput(
            f"{request.path}: there is no AnalysisTemplate in it",
            hint="kind AnalysisTemplate or ClusterAnalysisTemplate",
        )
    refs = [_ref(name, known) for name in wanted]
    try:
        templates = collect_templates(refs, known)
        args = [Argument(name=name, value=value) for name, value in request.args.items()]
        spec = build_run_spec(templates, args)
    except AnalysisError as error:
        raise InvalidInput(str(error), hint="give arguments with --arg NAME=VALUE") from None
    declared = {arg.name for arg in spec.args}
    for name in request.args:
        if name not in declared:
            raise InvalidInput(
                f"--arg {name}: no template declares this argument",
                hint=f"declared: {', '.join(sorted(declared)) or 'none'}",
            )
    for metric in spec.metrics:
        for kind, block in metric["provider"].items():
            if block is not None and kind not in PROVIDERS:
                raise InvalidInput(
                    f"metric {metric['name']!r} uses the {kind} provider, which cannot be run here",
                    hint=f"providers that can: {', '.join(sorted(PROVIDERS))}",
                )
    namespaces = [each.namespace for each in manifests.analysis_templates if each.namespace]
    plan = AnalysisRunPlan(
        name=wanted[0],
        kind="",
        index=None,
        templates=tuple(template.name for template in templates),
        spec=spec,
    )
    return plan, namespaces[0] if namespaces else _DEFAULT_NAMESPACE


def _ref(name: str, known: Sequence[AnalysisTemplate]) -> TemplateRef:
    for template in known:
        if template.name == name:
            return TemplateRef(template_name=name, cluster_scope=template.cluster_scope)
    raise InvalidInput(
        f"--template {name}: there is no such template",
        hint=f"there are: {', '.join(each.name for each in known)}",
    )


async def _run(
    plan: AnalysisRunPlan,
    namespace: str,
    manifests: Manifests,
    secrets: Mapping[str, Mapping[str, str]],
    request: AnalyzeRequest,
) -> Any:
    clock = SystemClock()
    progress = _Progress(quiet=request.quiet)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatelab-analyze-")))
        http = http_providers(
            clock=clock,
            resolve=lambda host: request.addresses.get(cluster_name(host) or host),
            version=request.argo_version,
            warn=progress.say,
            controller_secrets={
                name: secret.values
                for name, secret in controller_secrets(manifests.secrets, namespace).items()
            },
        )
        job = JobProvider(
            clock=clock,
            version=request.argo_version,
            namespace=namespace,
            secrets=secrets,
            config_maps={each.name: each.data for each in manifests.config_maps},
            environment={},
            log_dir=folder,
            on_finished=lambda: controller.wake(),  # noqa: PLW0108 - it does not exist yet
        )
        for close in (*(provider.close for provider in http.values()), job.close):
            stack.push_async_callback(close)
        providers: dict[str, MetricProvider] = {**http, "job": job}
        controller = AnalysisController(
            plan,
            secrets=secrets,
            providers=providers,
            clock=clock,
            version=request.argo_version,
            sink=progress,
            on_phase_change=lambda: None,
        )
        with _on_signals(controller.terminate):
            work = asyncio.create_task(controller.run())
            if request.terminate_after is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(request.terminate_after, controller.terminate)
            await work
        return controller.status


class _on_signals:  # noqa: N801 - a context manager
    """Ends the run in order on Ctrl-C: what was measured is still told, with its verdict."""

    def __init__(self, terminate: Callable[[], None]) -> None:
        self._terminate = terminate

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._terminate)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class _Progress:
    """Tells each measurement on stderr when it has been taken."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def write(self, event: Event) -> None:
        """Take an event of the run."""
        if isinstance(event, MeasurementTaken):
            told = event.message or event.value
            self.say(f"{event.metric} #{event.number}  {event.phase}  {told}")

    def say(self, text: str) -> None:
        """Write a line, unless nothing is to be shown."""
        if not self._quiet:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def render_status(document: Mapping[str, Any], *, as_json: bool) -> str:
    """Write the status as JSON, or as lines: the run, each metric, each measurement."""
    if as_json:
        return json.dumps(document, indent=2)
    message = f": {document['message']}" if document.get("message") else ""
    lines = [f"{document['name']}  {document['phase']}{message}"]
    for result in document.get("metricResults", ()):
        counters = "  ".join(
            f"{name} {result[name]}"
            for name in ("count", "successful", "failed", "inconclusive", "error")
            if result.get(name)
        )
        lines.append(f"  {result['name']}  {result['phase']}  {counters}")
        for measurement in result.get("measurements", ()):
            told = measurement.get("message") or measurement.get("value", "")
            lines.append(f"    {measurement.get('finishedAt', '')}  {measurement['phase']}  {told}")
    return "\n".join(lines)


def parse_pairs(flag: str, pairs: Sequence[str]) -> dict[str, str]:
    """Read `name=value` flags.

    Raises:
        InvalidInput: one has no `=`, or a name is there twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{flag} {pair}: expected NAME=VALUE")
        if name in found:
            raise InvalidInput(f"{flag} {name}: it is there twice")
        found[name] = value
    return found


def parse_addresses(pairs: Sequence[str]) -> dict[str, Address]:
    """Read `service.namespace=host:port` flags; a whole cluster name may stand for its short form.

    Raises:
        InvalidInput: one is written otherwise.
    """
    addresses = {}
    for name, target in parse_pairs("--resolve", pairs).items():
        host, colon, port = target.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise InvalidInput(
                f"--resolve {name}={target}: expected HOST:PORT after the equals sign",
                hint="--resolve canary-analyzer.voting01-qa=127.0.0.1:8081",
            )
        addresses[cluster_name(name) or name] = Address(host, int(port))
    return addresses
