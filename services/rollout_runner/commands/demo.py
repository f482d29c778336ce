"""`gatelab demo`: the main job, from the shipped manifests to an index page of its reports."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - part of the public signature at run time
from typing import TYPE_CHECKING

from rollout_runner.adapters.event_log import read_events
from rollout_runner.adapters.project_files import shipped
from rollout_runner.commands.display import wants_color
from rollout_runner.commands.reports import EVENTS_FILE
from rollout_runner.commands.run import RunRequest, lost_a_program, perform, unmet_expectation
from rollout_runner.report import IndexEntry, render_index, render_text, result_document
from rollout_runner.scenarios.load import find_scenario, load_scenario
from rollout_runner.scenarios.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.report import RunReport

DEFAULT_SCENARIOS = ("healthy", "bad-canary")
OVERLAY = "overlays/qa"
STAGES = ("dev", "qa", "staging")
"""The environments that a version goes through; each has an overlay and a scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of a demo; `overlay` is below `deploy`."""

    overlay: str
    scenario: Scenario


def chosen_stages(names: Sequence[str]) -> list[Stage]:
    """Return the QA runs of these scenarios, given by name or file."""
    library = shipped("scenarios")
    return [
        Stage(overlay=OVERLAY, scenario=load_scenario(find_scenario(name, library)))
        for name in names
    ]


def all_stages() -> list[Stage]:
    """Return one version's way through every environment."""
    library = shipped("scenarios") / "environments"
    return [
        Stage(overlay=f"overlays/{name}", scenario=load_scenario(library / f"{name}.yaml"))
        for name in STAGES
    ]


def run_demo(
    stages: Sequence[Stage],
    *,
    folder: Path,
    speed: float,
    argo_version: ArgoVersion,
    quiet: bool,
    in_sequence: bool = False,
) -> tuple[list[RunReport], list[str]]:
    """Run the stages one after the other and write an index of their reports.

    Args:
        stages: what to run.
        folder: where the reports go.
        speed: virtual seconds per real second.
        argo_version: whose behaviour to take.
        quiet: show no progress.
        in_sequence: a stage is a condition of the next one, so the first that ends otherwise than
            expected is the last.

    Returns:
        The reports, and one sentence for each expectation that was not met.
    """
    reports: list[RunReport] = []
    entries: list[IndexEntry] = []
    unmet: list[str] = []
    for number, stage in enumerate(stages, start=1):
        scenario = stage.scenario
        _say(f"\n[{number}/{len(stages)}] {scenario.name}\n", quiet)
        report = perform(
            RunRequest(
                manifests=shipped("deploy") / stage.overlay,
                scenario=scenario,
                folder=folder / scenario.name,
                speed=speed,
                argo_version=argo_version,
                rollout=scenario.rollout,
                quiet=quiet,
            )
        )
        _say("\n" + render_text(report, color=wants_color(sys.stderr)), quiet)
        reports.append(report)
        entries.append(
            IndexEntry(
                name=scenario.name,
                report=report,
                href=f"{scenario.name}/report.html",
                others=(
                    ("Markdown", f"{scenario.name}/report.md"),
                    ("JSON", f"{scenario.name}/result.json"),
                    ("event log", f"{scenario.name}/events.jsonl"),
                ),
            )
        )
        problem = unmet_expectation(report, scenario)
        if lost_a_program(read_events(folder / scenario.name / EVENTS_FILE)):
            problem = "a program was lost, so the run says nothing about the gate"
        if problem:
            unmet.append(f"{scenario.name}: {problem}")
        (folder / "index.html").write_text(
            render_index(entries, title="gatelab demo"), encoding="utf-8"
        )
        if problem and in_sequence:
            left = [each.scenario.name for each in stages[number:]]
            if left:
                _say(f"\nnot run: {', '.join(left)}\n", quiet)
            break
    return reports, unmet


def demo_document(
    stages: Sequence[Stage], reports: Sequence[RunReport]
) -> dict[str, object] | list[dict[str, object]]:
    """Return the result JSON: of the run itself, or a list when there were several."""
    documents = [
        {"scenario": stage.scenario.name, **result_document(report)}
        for stage, report in zip(stages, reports, strict=False)
    ]
    return documents[0] if len(stages) == 1 else documents


def _say(text: str, quiet: bool) -> None:  # noqa: FBT001 - two uses, both above
    if not quiet:
        sys.stderr.write(text if text.endswith("\n") else text + "\n")
        sys.stderr.flush()
