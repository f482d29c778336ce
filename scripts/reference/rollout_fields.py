"""rollout-fields.md: what becomes of each field of a Rollout and of an AnalysisTemplate.

The fields come from the manifest models, the refusals and the fields without effect from the
constants of the reader. What the rest does is said here; a field that is not spoken of, or spoken
of in two ways, stops the generator.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from reference.markdown import code, page, table
from rollout_runner.argo.rollout import manifest as reader
from rollout_runner.bench.bench import PROVIDERS
from rollout_runner.manifests import analysis, providers, rollout, routing

if TYPE_CHECKING:
    from pydantic import BaseModel

HONOURED, WITHOUT_EFFECT, REFUSED = "honoured", "without effect", "refused"


class Block(NamedTuple):
    """The fields at one place, each with a note.

    Fields that the reader refuses or calls without effect by itself are not repeated here.
    """

    place: str
    model: type[BaseModel]
    honoured: dict[str, str]
    without_effect: dict[str, str]


BLOCKS = (
    Block(
        place="spec",
        model=rollout.RolloutSpec,
        honoured={
            "replicas": "Argo's arithmetic; one process stands for all pods of a hash.",
            "workloadRef": "Of a Deployment among the manifests; its `scaleDown` has no effect.",
            "template": "Image and labels of the pod; the hash is made of all of it. The containers"
            " are not started: `voteapp` stands for them.",
            "strategy": "",
            "revisionHistoryLimit": "",
            "rollbackWindow": "",
            "progressDeadlineSeconds": "",
            "progressDeadlineAbort": "",
            "paused": "",
        },
        without_effect={
            "selector": "Nothing is selected by it; Services select by hash.",
            "minReadySeconds": "Checked as Argo does, then without effect. A pod is available as"
            " soon as it answers.",
        },
    ),
    Block(
        place="spec.strategy",
        model=rollout.Strategy,
        honoured={"canary": "", "blueGreen": ""},
        without_effect={},
    ),
    Block(
        place="spec.strategy.blueGreen",
        model=rollout.BlueGreenStrategy,
        honoured={
            "activeService": "All traffic goes to the pods that it selects.",
            "previewService": "Its name leads to the new pods at once.",
            "previewReplicaCount": "",
            "autoPromotionEnabled": "`false`: the run pauses until somebody promotes.",
            "autoPromotionSeconds": "",
            "prePromotionAnalysis": "",
            "postPromotionAnalysis": "",
            "scaleDownDelaySeconds": "",
            "scaleDownDelayRevisionLimit": "",
            "abortScaleDownDelaySeconds": "",
        },
        without_effect={"maxUnavailable": "Only Argo's restart of pods reads it."},
    ),
    Block(
        place="spec.strategy.canary",
        model=rollout.CanaryStrategy,
        honoured={
            "steps": "",
            "stableService": "",
            "canaryService": "",
            "trafficRouting": "Without it, traffic follows the number of available pods.",
            "analysis": "Background analysis, with `startingStep`.",
            "maxSurge": "",
            "maxUnavailable": "",
            "minPodsPerReplicaSet": "",
            "replicaProgressThreshold": "",
            "dynamicStableScale": "",
            "scaleDownDelaySeconds": "",
            "scaleDownDelayRevisionLimit": "",
            "abortScaleDownDelaySeconds": "",
        },
        without_effect={},
    ),
    Block(
        place="spec.strategy.canary.trafficRouting",
        model=routing.TrafficRouting,
        honoured={"nginx": "The weight is what votegen is told.", "maxTrafficWeight": ""},
        without_effect={},
    ),
    Block(
        place="spec.strategy.canary.trafficRouting.nginx",
        model=routing.NginxTrafficRouting,
        honoured={
            "stableIngress": "Must exist, with a rule for the stable Service.",
            "stableIngresses": "As `stableIngress`.",
        },
        without_effect={
            "annotationPrefix": "No Ingress is written.",
            "additionalIngressAnnotations": "No Ingress is written. `canary-by-*` is refused.",
            "canaryIngressAnnotations": "No Ingress is written. `canary-by-*` is refused.",
        },
    ),
    Block(
        place="spec.strategy.canary.steps[]",
        model=rollout.CanaryStep,
        honoured={"setWeight": "", "pause": "", "analysis": "", "setCanaryScale": ""},
        without_effect={},
    ),
    Block(
        place="analysis of a step, in the background, before or after a promotion",
        model=rollout.BackgroundAnalysis,
        honoured={
            "templates": "AnalysisTemplate, or ClusterAnalysisTemplate with `clusterScope`.",
            "args": "`value`, `podTemplateHashValue` and `fieldRef`.",
            "dryRun": "",
            "measurementRetention": "",
            "startingStep": "Of a background analysis.",
        },
        without_effect={"analysisRunMetadata": "There is no object to put it on."},
    ),
    Block(
        place="AnalysisTemplate, ClusterAnalysisTemplate: spec",
        model=analysis.AnalysisTemplateSpec,
        honoured={
            "metrics": "",
            "args": "`value` and `secretKeyRef`; a default may be overridden by the Rollout.",
            "dryRun": "",
            "measurementRetention": "",
            "templates": "",
        },
        without_effect={},
    ),
    Block(
        place="spec.metrics[]",
        model=analysis.Metric,
        honoured={
            "name": "",
            "provider": "",
            "interval": "",
            "initialDelay": "",
            "count": "",
            "successCondition": "",
            "failureCondition": "",
            "failureLimit": "A metric fails when failed > failureLimit.",
            "inconclusiveLimit": "",
            "consecutiveErrorLimit": "Default 4: the fifth error in a row ends the metric.",
            "consecutiveSuccessLimit": "",
        },
        without_effect={},
    ),
    Block(
        place="spec.metrics[].provider",
        model=providers.MetricProvider,
        honoured={
            "web": "Real HTTP; cluster names lead to the programs of the bench.",
            "prometheus": "As `web`. Not in virtual time.",
            "newRelic": "NerdGraph, with the client's retries. The profile is a Secret"
            " among the manifests, the controller's namespace first.",
            "job": "Not in virtual time.",
        },
        without_effect={},
    ),
    Block(
        place="spec.metrics[].provider.prometheus",
        model=providers.PrometheusMetric,
        honoured={
            "address": "Empty: environment variable ARGO_ROLLOUTS_PROMETHEUS_ADDRESS.",
            "query": "",
            "timeout": "Real time; 30 unless given, 0 is over at once.",
            "insecure": "",
            "headers": "",
            "rangeQuery": "",
            "authentication": "`oauth2`, and from 1.10 on `basicAuth`. `sigv4` is an Error where"
            " Argo would use it (`aps-workspaces`).",
        },
        without_effect={},
    ),
    Block(
        place="spec.metrics[].provider.newRelic",
        model=providers.NewRelicMetric,
        honoured={"query": "", "profile": "", "timeout": ""},
        without_effect={},
    ),
    Block(
        place="spec.metrics[].provider.web",
        model=providers.WebMetric,
        honoured={
            "url": "",
            "method": "",
            "headers": "",
            "body": "",
            "jsonBody": "",
            "jsonPath": "client-go's dialect.",
            "timeoutSeconds": "Real time; 10 unless given.",
            "insecure": "",
            "authentication": "`oauth2`; `basicAuth` and `sigv4` are without effect.",
        },
        without_effect={},
    ),
    Block(
        place="spec.metrics[].provider.job.spec",
        model=providers.JobSpec,
        honoured={
            "template": "`restartPolicy`, and of the one container `command`, `args`, `env`"
            " (`value`, `secretKeyRef`, `configMapKeyRef`) and `envFrom`. The command runs on this"
            " machine; the image is not used.",
            "activeDeadlineSeconds": "Real time for what runs, virtual time for the waits.",
            "backoffLimit": "",
        },
        without_effect={
            "backoffLimitPerIndex": "",
            "completionMode": "",
            "completions": "Other than 1 is an Error.",
            "managedBy": "",
            "manualSelector": "",
            "maxFailedIndexes": "",
            "parallelism": "Other than 1 is an Error.",
            "podFailurePolicy": "With one, the measurement is an Error.",
            "podReplacementPolicy": "",
            "selector": "",
            "successPolicy": "With one, the measurement is an Error.",
            "suspend": "`true` is an Error.",
            "ttlSecondsAfterFinished": "",
        },
    ),
)


def render() -> str:
    """Return the page."""
    found = fields()
    parts = []
    for block in BLOCKS:
        rows = [
            (code(name), state, text) for place, name, state, text in found if place == block.place
        ]
        parts += [f"## {block.place}", table(("Field", "Becomes", "Notes"), rows)]
    return page(
        "Rollout and AnalysisTemplate fields",
        "Manifests are read as the API server reads them: a field that Argo's CRDs do not have, a"
        " wrong type, a reference that leads nowhere and an argument without a value are refused"
        " with the line and a hint, before anything starts (exit code 2).",
        f"- **{HONOURED}**: does here what it does in a cluster.\n"
        f"- **{WITHOUT_EFFECT}**: read and accepted; it changes nothing outside a cluster.\n"
        f"- **{REFUSED}**: to leave it out would judge another Rollout than the one given.",
        "Behaviour follows the code of Argo Rollouts 1.8, 1.9 or 1.10 (`--argo-version`).",
        *parts,
        "## Other kinds",
        "Where there is no Rollout, a Deployment's rolling update is run by the rules of a Rollout"
        " without steps (`maxSurge`, `maxUnavailable`); `Recreate` is refused.",
        "Service, Ingress, ConfigMap and Secret are read for what a Rollout refers to. Other known"
        " kinds are passed over; a kind that its API group does not have is refused. Secrets have"
        " to be among the manifests.",
    )


def fields() -> list[tuple[str, str, str, str]]:
    """Return place, field, what becomes of it, and a note.

    Raises:
        SystemExit: a field is not spoken of, or in two ways.
    """
    found = []
    refused, inert = _refused(), _without_effect()
    for block in BLOCKS:
        states = {
            REFUSED: _at(block.place, refused),
            WITHOUT_EFFECT: {**_at(block.place, inert), **block.without_effect},
            HONOURED: block.honoured,
        }
        told = Counter(name for notes in states.values() for name in notes)
        for name, field in block.model.model_fields.items():
            written = field.alias or name
            if told.pop(written, 0) != 1:
                raise SystemExit(f"rollout_fields.py: {block.place}.{written}: say it once")
            found += [
                (block.place, written, state, notes[written])
                for state, notes in states.items()
                if written in notes
            ]
        if told:
            raise SystemExit(f"rollout_fields.py: {block.place} has no {sorted(told)}")
    return found


def _at(place: str, notes: dict[tuple[str, str], str]) -> dict[str, str]:
    return {name: text for (where, name), text in notes.items() if where == place}


def _refused() -> dict[tuple[str, str], str]:
    """Return place and field -> reason, from the constants of the reader."""
    canary = "spec.strategy.canary"
    reasons = {("spec", name): text for name, text in reader._UNSUPPORTED_SPEC.items()}  # noqa: SLF001
    reasons |= {
        (f"{canary}.steps[]", name): text
        for name, text in reader._UNSUPPORTED_STEPS.items()  # noqa: SLF001
    }
    reasons |= {
        (f"{canary}.trafficRouting", name): "weights are only set the way of nginx"
        for name in reader._ROUTERS  # noqa: SLF001
    }
    reasons[canary, "pingPong"] = "services do not trade places"
    place = "spec.metrics[].provider"
    for name, field in providers.MetricProvider.model_fields.items():
        if (field.alias or name) not in PROVIDERS:
            reasons[place, field.alias or name] = "cannot be measured here"
    return {key: f"{text[0].upper()}{text[1:]}." for key, text in reasons.items()}


def _without_effect() -> dict[tuple[str, str], str]:
    return {
        (place, name): ""
        for place, names in reader._WITHOUT_EFFECT.items()  # noqa: SLF001
        for name in names
    }
