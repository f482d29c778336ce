"""What a run is about: one Rollout, the version before it, and all that its gates refer to."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import AnalysisTemplate
from rollout_runner.argo.newrelic import API_KEY, profile_name
from rollout_runner.argo.rollout import (
    RolloutSpec,
    analysis_problems,
    read_rollout,
    spec_problems,
)
from rollout_runner.manifests import load_manifests, select_rollout
from rollout_runner.manifests.deployment import KIND as DEPLOYMENT
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection

    from rollout_runner.argo.rollout import RolloutAnalysis
    from rollout_runner.manifests import Selection
    from rollout_runner.scenarios.model import Versions

APP_NAME_ARGUMENT = "app-name"
FALLBACK_APM_KEY = "test-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A Rollout ready to be run.

    `manifest` is the Rollout as it was read, `canary` its spec, and `stable` the same Rollout with
    the image of the version before. `app_name` is what the pods call themselves in their telemetry.
    `apm_key` is the key of the programs, and `gate_keys` are all keys that gates ask the APM with.
    `controller_secrets` are what the controller reads itself: New Relic profiles.
    """

    source: str
    manifest: Mapping[str, Any]
    namespace: str
    stable: RolloutSpec
    canary: RolloutSpec
    stable_image: str
    canary_image: str
    app_name: str
    apm_key: str
    gate_keys: tuple[str, ...]
    services: tuple[str, ...]
    templates: tuple[AnalysisTemplate, ...]
    secrets: Mapping[str, Mapping[str, str]]
    controller_secrets: Mapping[str, Mapping[str, str]]
    config_maps: Mapping[str, Mapping[str, str]]

    @property
    def strategy(self) -> str:
        """How the new version comes: Canary, BlueGreen, or RollingUpdate of a Deployment."""
        if self.manifest["kind"] == DEPLOYMENT:
            return "RollingUpdate"
        return "Canary" if self.canary.blue_green is None else "BlueGreen"

    @classmethod
    def load(
        cls, path: Path, *, rollout: str | None, versions: Versions, providers: Collection[str]
    ) -> Subject:
        """Read the manifests and refuse what could not be run, before anything is started.

        Raises:
            InvalidInput: the path, a manifest, a reference or an argument is wrong, or the Rollout
                asks for something that cannot be run without a cluster.
        """
        selection = select_rollout(load_manifests(path), rollout)
        return cls.of(
            selection,
            manifest=selection.rollout.raw,
            path=path,
            versions=versions,
            providers=providers,
        )

    @classmethod
    def of(
        cls,
        selection: Selection,
        *,
        manifest: Mapping[str, Any],
        path: Path,
        versions: Versions,
        providers: Collection[str],
    ) -> Subject:
        """Prepare a Rollout (`manifest`) among what it may refer to; `path` is what is shown.

        Raises:
            InvalidInput: as `load`.
        """
        canary = read_rollout(manifest)
        templates = tuple(
            AnalysisTemplate.from_manifest(each.raw)
            for each in (
                *selection.analysis_templates.values(),
                *selection.cluster_analysis_templates.values(),
            )
        )
        for problem in (
            *spec_problems(canary),
            *analysis_problems(canary, templates, manifest),
        ):
            raise InvalidInput(
                f'The Rollout "{canary.name}" is invalid: {problem}',
                hint="in a cluster it would stand still, phase Degraded (InvalidSpec)",
            )
        _refuse_other_providers(templates, providers)
        before = _with_tag(manifest, versions.stable)
        stable = read_rollout(before)
        if stable.pod_hash == canary.pod_hash:
            raise InvalidInput(
                f'Rollout "{canary.name}": its image {_image(manifest)} is that of the stable'
                " version, so there is nothing to roll out and nothing would be judged",
                hint=f"versions.stable of the scenario ({versions.stable}) must be another tag",
            )
        return cls(
            source=_shown(path),
            manifest=manifest,
            namespace=selection.namespace,
            stable=stable,
            canary=canary,
            stable_image=_image(before),
            canary_image=_image(manifest),
            app_name=_app_name(canary.analyses, f"{selection.namespace}-{canary.name}"),
            apm_key=_apm_key(templates, selection),
            gate_keys=_gate_keys(templates, selection),
            services=canary.services,
            templates=templates,
            secrets=selection.secret_values,
            controller_secrets=selection.controller_secret_values,
            config_maps={name: each.data for name, each in selection.config_maps.items()},
        )


def _shown(path: Path) -> str:
    """Return the path as a report should show it: relative where that is possible."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return path.name


def _refuse_other_providers(
    templates: tuple[AnalysisTemplate, ...], providers: Collection[str]
) -> None:
    for template in templates:
        for metric in template.spec.metrics:
            kinds = [kind for kind, block in metric["provider"].items() if block is not None]
            unknown = [kind for kind in kinds if kind not in providers]
            if unknown:
                raise InvalidInput(
                    f"AnalysisTemplate {template.name}: metric {metric['name']!r} uses the"
                    f" {unknown[0]} provider, which cannot be run here",
                    hint=f"providers that can: {', '.join(sorted(providers))}",
                )


def _app_name(analyses: tuple[RolloutAnalysis, ...], fallback: str) -> str:
    """Return the name that the gates ask the APM for."""
    for analysis in analyses:
        for arg in analysis.args:
            if arg.name == APP_NAME_ARGUMENT and arg.value:
                return arg.value
    return fallback


def _apm_key(templates: tuple[AnalysisTemplate, ...], selection: Selection) -> str:
    """Return the key that the gates send: the first Secret that a template refers to."""
    for template in templates:
        for arg in template.spec.args:
            if arg.secret_key_ref is not None:
                name, key = arg.secret_key_ref
                value = selection.secret_values.get(name, {}).get(key)
                if value:
                    return value
    return FALLBACK_APM_KEY


def _gate_keys(templates: tuple[AnalysisTemplate, ...], selection: Selection) -> tuple[str, ...]:
    """Return the key of the programs, and those of the New Relic profiles that metrics name."""
    keys = [_apm_key(templates, selection)]
    for template in templates:
        for metric in template.spec.metrics:
            block = metric["provider"].get("newRelic")
            if block is not None:
                profile = selection.controller_secret_values.get(profile_name(block), {})
                keys.append(profile.get(API_KEY, ""))
    return tuple(dict.fromkeys(filter(None, keys)))


def _containers(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    pod = (manifest["spec"].get("template") or {}).get("spec") or {}
    containers: list[dict[str, Any]] = pod.get("containers") or []
    if not containers:
        raise InvalidInput(
            f"Rollout {manifest['metadata']['name']}: spec.template has no containers",
            hint="a pod template needs at least one container with an image",
        )
    return containers


def _image(manifest: Mapping[str, Any]) -> str:
    return str(_containers(manifest)[0].get("image", ""))


def _with_tag(manifest: Mapping[str, Any], tag: str) -> dict[str, Any]:
    """Return the Rollout with another tag on its first image: the version before this one."""
    before: dict[str, Any] = copy.deepcopy(dict(manifest))
    container = _containers(before)[0]
    name = str(container.get("image", "")).partition("@")[0]
    registry, slash, rest = name.rpartition("/")
    container["image"] = f"{registry}{slash}{rest.partition(':')[0]}:{tag}"
    return before
