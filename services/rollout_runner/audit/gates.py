"""The gates of a Rollout, each as an analysis step of a Rollout that can be tried alone.

A canary's inline analyses are steps already. The others are given a place among steps:

    background analysis     after the step from which on it runs; a metric without `count` is taken
                            for ten measurements, as it would otherwise last as long as the rollout
    prePromotionAnalysis    with 20 % of the votes at the preview for five minutes before it
    postPromotionAnalysis   with all of the votes at the new version for one minute before it

The votes at a preview stand for testers or a load generator: without any, an error rate has
nothing to read.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.bench.subject import Subject
from rollout_runner.manifests import load_manifests, select_rollout
from rollout_runner.scenarios.model import Versions
from rollout_runner.simulation.subject import PROVIDERS as VIRTUAL_PROVIDERS
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rollout_runner.argo.analysis import AnalysisRunSpec
    from rollout_runner.manifests import Selection

PROVIDERS: Final = (*VIRTUAL_PROVIDERS, "job")
PREVIEW_WEIGHT: Final = 20
PREVIEW_PAUSE: Final = "5m"
POST_PAUSE: Final = "1m"
BACKGROUND_COUNT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One analysis of a Rollout.

    Attributes:
        name: `step 5`, `background`, `prePromotion` or `postPromotion`.
        number: the canary step as the manifest counts; None for the others.
        subject: a Rollout that has the analysis at `index`.
        index: of the step in the subject.
        templates: the AnalysisTemplates it is made of.
    """

    name: str
    number: int | None
    subject: Subject
    index: int
    templates: tuple[str, ...]


def load_gates(path: Path, *, rollout: str | None) -> tuple[Gate, ...]:
    """Read the manifests and return every gate of the Rollout.

    Raises:
        InvalidInput: the manifests cannot be used, or the Rollout has no analysis at all.
    """
    selection = select_rollout(load_manifests(path), rollout)
    raw = selection.rollout.raw
    strategy = raw["spec"].get("strategy") or {}
    gates = (
        _blue_green(selection, path, strategy["blueGreen"])
        if strategy.get("blueGreen") is not None
        else _canary(selection, path, strategy.get("canary") or {})
    )
    if not gates:
        raise InvalidInput(
            f"Rollout {selection.rollout.name} has no analysis: nothing gates it, so every canary"
            " is promoted",
            hint="add an analysis step (docs/guides/first-gate.md); --rollout names another one",
        )
    return gates


def bounded(spec: AnalysisRunSpec) -> AnalysisRunSpec:
    """Return the spec with a count for every metric that would go on for ever."""
    return replace(
        spec,
        metrics=tuple(
            {**metric, "count": BACKGROUND_COUNT}
            if metric.get("interval") and not metric.get("count")
            else metric
            for metric in spec.metrics
        ),
    )


def _canary(selection: Selection, path: Path, canary: Mapping[str, Any]) -> tuple[Gate, ...]:
    steps: list[dict[str, Any]] = list(canary.get("steps") or [])
    background = canary.get("analysis")
    gates: list[Gate] = []
    if any("analysis" in step for step in steps):
        subject = _subject(selection, path, selection.rollout.raw)
        gates += [
            Gate(
                name=f"step {index}",
                number=index,
                subject=subject,
                index=index,
                templates=_names(step["analysis"]),
            )
            for index, step in enumerate(steps)
            if "analysis" in step
        ]
    if background is not None:
        begin = int(background.get("startingStep") or 0)
        before = [step for step in steps[: begin + 1] if "analysis" not in step]
        if not any("setWeight" in step for step in before):
            before = [{"setWeight": PREVIEW_WEIGHT}, *before]
        if not any("pause" in step for step in before):
            before.append({"pause": {"duration": PREVIEW_PAUSE}})
        inline = {key: value for key, value in background.items() if key != "startingStep"}
        alone = {key: value for key, value in canary.items() if key != "analysis"}
        manifest = _with_canary(selection, {**alone, "steps": [*before, {"analysis": inline}]})
        gates.append(
            Gate(
                name="background",
                number=None,
                subject=_subject(selection, path, manifest),
                index=len(before),
                templates=_names(background),
            )
        )
    return tuple(gates)


def _blue_green(selection: Selection, path: Path, strategy: Mapping[str, Any]) -> tuple[Gate, ...]:
    gates: list[Gate] = []
    for name, weight, pause in (
        ("prePromotion", PREVIEW_WEIGHT, PREVIEW_PAUSE),
        ("postPromotion", 100, POST_PAUSE),
    ):
        analysis = strategy.get(f"{name}Analysis")
        if analysis is None:
            continue
        canary = {
            "stableService": strategy.get("activeService"),
            "canaryService": strategy.get("previewService") or strategy.get("activeService"),
            "steps": [
                {"setWeight": weight},
                {"pause": {"duration": pause}},
                {"analysis": analysis},
            ],
        }
        if canary["canaryService"] == canary["stableService"]:
            del canary["stableService"]
        subject = _subject(selection, path, _with_canary(selection, canary))
        gates.append(
            Gate(name=name, number=None, subject=subject, index=2, templates=_names(analysis))
        )
    return tuple(gates)


def _with_canary(selection: Selection, canary: Mapping[str, Any]) -> dict[str, Any]:
    manifest = copy.deepcopy(dict(selection.rollout.raw))
    manifest["spec"]["strategy"] = {"canary": copy.deepcopy(dict(canary))}
    return manifest


def _subject(selection: Selection, path: Path, manifest: Mapping[str, Any]) -> Subject:
    return Subject.of(
        selection, manifest=manifest, path=path, versions=Versions(), providers=PROVIDERS
    )


def _names(analysis: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        str(template.get("templateName") or "") for template in analysis.get("templates") or ()
    )
