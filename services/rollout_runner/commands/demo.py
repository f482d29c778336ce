"""`gatelab demo`: the main job, from the shipped manifests to an index page of its reports."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - part of the public signature at run time
from typing import TYPE_CHECKING

from rollout_runner.adapters.event_log import read_events
from rollout_runner.adapters.project_files import shipped
from rollout_runner.commands.display import wants_color
from rollout_runner.commands.reports import EVENTS_FILE
from rollout_runner.commands.run import RunRequest, lost_a_program, perform, unmet_expectation
from rollout_runner.report import IndexEntry, render_index, render_text, result_document
from rollout_runner.scenarios.load import find_scenario, load_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.report import RunReport

DEFAULT_SCENARIOS = ("healthy", "bad-canary")
OVERLAY = "overlays/qa"


def run_demo(
    names: Sequence[str], *, folder: Path, speed: float, argo_version: ArgoVersion, quiet: bool
) -> tuple[list[RunReport], list[str]]:
    """Run the scenarios one after the other and write an index of their reports.

    Returns:
        The reports, and one sentence for each expectation that was not met.
    """
    library = shipped("scenarios")
    scenarios = [load_scenario(find_scenario(name, library)) for name in names]
    reports: list[RunReport] = []
    entries: list[IndexEntry] = []
    unmet: list[str] = []
    for number, scenario in enumerate(scenarios, start=1):
        _say(f"\n[{number}/{len(scenarios)}] {scenario.name}\n", quiet)
        report = perform(
            RunRequest(
                manifests=shipped("deploy") / OVERLAY,
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
    return reports, unmet


def demo_document(
    scenarios: Sequence[str], reports: Sequence[RunReport]
) -> dict[str, object] | list[dict[str, object]]:
    """Return the result JSON: of the run itself, or a list when there were several."""
    documents = [
        {"scenario": name, **result_document(report)}
        for name, report in zip(scenarios, reports, strict=True)
    ]
    return documents[0] if len(documents) == 1 else documents


def _say(text: str, quiet: bool) -> None:  # noqa: FBT001 - two uses, both above
    if not quiet:
        sys.stderr.write(text if text.endswith("\n") else text + "\n")
        sys.stderr.flush()
