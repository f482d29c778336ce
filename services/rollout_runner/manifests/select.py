"""One rollout and what it refers to, with the checks of references that Argo's controller makes.

A reference that leads nowhere makes a Rollout InvalidSpec in a cluster; here it is refused before
anything starts, with the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from rollout_runner.manifests.references import check_references
from rollout_runner.manifests.selection import Selection
from rollout_runner.manifests.workload import with_pod_template
from svckit.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout_runner.manifests.core import Secret
    from rollout_runner.manifests.load import Manifests
    from rollout_runner.manifests.model import KubeObject

ObjectT = TypeVar("ObjectT", bound="KubeObject")

DEFAULT_ANNOTATION: Final = "gatelab/default"
CONTROLLER_NAMESPACE: Final = "argo-rollouts"


def select_rollout(manifests: Manifests, name: str | None = None) -> Selection:
    """Return a rollout by `name` or `namespace/name`.

    Where there is no Rollout, a Deployment stands for one that has no steps.

    Without a name it is the only one there is, or the only one annotated `gatelab/default: "true"`.

    Raises:
        InvalidInput: there is none, there are several, or a reference leads nowhere.
    """
    rollout = (
        _pick(manifests.rollouts, name)
        if manifests.rollouts or not manifests.deployments
        else _pick(manifests.deployments, name).as_rollout()
    )
    rollout = with_pod_template(rollout, manifests.deployments)
    space = rollout.namespace
    selection = Selection(
        rollout=rollout,
        services=_in(space, manifests.services),
        ingresses=_in(space, manifests.ingresses),
        analysis_templates=_in(space, manifests.analysis_templates),
        cluster_analysis_templates={
            each.name: each for each in manifests.cluster_analysis_templates
        },
        config_maps=_in(space, manifests.config_maps),
        secrets=_in(space, manifests.secrets),
        controller_secrets=controller_secrets(manifests.secrets, space),
    )
    check_references(selection, manifests)
    return selection


def controller_secrets(secrets: Iterable[Secret], namespace: str) -> dict[str, Secret]:
    """Return Secrets by name: of equal names the controller's own, then that of `namespace`."""
    order = ("", namespace, CONTROLLER_NAMESPACE)

    def rank(secret: Secret) -> int:
        return order.index(secret.namespace) if secret.namespace in order else 0

    return {secret.name: secret for secret in sorted(secrets, key=rank)}


def _pick(rollouts: tuple[ObjectT, ...], name: str | None) -> ObjectT:
    if not rollouts:
        raise NotFound(
            "there is no Rollout among the manifests",
            hint="kind Rollout, apiVersion argoproj.io/v1alpha1; or a Deployment",
        )
    named = [each for each in rollouts if name in {None, each.name, _full_name(each)}]
    if len(named) == 1:
        return named[0]
    by_default = [each for each in named if _is_default(each)]
    if name is None and len(by_default) == 1:
        return by_default[0]
    known = ", ".join(sorted(_full_name(each) for each in rollouts))
    if not named:
        raise NotFound(f"there is no Rollout {name!r}", hint=f"the manifests hold: {known}")
    raise InvalidInput(
        f"there is more than one {named[0].kind}{f' {name!r}' if name else ''}: {known}",
        hint=f"name one of them with --rollout, or annotate it with {DEFAULT_ANNOTATION}",
    )


def _is_default(rollout: KubeObject) -> bool:
    return rollout.metadata.annotations.get(DEFAULT_ANNOTATION) == "true"


def _full_name(rollout: KubeObject) -> str:
    return f"{rollout.namespace}/{rollout.name}"


def _in(namespace: str, objects: Iterable[ObjectT]) -> dict[str, ObjectT]:
    return {each.name: each for each in objects if each.namespace == namespace}
