"""scenarios.md: the fields of a scenario file, from its model, and the scenarios that ship.

What a field means is kept here. A field without a meaning, or a meaning without a field, stops the
generator.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from reference.markdown import code, flowed, page, table
from rollout_runner.scenarios import model
from rollout_runner.scenarios.load import load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
# Where a model stands in the file, the model, and what each of its fields means.
BLOCKS: tuple[tuple[str, type[BaseModel], dict[str, str]], ...] = (
    (
        "",
        model.Scenario,
        {
            "name": "Name of the run; also of its folder under `.gatelab/`. Required.",
            "description": "One sentence for progress and report.",
            "manifests": "Overlay, folder or file, relative to the scenario file: what `gatelab"
            " test` runs. `gatelab run` takes its PATH from the command line.",
            "rollout": "Which Rollout, when the manifests hold several. `--rollout` wins.",
            "mode": "`live`: real processes; `simulate`: virtual time. `gatelab run` is live, and"
            " refuses the other; `gatelab test` does what the file says.",
            "seed": "Seed of arrivals and faults. `--seed` wins.",
            "runs": "How often `gatelab test` makes the run in virtual time, each with other"
            " chance; 1 for live.",
            "argo_version": "Release line whose behaviour is taken: `1.8`, `1.9` or `1.10`."
            " Read by `gatelab test`; in YAML it must be quoted.",
            "versions": "What the versions are called.",
            "traffic": "Votes and how they arrive.",
            "baseline": "What the stable version really does.",
            "canary": "What the canary really does.",
            "timeline": "What changes on the way; a list.",
            "expect": "How the run must end. When it ends otherwise, `gatelab demo` and `gatelab"
            " run` exit with 3 (unless the run's own code says more).",
        },
    ),
    (
        "versions",
        model.Versions,
        {
            "stable": "Version that serves before the rollout; also its image tag.",
            "canary": "The new version. `--to-version` wins.",
        },
    ),
    (
        "traffic",
        model.Traffic,
        {
            "rate": "Votes per virtual second: `50/s`, `300/m`, or a bare number a second. At"
            " speed 10, `50/s` are 500 real requests a second.",
            "arrivals": "`constant` or `poisson`.",
        },
    ),
    (
        "timeline[].traffic",
        model.TrafficChange,
        {"rate": "As `traffic.rate`; arrivals keep their kind."},
    ),
    (
        "baseline, canary",
        model.Behaviour,
        {
            "errors": "Share of the votes that fail with HTTP 500 (or `status`): `5.2%`. Health"
            " probes are spared.",
            "status": "Every request gets this status, 400 to 599, probes included; with `errors`"
            " only that share.",
            "latency": "Added latency.",
            "hang": "Every request is held so long (real time, Go duration), then answered.",
            "p50": "For simulated traffic; a live version is as fast as it is.",
            "p99": "As `p50`.",
        },
    ),
    (
        "latency",
        model.AddedLatency,
        {
            "add": "Added to every request. Real time, Go duration.",
            "jitter": "Plus or minus up to this, uniformly.",
        },
    ),
    (
        "timeline[]",
        model.TimelineEntry,
        {
            "at": "When: virtual time since the new version was applied. Either this or `on`.",
            "on": "When: as soon as a step becomes current, or the Rollout comes to a phase.",
            "canary": "The canary behaves so from now on. Replaces its whole behaviour.",
            "baseline": "The same for stable.",
            "traffic": "The rate changes.",
            "inject": "The APM answers wrongly: the body of `POST /control/injections`"
            " ([injections](mock-newrelic.md#injections)). `role: canary` or `stable` stands for"
            " the version's hash, which is what telemetry carries.",
            "clear": "`all`: every injection ends.",
            "do": "What an operator does: `promote` (go to the next step), `promote-full` (skip all"
            " steps), `abort`, `retry`, `undo` (make the version before the wanted one again).",
            "stop": "A program is lost: `mock-newrelic`, `canary-analyzer`, `votegen`, `stable` or"
            " `canary`. Such a run is never promoted"
            " ([ADR 10](../adr/0010-a-broken-bench-promotes-nothing.md)).",
        },
    ),
    (
        "timeline[].on",
        model.Trigger,
        {
            "step": "Index of the step, counted from 0.",
            "phase": "`Paused`, `Degraded` or `Healthy`. In live runs.",
        },
    ),
    (
        "expect",
        model.Expectation,
        {
            "outcome": "`promoted`, `aborted`, `paused` or `degraded`.",
            "aborted_at_step": "Index of the step at which it is aborted.",
            "within": "Longest virtual duration, Go syntax.",
            "decided_by": "Metric that ended the analysis which stopped the rollout.",
            "message": "Text that the rollout's message must contain.",
            "share": "With `runs`: how many of them must end so, at least: `99%`.",
        },
    ),
)


def render() -> str:
    """Return the page.

    Raises:
        SystemExit: the model and the meanings do not agree.
    """
    parts = []
    for place, block, meanings in BLOCKS:
        if unlike := set(meanings) ^ set(block.model_fields):
            raise SystemExit(f"scenarios.py and {block.__name__} disagree about: {sorted(unlike)}")
        parts += [f"### {place or 'The file'}", flowed(block.__doc__), _fields(block, meanings)]
    return page(
        "Scenarios",
        "A scenario says what the versions really do, what the APM says, and how the run must end."
        " It is a YAML file, or the name of one that ships:"
        " `gatelab run PATH --scenario FILE`.",
        "An unknown field, a wrong value and a missing file are refused before anything starts."
        " Percentages are `0%` to `100%`; a bare number is percent too. Durations are Go durations"
        " (`30s`, `5m`, `1h30m`).",
        "## Fields",
        *parts,
        "A timeline entry has exactly one time (`at` or `on`) and exactly one action"
        f" ({', '.join(map(code, model.ACTIONS))}). An entry whose step is never reached never"
        " happens.",
        "## Scenarios that ship",
        shipped(),
        "## Example",
        f"```yaml\n{(FOLDER / 'injected-errors.yaml').read_text(encoding='utf-8')}```",
    )


def shipped() -> str:
    """Return the table of the scenarios in the folder and below."""
    rows = []
    for path in sorted(FOLDER.rglob("*.yaml"), key=lambda path: (path.parent, path.name)):
        scenario = load_scenario(path)
        place = path.relative_to(FOLDER).as_posix()
        rows.append(
            (f"[{path.stem}](../../scenarios/{place})", scenario.description, ends(scenario))
        )
    return table(("Scenario", "What happens", "Expected"), rows)


def ends(scenario: model.Scenario) -> str:
    """Say how a scenario must end: `aborted at step 5`."""
    if scenario.expect is None:
        return ""
    step = scenario.expect.aborted_at_step
    return scenario.expect.outcome + ("" if step is None else f" at step {step}")


def fields() -> Iterator[tuple[type[BaseModel], str]]:
    """Yield every field, as it is written in a file."""
    for _, block, _ in BLOCKS:
        for name, field in block.model_fields.items():
            yield block, _written(name, field)


def _fields(block: type[BaseModel], meanings: dict[str, str]) -> str:
    return table(
        ("Field", "Default", "Meaning"),
        [
            (code(_written(name, field)), _default(name, field), meanings[name])
            for name, field in block.model_fields.items()
        ],
    )


def _written(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _default(name: str, field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=False)
    if field.is_required() or value in (None, "", ()) or isinstance(value, BaseModel):
        return ""
    if name == "rate":
        return code(f"{value:g}/s")
    return code(yaml.safe_dump(value).split("\n")[0])
