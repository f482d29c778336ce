"""`workloadRef`: a Rollout whose pods are described by a Deployment.

Source: Argo Rollouts copies template and, where the Rollout has none, the selector from the
workload each time it looks (utils/unstructured and rollout/templateref in its repository).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rollout_runner.manifests.rollout import Rollout
from rollout_runner.manifests.schema import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout_runner.manifests.deployment import Deployment

_KIND: Final = "Deployment"
_REF: Final = ("spec", "workloadRef")


def with_pod_template(rollout: Rollout, deployments: Iterable[Deployment]) -> Rollout:
    """Return the rollout with the pod template that its `workloadRef` names, if it has one.

    Raises:
        InvalidInput: it also has a template of its own, or refers to something else than a
            Deployment of its namespace that is among the manifests.
    """
    reference = rollout.spec.workload_ref
    if reference is None:
        return rollout
    if rollout.spec.template is not None:
        raise rollout.invalid(
            ("spec", "template"),
            "template must be empty for workload reference rollout",
            value="…",
            hint="keep either `template` or `workloadRef`",
        )
    if reference.kind != _KIND:
        raise rollout.invalid(
            (*_REF, "kind"),
            "only a Deployment is followed",
            value=reference.kind,
            hint="put the pod template into the Rollout, or into a Deployment",
        )
    for deployment in deployments:
        if (deployment.namespace, deployment.name) == (rollout.namespace, reference.name):
            break
    else:
        raise rollout.invalid(
            (*_REF, "name"),
            f"Deployment not found in namespace {rollout.namespace}",
            value=reference.name,
            hint="add the Deployment to the manifests, or correct the name",
        )
    theirs = deployment.raw["spec"]
    ours = {name: value for name, value in rollout.raw["spec"].items() if name != "workloadRef"}
    selector = {"selector": theirs["selector"]} if theirs.get("selector") else {}
    spec = selector | ours | {"template": theirs["template"]}
    return read_object(
        replace(rollout.document, value=rollout.raw | {"spec": spec}),
        Rollout,
    )
