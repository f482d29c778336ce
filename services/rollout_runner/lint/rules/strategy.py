"""GL8xx and GL9xx: the Rollout: steps, weights, windows, pods."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.analysis import AnalysisError
from rollout_runner.argo.analysis.metric import MEASURED_PROVIDERS
from rollout_runner.argo.rollout import read_rollout
from rollout_runner.argo.rollout.errors import RolloutError, UnsupportedError
from rollout_runner.lint.arguments import Origin, tags_in
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import entries, mapping, text_of, texts
from rollout_runner.lint.rule import Hit, blue_green, canary, rollout, rule
from rollout_runner.lint.rules.jobs import is_floating
from rollout_runner.lint.rules.references import pod_template
from rollout_runner.lint.steps import seconds_of
from rollout_runner.lint.world import BLUE_GREEN, CANARY
from svckit.durations import short_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.objects import Item
    from rollout_runner.lint.world import MetricAt, Use, World
    from rollout_runner.manifests.documents import Path

_STEPS: Final[Path] = (*CANARY, "steps")
_KINDS: Final = (
    "setWeight",
    "pause",
    "analysis",
    "experiment",
    "setCanaryScale",
    "setHeaderRoute",
    "setMirrorRoute",
    "plugin",
)
_EXCLUSIVE: Final = ("setWeight", "pause", "analysis", "experiment")
_DEADLINE: Final = 600
_WINDOW: Final = re.compile(
    r"[?&](?:window|since|range|duration|period)=([0-9]+[smh][0-9smh]*)"
    r"|\[([0-9]+[smh][0-9smh]*)(?::[^\]]*)?\]"
    r"|SINCE\s+([0-9]+)\s+(second|minute|hour)s?\s+ago",
    re.IGNORECASE,
)
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600}
_ERROR_WORD: Final = re.compile(r"error|fail|5xx", re.IGNORECASE)
_BELOW: Final = re.compile(r"\bresult[^<]*<=?\s*([0-9]+(?:\.[0-9]+)?)\s*$")
_ONE_ARM: Final = re.compile(r"hash|canary|role=|version=|pod[-_]?template|preview", re.IGNORECASE)
_ROUTED: Final = """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
"""
_GATED: Final = """
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: gate}]}
"""
_RATE: Final = """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: rate}
    spec:
      args: [{name: window, value: 1m}]
      metrics:
        - name: error-rate
          count: 3
          interval: 30s
          successCondition: result.errorRate < 2
          provider:
            web: {url: "https://apm.example/v1/metrics?app=vote&window={{args.window}}"}
"""
_POD: Final = """
    selector: {matchLabels: {app: vote}}
    template:
      metadata: {labels: {app: vote}}
      spec:
        containers:
          - name: vote
            image: registry.example/vote:v17
            readinessProbe: {httpGet: {path: /, port: 80}}
"""
_PLAIN: Final = """
    strategy:
      canary:
        steps:
          - setWeight: 50
          - pause: {duration: 2m}
          - analysis: {templates: [{templateName: gate}]}
"""


def _canaries(world: World) -> Iterator[tuple[Item, dict[str, Any]]]:
    for item in world.rollouts:
        found = item.get(*CANARY)
        if isinstance(found, dict):
            yield item, found


def _steps(world: World) -> Iterator[tuple[Item, int, dict[str, Any]]]:
    for item in world.rollouts:
        for index, step in entries(item.get(*_STEPS)):
            yield item, index, step


@rule(
    "GL801",
    Severity.WARNING,
    "canary that nothing judges",
    why="""Steps without an analysis are a slow rollout: every version gets to 100 %, however many
    requests fail on the way.""",
    fix="add an analysis step, or a background analysis",
    bad=canary(_ROUTED + "    steps:\n      - setWeight: 20\n      - pause: {duration: 2m}\n"),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def unjudged(world: World) -> Iterator[Hit]:
    """Canaries without analysis and experiment."""
    for item, found in _canaries(world):
        steps = [step for _, step in entries(found.get("steps"))]
        judged = any("analysis" in step or "experiment" in step for step in steps)
        if not judged and not found.get("analysis"):
            yield Hit(
                item=item,
                path=(*CANARY, "steps") if steps else CANARY,
                reason="no step asks whether the new version is any good",
            )


@rule(
    "GL802",
    Severity.NOTE,
    "pause that a person has to end",
    why="""A pause without a duration lasts until somebody promotes. In a pipeline without one the
    rollout stands at its weight for days.""",
    fix="give a duration, or accept it where a person is meant to look",
    bad=canary(_ROUTED + "    steps:\n      - setWeight: 20\n      - pause: {}" + _GATED),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def endless_pause(world: World) -> Iterator[Hit]:
    """Pauses without a duration."""
    for item, index, step in _steps(world):
        pause = step.get("pause")
        if isinstance(pause, dict) and pause.get("duration") is None:
            yield Hit(
                item=item, path=(*_STEPS, index, "pause"), reason="it waits until somebody promotes"
            )


@rule(
    "GL803",
    Severity.WARNING,
    "weight that does not rise",
    why="""A later step with the same or a smaller weight takes traffic away from a canary that
    was good so far, or does nothing. Mostly two steps were swapped.""",
    fix="let the weights rise from step to step",
    bad=canary(
        _ROUTED + "    steps:\n      - setWeight: 50" + _GATED + "      - setWeight: 20" + _GATED
    ),
    good=canary(
        _ROUTED + "    steps:\n      - setWeight: 20" + _GATED + "      - setWeight: 50" + _GATED
    ),
)
def falling_weight(world: World) -> Iterator[Hit]:
    """Weights against the ones before them."""
    for item in world.rollouts:
        before: int | None = None
        for index, step in entries(item.get(*_STEPS)):
            weight = step.get("setWeight")
            if not isinstance(weight, int):
                continue
            if before is not None and weight <= before:
                yield Hit(
                    item=item,
                    path=(*_STEPS, index, "setWeight"),
                    reason=f"setWeight {weight} comes after {before}",
                )
            before = weight


@rule(
    "GL804",
    Severity.ERROR,
    "weight out of range",
    why="A weight is a share of 0 to 100 (or to maxTrafficWeight). Argo refuses the Rollout.",
    fix="give a weight between 0 and 100",
    bad=canary(_ROUTED + "    steps:\n      - setWeight: 120" + _GATED),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def weight_range(world: World) -> Iterator[Hit]:
    """Weights beyond all of the traffic."""
    for item, index, step in _steps(world):
        most = item.get(*CANARY, "trafficRouting", "maxTrafficWeight")
        limit = most if isinstance(most, int) else 100
        weight = step.get("setWeight")
        if isinstance(weight, int) and not 0 <= weight <= limit:
            yield Hit(
                item=item,
                path=(*_STEPS, index, "setWeight"),
                reason=f"{weight} is not between 0 and {limit}",
            )


@rule(
    "GL805",
    Severity.ERROR,
    "field that needs traffic routing",
    why="""Without a router the weight is made of pods alone: setCanaryScale,
    scaleDownDelaySeconds and dynamicStableScale are refused. dynamicStableScale and
    scaleDownDelaySeconds also exclude each other.""",
    fix="add trafficRouting, or remove the field",
    bad=canary("    scaleDownDelaySeconds: 60\n    steps:\n      - setWeight: 50" + _GATED),
    good=canary(
        _ROUTED + "    scaleDownDelaySeconds: 60\n    steps:\n      - setWeight: 50" + _GATED
    ),
)
def needs_routing(world: World) -> Iterator[Hit]:
    """Fields of a routed canary on one that is not routed."""
    for item, found in _canaries(world):
        fields = [
            name for name in ("scaleDownDelaySeconds", "dynamicStableScale") if found.get(name)
        ]
        if found.get("trafficRouting"):
            if len(fields) > 1:
                yield Hit(
                    item=item,
                    path=(*CANARY, "dynamicStableScale"),
                    reason="dynamicStableScale cannot be used with scaleDownDelaySeconds",
                )
            continue
        for name in fields:
            yield Hit(
                item=item,
                path=(*CANARY, name),
                reason=f"{name} can only be used with traffic routing",
            )
        for index, step in entries(found.get("steps")):
            if step.get("setCanaryScale") is not None:
                yield Hit(
                    item=item,
                    path=(*_STEPS, index, "setCanaryScale"),
                    reason="setCanaryScale requires trafficRouting to be set",
                )


@rule(
    "GL806",
    Severity.ERROR,
    "maxSurge and maxUnavailable both 0",
    why="No pod may be added and none may be missing: nothing can ever change. Argo refuses it.",
    fix="allow one of the two",
    bad=canary(
        "    maxSurge: 0\n    maxUnavailable: 0\n    steps:\n      - setWeight: 50" + _GATED
    ),
    good=canary(
        "    maxSurge: 1\n    maxUnavailable: 0\n    steps:\n      - setWeight: 50" + _GATED
    ),
)
def no_room(world: World) -> Iterator[Hit]:
    """Canaries that cannot move."""
    zero = {"0", "0%"}
    for item, found in _canaries(world):
        values = [str(found.get(name)) for name in ("maxSurge", "maxUnavailable")]
        if zero.issuperset(values):
            yield Hit(
                item=item,
                path=(*CANARY, "maxSurge"),
                reason="maxSurge and maxUnavailable are both 0",
            )


@rule(
    "GL807",
    Severity.WARNING,
    "background analysis before there is traffic",
    why="""Without startingStep a background analysis begins with the rollout, before the first
    pod of the canary is ready. What it measures then is stable, or nothing.""",
    fix="set startingStep to a step behind the first setWeight, or initialDelay on the metrics",
    bad=canary(
        _ROUTED
        + "    analysis: {templates: [{templateName: watch}]}\n    steps:\n      - setWeight: 20\n"
        + "      - pause: {duration: 10m}\n",
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: watch}
    spec:
      metrics:
        - name: verdict
          interval: 30s
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
    good=canary(
        _ROUTED
        + "    analysis: {startingStep: 1, templates: [{templateName: watch}]}\n    steps:\n"
        + "      - setWeight: 20\n      - pause: {duration: 10m}\n",
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: watch}
    spec:
      metrics:
        - name: verdict
          interval: 30s
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def too_early(world: World) -> Iterator[Hit]:
    """Background analyses that begin at weight 0, with metrics that do not wait."""
    for use in world.uses:
        start = use.raw.get("startingStep", 0)
        if use.role != "background" or not isinstance(start, int):
            continue
        steps = list(entries(use.rollout.get(*_STEPS)))[:start]
        if any(isinstance(step.get("setWeight"), int) and step["setWeight"] for _, step in steps):
            continue
        hasty = [
            each.name
            for each in world.metrics
            if each.use is use and not each.metric.initial_delay_seconds
        ]
        if hasty:
            yield Hit(
                item=use.rollout,
                path=use.path,
                reason=f"{', '.join(hasty)} begins to measure before the canary has traffic",
            )


@rule(
    "GL808",
    Severity.WARNING,
    "analysis at weight 0",
    why="""Before the first setWeight the canary gets no traffic: the analysis judges stable, or
    passes for want of requests.""",
    fix="put a setWeight and a pause before the analysis",
    bad=canary(
        _ROUTED
        + "    steps:\n      - analysis: {templates: [{templateName: gate}]}\n"
        + "      - setWeight: 20\n      - pause: {duration: 2m}\n"
    ),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def without_traffic(world: World) -> Iterator[Hit]:
    """Analysis steps that no weight precedes."""
    for use in world.uses:
        if use.weight is not None and use.weight.percent == 0:
            scaled = any(
                step.get("setCanaryScale")
                or step.get("setHeaderRoute")
                or step.get("setMirrorRoute")
                for index, step in entries(use.rollout.get(*_STEPS))
                if index < int(str(use.path[-2]))
            )
            if not scaled:
                yield Hit(item=use.rollout, path=use.path, reason="the canary has no traffic yet")


@rule(
    "GL809",
    Severity.NOTE,
    "threshold that the weight dilutes",
    why="""An error rate of the whole application is that of the canary times its weight, plus
    that of stable. Beside a clean stable a canary at weight 20 must fail one request in ten
    before the application reads 2 %.""",
    fix="ask for the canary alone, by its pod hash, or compare it with stable",
    bad=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 20\n      - pause: {duration: 2m}\n"
        + "      - analysis: {templates: [{templateName: rate}]}\n",
        _RATE,
    ),
    good=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 20\n      - pause: {duration: 2m}\n"
        + "      - analysis:\n          templates: [{templateName: rate}]\n"
        + "          args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}]\n",
        _RATE.replace("args: [", "args: [{name: hash}, ").replace(
            "app=vote&", "app=vote&hash={{args.hash}}&"
        ),
    ),
)
def diluted(world: World) -> Iterator[Hit]:
    """App-wide error rates at a small weight, where nothing looks at the canary alone."""
    for each in world.metrics:
        use = each.use
        if use is None or use.weight is None or not 0 < use.weight.percent < 100:
            continue
        limit = _limit_of_errors(each)
        if limit is None or any(_sees_one_arm(one) for one in world.metrics if one.use is use):
            continue
        weight = use.weight.percent
        yield Hit(
            item=use.rollout,
            path=use.path,
            reason=f"at weight {weight} metric {each.name!r} reads {limit:g} only when the canary "
            f"fails {limit * 100 / weight:g} (beside a clean stable)",
        )


def _limit_of_errors(each: MetricAt) -> float | None:
    """Return the threshold of a metric on errors."""
    found = _BELOW.search(each.metric.success_condition)
    about = f"{each.name} {each.metric.success_condition}"
    return float(found[1]) if found and _ERROR_WORD.search(about) else None


def _sees_one_arm(each: MetricAt) -> bool:
    """Whether a metric asks for the canary by itself."""
    provider = mapping(each.raw.get("provider"))
    for _, text in texts({name: provider.get(name) for name in ("web", "prometheus", "newRelic")}):
        if _ONE_ARM.search(text):
            return True
        for tag in tags_in(text):
            given = each.given.get(tag.removeprefix("args."))
            if given is not None and given.origin is Origin.HASH:
                return True
    return False


@rule(
    "GL810",
    Severity.WARNING,
    "window that reaches over the weight before it",
    why="""A window longer than the weight has been in force still holds requests from the time
    before: a smaller weight, or none. A bad canary is diluted by them, and a good one pays for
    the release before it.""",
    fix="shorten the window to the pause before the analysis, or lengthen the pause",
    bad=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 100\n      - pause: {duration: 1m}\n"
        + "      - analysis:\n          templates: [{templateName: rate}]\n"
        + "          args: [{name: window, value: 5m}]\n",
        _RATE,
    ),
    good=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 100\n      - pause: {duration: 1m}\n"
        + "      - analysis:\n          templates: [{templateName: rate}]\n"
        + "          args: [{name: window, value: 1m}]\n",
        _RATE,
    ),
)
def long_window(world: World) -> Iterator[Hit]:
    """Windows of app-wide metrics against the time that the weight has been in force."""
    for each in world.metrics:
        use = each.use
        if use is None or use.weight is None or use.weight.set_at is None or _sees_one_arm(each):
            continue
        window = _window_of(each)
        lasted = use.weight.seconds + (each.metric.initial_delay_seconds or 0.0)
        if window > lasted and not math.isinf(lasted):
            yield Hit(
                item=use.rollout,
                path=use.path,
                reason=f"metric {each.name!r} looks back {short_duration(window)}; weight "
                f"{use.weight.percent} is in force for {short_duration(lasted)} then",
            )


def _window_of(each: MetricAt) -> float:
    """Return the longest window that a query asks for, in seconds; 0 if it names none."""
    longest = 0.0
    for name in ("web", "prometheus", "newRelic"):
        for _, text in texts(each.block(name)):
            for plain, ranged, number, unit in _WINDOW.findall(text):
                seconds = (
                    float(number) * _UNITS[unit.lower()] if number else seconds_of(plain or ranged)
                )
                longest = max(longest, seconds)
    return longest


@rule(
    "GL811",
    Severity.WARNING,
    "analysis right behind the weight",
    why="""The analysis begins in the second in which the weight is set. The canary has served
    nothing of it yet, so the first measurements judge the weight before.""",
    fix="put a pause between setWeight and analysis, or initialDelay on the metrics",
    bad=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 20\n"
        + "      - analysis: {templates: [{templateName: gate}]}\n"
    ),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def no_pause(world: World) -> Iterator[Hit]:
    """Analyses without a pause, or another analysis, behind the weight."""
    for use in world.uses:
        weight = use.weight
        if weight is None or weight.set_at is None or weight.seconds > 0:
            continue
        steps = dict(entries(use.rollout.get(*_STEPS)))
        here = int(str(use.path[-2]))
        between = [steps[at] for at in range(weight.set_at + 1, here) if at in steps]
        if any("analysis" in step or "experiment" in step for step in between):
            continue
        delays = [
            each.metric.initial_delay_seconds or 0.0 for each in world.metrics if each.use is use
        ]
        if delays and min(delays) == 0:
            yield Hit(
                item=use.rollout,
                path=use.path,
                reason=f"weight {weight.percent} has had no time to be seen",
            )


@rule(
    "GL812",
    Severity.WARNING,
    "blue-green that promotes itself unseen",
    why="""autoPromotionEnabled is true unless it is set to false. Without an analysis before
    promotion the active Service is switched as soon as the pods are ready.""",
    fix="add prePromotionAnalysis, or set autoPromotionEnabled to false",
    bad=blue_green("    activeService: vote\n    previewService: vote-canary\n"),
    good=blue_green(
        "    activeService: vote\n    previewService: vote-canary\n"
        "    prePromotionAnalysis: {templates: [{templateName: gate}]}\n"
    ),
)
def promotes_itself(world: World) -> Iterator[Hit]:
    """Blue-green strategies without a gate and without a person."""
    for item in world.rollouts:
        found = item.get(*BLUE_GREEN)
        if not isinstance(found, dict):
            continue
        by_hand = found.get("autoPromotionEnabled") is False
        if not by_hand and not found.get("prePromotionAnalysis"):
            yield Hit(
                item=item,
                path=BLUE_GREEN,
                reason="the switch happens by itself, and nothing is looked at before it",
            )


def _lasts(use: Use, world: World) -> float:
    """Return how long an analysis takes at least, in seconds, when nothing fails."""
    longest = 0.0
    for each in world.metrics:
        count, interval = each.metric.effective_count, each.metric.interval_seconds
        if each.use is use and count is not None:
            delay = each.metric.initial_delay_seconds or 0.0
            longest = max(longest, delay + (count - 1) * (interval or 0.0))
    return longest


@rule(
    "GL813",
    Severity.WARNING,
    "analysis before promotion longer than the progress deadline",
    why="""Only pauses and the steps of a canary are exempt from progressDeadlineSeconds. An
    analysis before promotion that takes longer shows the Rollout as Degraded, and with
    progressDeadlineAbort aborts it.""",
    fix="raise progressDeadlineSeconds above the length of the analysis",
    bad=rollout(
        _POD
        + """
    strategy:
      blueGreen:
        activeService: vote
        previewService: vote-canary
        prePromotionAnalysis: {templates: [{templateName: long}]}
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: long}
    spec:
      metrics:
        - name: verdict
          count: 21
          interval: 1m
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
    good=rollout(
        _POD
        + """
    progressDeadlineSeconds: 1800
    strategy:
      blueGreen:
        activeService: vote
        previewService: vote-canary
        prePromotionAnalysis: {templates: [{templateName: long}]}
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: long}
    spec:
      metrics:
        - name: verdict
          count: 21
          interval: 1m
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def deadline(world: World) -> Iterator[Hit]:
    """Analyses before promotion against the deadline."""
    for use in world.uses:
        limit = use.rollout.get("spec", "progressDeadlineSeconds")
        seconds = limit if isinstance(limit, int) else _DEADLINE
        lasts = _lasts(use, world)
        if use.role == "pre" and lasts > seconds:
            yield Hit(
                item=use.rollout,
                path=use.path,
                reason=f"it takes {short_duration(lasts)}; progressDeadlineSeconds is {seconds}",
            )


@rule(
    "GL814",
    Severity.WARNING,
    "old pods gone before the analysis after promotion ends",
    why="""With scaleDownDelaySeconds set, the old pods may be gone when the analysis after
    promotion fails: the active Service is pointed at a version that has to start first. Without
    it they are kept until the analysis is Successful.""",
    fix="leave scaleDownDelaySeconds out, or make it longer than the analysis",
    bad=blue_green(
        "    activeService: vote\n    previewService: vote-canary\n"
        "    autoPromotionEnabled: false\n    scaleDownDelaySeconds: 30\n"
        "    postPromotionAnalysis: {templates: [{templateName: gate}]}\n"
    ),
    good=blue_green(
        "    activeService: vote\n    previewService: vote-canary\n"
        "    autoPromotionEnabled: false\n    scaleDownDelaySeconds: 300\n"
        "    postPromotionAnalysis: {templates: [{templateName: gate}]}\n"
    ),
)
def gone_too_soon(world: World) -> Iterator[Hit]:
    """Analyses after promotion against the delay."""
    for use in world.uses:
        delay = use.rollout.get(*BLUE_GREEN, "scaleDownDelaySeconds")
        lasts = _lasts(use, world)
        if use.role == "post" and isinstance(delay, int) and lasts > delay:
            yield Hit(
                item=use.rollout,
                path=(*BLUE_GREEN, "scaleDownDelaySeconds"),
                reason=f"the old pods go after {delay} s; "
                f"the analysis takes {short_duration(lasts)}",
            )


@rule(
    "GL815",
    Severity.NOTE,
    "aborted pods that are kept",
    why="""`abortScaleDownDelaySeconds: 0` keeps the pods of an aborted version for ever: good for
    a look at them, and forgotten ones cost money.""",
    fix="give the seconds that a look takes, or leave it out for 30",
    bad=canary(
        _ROUTED + "    abortScaleDownDelaySeconds: 0\n    steps:\n      - setWeight: 20" + _GATED
    ),
    good=canary(
        _ROUTED + "    abortScaleDownDelaySeconds: 600\n    steps:\n      - setWeight: 20" + _GATED
    ),
)
def kept_pods(world: World) -> Iterator[Hit]:
    """Delays of 0 after an abort."""
    for item in world.rollouts:
        for base in (CANARY, BLUE_GREEN):
            if item.get(*base, "abortScaleDownDelaySeconds") == 0:
                yield Hit(
                    item=item,
                    path=(*base, "abortScaleDownDelaySeconds"),
                    reason="0 means for ever, not at once",
                )


@rule(
    "GL816",
    Severity.WARNING,
    "image without a fixed version",
    why="""`latest`, or no tag, does not say which version is rolled out. The pods of stable may
    be the new version after a restart, and `undo` goes back to the same text.""",
    fix="name a version, best a digest",
    bad=rollout(_POD.replace("vote:v17", "vote:latest") + _PLAIN),
    good=rollout(_POD + _PLAIN),
)
def floating_version(world: World) -> Iterator[Hit]:
    """Images of the pod template with the tag latest or none."""
    for item, field, index, container in _containers(world):
        image = container.get("image")
        if isinstance(image, str) and image and is_floating(image):
            yield Hit(
                item=item,
                path=("spec", "template", "spec", field, index, "image"),
                reason=f"{image} is whatever was pushed last",
            )


def _containers(world: World) -> Iterator[tuple[Item, str, int, dict[str, Any]]]:
    for item in world.rollouts:
        pods = mapping(mapping(item.get("spec", "template")).get("spec"))
        for field in ("initContainers", "containers"):
            for index, container in entries(pods.get(field)):
                yield item, field, index, container


@rule(
    "GL817",
    Severity.ERROR,
    "container without an image",
    why="""A strategic merge patch on a Rollout replaces the list of containers, since kustomize
    does not know its merge keys: what the patch does not name is lost, and the image is the first
    to go.""",
    fix="patch Rollouts with JSON6902, or name the image in the patch",
    bad=rollout(_POD.replace("            image: registry.example/vote:v17\n", "") + _PLAIN),
    good=rollout(_POD + _PLAIN),
)
def no_image(world: World) -> Iterator[Hit]:
    """Containers of the pod template without an image."""
    for item, field, index, container in _containers(world):
        if not container.get("image"):
            yield Hit(
                item=item,
                path=("spec", "template", "spec", field, index),
                reason=f"container {container.get('name', index)!r} has no image",
            )


@rule(
    "GL818",
    Severity.ERROR,
    "step that is not one thing",
    why="A step does exactly one thing. With two fields, or none, Argo refuses the Rollout.",
    fix="make two steps of two fields",
    bad=canary(
        _ROUTED + "    steps:\n      - setWeight: 20\n        pause: {duration: 2m}\n"
        "      - pause: {duration: 2m}\n      - analysis: {templates: [{templateName: gate}]}\n"
    ),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def one_thing(world: World) -> Iterator[Hit]:
    """Steps with several fields or none."""
    for item, index, step in _steps(world):
        given = [name for name in _KINDS if step.get(name) is not None]
        exclusive = [name for name in _EXCLUSIVE if name in given]
        if not given or len(exclusive) > 1:
            yield Hit(
                item=item,
                path=(*_STEPS, index),
                reason=f"it has {' and '.join(exclusive) or 'nothing to do'}",
            )


@rule(
    "GL819",
    Severity.WARNING,
    "pods that are ready as soon as they run",
    why="""Without a readiness probe a pod gets traffic the moment its process exists. A version
    that needs time to start, or never does, takes requests all the same.""",
    fix="add a readinessProbe to a container",
    bad=rollout(
        _POD.replace("            readinessProbe: {httpGet: {path: /, port: 80}}\n", "") + _PLAIN
    ),
    good=rollout(_POD + _PLAIN),
)
def no_probe(world: World) -> Iterator[Hit]:
    """Pods that serve a Service, or are gated, without a readiness probe."""
    for item in world.rollouts:
        pods = pod_template(world, item)
        containers = [
            each for _, each in entries(mapping(mapping(pods).get("spec")).get("containers"))
        ]
        serves = any(use.rollout is item for use in world.uses) or any(
            item.get(*base, name)
            for base, name in ((CANARY, "stableService"), (BLUE_GREEN, "activeService"))
        )
        if containers and serves and not any(each.get("readinessProbe") for each in containers):
            yield Hit(
                item=item,
                path=("spec", "template", "spec", "containers"),
                reason="no container has a readinessProbe",
            )


@rule(
    "GL820",
    Severity.NOTE,
    "weight that the pods cannot make",
    why="""Without traffic routing the weight is a number of pods. Few replicas make it coarse: 20
    % of two pods is one pod, which is half of the traffic.""",
    fix="add trafficRouting, more replicas, or take weights that the replicas can make",
    bad=canary("    steps:\n      - setWeight: 20" + _GATED),
    good=canary("    steps:\n      - setWeight: 50" + _GATED),
)
def coarse_weight(world: World) -> Iterator[Hit]:
    """Weights of canaries without a router that are no whole number of pods."""
    for item, index, step in _steps(world):
        if item.get(*CANARY, "trafficRouting") is not None:
            continue
        pods = item.get("spec", "replicas")
        weight = step.get("setWeight")
        if not isinstance(pods, int) or not isinstance(weight, int):
            continue  # an autoscaler may decide how many there are
        if 0 < weight < 100 and (weight * pods) % 100:
            yield Hit(
                item=item,
                path=(*_STEPS, index, "setWeight"),
                reason=f"{weight} % of {pods} pod{'s' * (pods != 1)} is no whole number of pods",
            )


@rule(
    "GL821",
    Severity.ERROR,
    "deadline or count of pods out of range",
    why="""Negative numbers, and a progress deadline that is not longer than minReadySeconds, make
    the Rollout InvalidSpec.""",
    fix="give numbers of 0 or more, and a deadline longer than minReadySeconds",
    bad=rollout(_POD + "    minReadySeconds: 700\n" + _PLAIN),
    good=rollout(_POD + "    minReadySeconds: 30\n" + _PLAIN),
)
def out_of_range(world: World) -> Iterator[Hit]:
    """Numbers that Argo refuses."""
    for item in world.rollouts:
        spec = mapping(item.get("spec"))
        for name in (
            "replicas",
            "minReadySeconds",
            "revisionHistoryLimit",
            "progressDeadlineSeconds",
        ):
            value = spec.get(name)
            if isinstance(value, int) and value < 0:
                yield Hit(item=item, path=("spec", name), reason=f"{name} is {value}")
        ready, limit = spec.get("minReadySeconds"), spec.get("progressDeadlineSeconds", _DEADLINE)
        if isinstance(ready, int) and isinstance(limit, int) and 0 <= limit <= ready:
            yield Hit(
                item=item,
                path=("spec", "minReadySeconds"),
                reason=f"progressDeadlineSeconds ({limit}) must be greater than {ready}",
            )


@rule(
    "GL822",
    Severity.WARNING,
    "no version to go back to",
    why="`revisionHistoryLimit: 0` deletes every old ReplicaSet, and `undo` has nothing to go to.",
    fix="keep at least one",
    bad=rollout(_POD + "    revisionHistoryLimit: 0\n" + _PLAIN),
    good=rollout(_POD + "    revisionHistoryLimit: 2\n" + _PLAIN),
)
def no_history(world: World) -> Iterator[Hit]:
    """Histories that keep nothing."""
    for item in world.rollouts:
        if item.get("spec", "revisionHistoryLimit") == 0:
            yield Hit(
                item=item, path=("spec", "revisionHistoryLimit"), reason="undo has nothing to go to"
            )


@rule(
    "GL823",
    Severity.WARNING,
    "analysis that looks at the stable Service",
    why="""The URL leads to the stable Service, and none of the analysis to the canary's: whatever
    the new version does, the old one answers.""",
    fix="ask the canary Service",
    bad=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 20\n      - pause: {duration: 2m}\n"
        + "      - analysis: {templates: [{templateName: health}]}\n",
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: health}
    spec:
      args: [{name: service, value: vote}]
      metrics:
        - name: health
          successCondition: result.status == "up"
          provider: {web: {url: "http://{{args.service}}.shop.svc.cluster.local/v1/state?full=1"}}
    """,
    ),
    good=canary(
        _ROUTED
        + "    steps:\n      - setWeight: 20\n      - pause: {duration: 2m}\n"
        + "      - analysis: {templates: [{templateName: health}]}\n",
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: health}
    spec:
      args: [{name: service, value: vote-canary}]
      metrics:
        - name: health
          successCondition: result.status == "up"
          provider: {web: {url: "http://{{args.service}}.shop.svc.cluster.local/v1/state?full=1"}}
    """,
    ),
)
def looks_at_stable(world: World) -> Iterator[Hit]:
    """Analyses whose requests go to stable alone."""
    for use in world.uses:
        found = use.rollout.get(*CANARY) if use.role in {"step", "background"} else None
        stable = text_of(mapping(found).get("stableService"))
        other = text_of(mapping(found).get("canaryService"))
        if not stable or not other:
            continue
        urls = [
            (each, text)
            for each in world.metrics
            if each.use is use
            for name in ("web", "job")
            for _, text in texts(each.block(name))
        ]
        asked = re.compile(rf"(//|service=|[?&]service-name=){re.escape(stable)}(?![A-Za-z0-9-])")
        if any(other in text for _, text in urls):
            continue
        named = sorted({each.name for each, text in urls if asked.search(text)})
        if named:
            yield Hit(
                item=use.rollout,
                path=use.path,
                reason=f"{', '.join(named)} asks the stable Service {stable!r}, and nothing asks "
                f"{other!r}",
            )


@rule(
    "GL901",
    Severity.NOTE,
    "what gatelab cannot run",
    why="""It is right for a cluster, but asks for something that `gatelab run` does not emulate,
    and refuses with the same words. The table of fields says what is honoured and what is
    refused.""",
    fix="see docs/reference/rollout-fields.md",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {smi: {rootService: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: gate}]}
    """
    ),
    good=canary(_ROUTED + "    steps:\n      - setWeight: 20" + _GATED),
)
def unsupported(world: World) -> Iterator[Hit]:
    """Fields that the loader refuses, and providers that it cannot ask."""
    for item in world.rollouts:
        pods = pod_template(world, item)
        spec = mapping(item.get("spec"))
        try:
            read_rollout(
                {**item.value, "spec": spec if pods is None else {**spec, "template": pods}}
            )
        except UnsupportedError as error:
            yield Hit(item=item, path=_path_of(error.field), reason=str(error.detail))
        except (RolloutError, AnalysisError, AttributeError, TypeError, KeyError):
            continue  # its shape is wrong, which other rules tell
    for each in world.metrics:
        for name in each.metric.provider_names:
            if name not in MEASURED_PROVIDERS and each.block(name) is not None:
                yield Hit(
                    item=each.owner,
                    path=each.at("provider", name),
                    reason=f"metric {each.name!r} uses the {name} provider, which cannot be run",
                )


def _path_of(field: str) -> Path:
    """Read a path as the loader writes it: `spec.strategy.canary.steps[1].experiment`."""
    parts = field.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
