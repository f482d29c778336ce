"""Command line of gatelab."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rollout_runner.argo.types import ArgoVersion
from svckit.cli import append_output, create_cli, run_cli, write_output
from svckit.errors import ExitCode, InvalidInput

DEFAULT_SPEED = 10.0
RUNS_FOLDER = Path(".gatelab")

cli = create_cli(
    name="gatelab",
    help="Run canary gates without a cluster: real manifests, Argo's verdicts, a lying APM.",
    epilog=(
        "gatelab demo\n"
        "gatelab run deploy/overlays/qa --scenario scenarios/apm-outage.yaml --speed 20\n"
        "gatelab promote  # in another terminal, while a run is paused\n"
        "gatelab report .gatelab/run/events.jsonl --format markdown\n"
        "gatelab lint deploy/overlays/qa"
    ),
)


class OutputFormat(StrEnum):
    """Forms of --output and --format."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    HTML = "html"


class LintOutput(StrEnum):
    """Forms of findings."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    MARKDOWN = "markdown"


class Threshold(StrEnum):
    """Severities of findings."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Mode(StrEnum):
    """How scenario files are run."""

    SIMULATE = "simulate"
    LIVE = "live"


class PauseOn(StrEnum):
    """Pauses at which a run waits for a person."""

    INCONCLUSIVE = "inconclusive"


Speed = Annotated[
    float, typer.Option(help="Virtual seconds per real second; 1 is real time, at most 100.")
]
Version = Annotated[
    ArgoVersion, typer.Option(help="Release line of Argo Rollouts whose behaviour is taken.")
]
Output = Annotated[OutputFormat, typer.Option(help="What is written to stdout (or --out).")]
Out = Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Folder = Annotated[
    Path | None, typer.Option("--dir", help="Where event log, reports and logs are written.")
]


@cli.command()
def demo(  # noqa: PLR0917 - one parameter per flag
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Scenario by name or file; may be repeated [healthy, bad-canary]."),
    ] = None,
    full: Annotated[  # noqa: FBT002 - a flag
        bool,
        typer.Option(
            "--full", help="Take one version through dev, QA and staging instead, as it is shipped."
        ),
    ] = False,
    speed: Speed = DEFAULT_SPEED,
    argo_version: Version = ArgoVersion.V1_9,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    folder: Folder = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Promote a good canary, roll back a bad one, and write the report of both.

    With --full: a rolling update in dev, the canary in QA, blue-green in staging, where the demo
    plays the person who promotes. A stage that does not end well is the last one.

    Exit code 0 when every scenario ended as it expects, 3 when one did not.

    gatelab demo --scenario bad-canary --speed 4
    """
    from rollout_runner.commands.demo import (  # noqa: PLC0415 - keeps --help fast
        DEFAULT_SCENARIOS,
        all_stages,
        chosen_stages,
        demo_document,
        run_demo,
    )

    if output not in {OutputFormat.TEXT, OutputFormat.JSON}:
        raise InvalidInput(
            f"--output {output}: a demo gives text or json",
            hint="its folder has report.html and report.md of every run",
        )
    if full and scenario:
        raise InvalidInput(
            "--full and --scenario: expected one of them",
            hint="--full has a scenario for each environment",
        )
    stages = all_stages() if full else chosen_stages(scenario or DEFAULT_SCENARIOS)
    target = folder or RUNS_FOLDER / "demo"
    reports, unmet = run_demo(
        stages,
        folder=target,
        speed=speed,
        argo_version=argo_version,
        quiet=quiet,
        in_sequence=full,
    )
    if output is OutputFormat.JSON:
        write_output(json.dumps(demo_document(stages, reports), indent=2), out=out)
    typer.echo(f"\nreport: {(target / 'index.html').resolve()}", err=True)
    for problem in unmet:
        typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(ExitCode.GATE_FAILED if unmet else ExitCode.OK)


@cli.command()
def run(  # noqa: PLR0917 - one parameter per flag
    path: Annotated[Path, typer.Argument(help="Kustomize overlay, folder or file of manifests.")],
    rollout: Annotated[
        str | None, typer.Option(help="Which Rollout, when PATH has several.")
    ] = None,
    to_version: Annotated[
        str | None, typer.Option(help="What the new version is called [v17].")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario file, or the name of one that ships.")
    ] = None,
    pause_on: Annotated[
        PauseOn | None,
        typer.Option(help="Stay at such a pause until somebody acts, instead of ending the run."),
    ] = None,
    speed: Speed = DEFAULT_SPEED,
    seed: Annotated[int | None, typer.Option(help="Seed of arrivals and faults.")] = None,
    argo_version: Version = ArgoVersion.V1_9,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    folder: Folder = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Run one rollout against real processes on this machine.

    Exit code: 0 promoted, 3 aborted, 4 paused, 5 when a program was lost, 2 for invalid input; 3
    also when the run was promoted although the scenario expects something else.

    gatelab run deploy/overlays/qa --scenario scenarios/unhealthy-canary.yaml
    """
    from rollout_runner.adapters.event_log import read_events  # noqa: PLC0415 - keeps --help fast
    from rollout_runner.adapters.project_files import shipped  # noqa: PLC0415
    from rollout_runner.commands.reports import (  # noqa: PLC0415
        EVENTS_FILE,
        RENDERERS,
        ReportFormat,
    )
    from rollout_runner.commands.run import (  # noqa: PLC0415
        RunRequest,
        exit_code,
        perform,
        unmet_expectation,
    )
    from rollout_runner.scenarios.load import find_scenario, load_scenario  # noqa: PLC0415
    from rollout_runner.scenarios.model import Scenario  # noqa: PLC0415

    chosen = (
        load_scenario(find_scenario(scenario, shipped("scenarios")))
        if scenario
        else Scenario(name="run")
    )
    if to_version is not None:
        versions = chosen.versions.model_copy(update={"canary": to_version})
        chosen = chosen.model_copy(update={"versions": versions})
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    target = folder or RUNS_FOLDER / chosen.name
    report = perform(
        RunRequest(
            manifests=path,
            scenario=chosen,
            folder=target,
            speed=speed,
            argo_version=argo_version,
            rollout=rollout or chosen.rollout,
            stay_paused=pause_on is PauseOn.INCONCLUSIVE,
            quiet=quiet,
        )
    )
    write_output(RENDERERS[ReportFormat(output)](report), out=out)
    code = exit_code(report, read_events(target / EVENTS_FILE))
    typer.echo(f"report: {(target / 'report.html').resolve()}", err=True)
    problem = unmet_expectation(report, chosen)
    if problem:
        typer.echo(f"error: {chosen.name}: {problem}", err=True)
        code = code or ExitCode.GATE_FAILED
    raise typer.Exit(code)


@cli.command()
def simulate(  # noqa: PLR0917 - one parameter per flag
    path: Annotated[Path, typer.Argument(help="Kustomize overlay, folder or file of manifests.")],
    rollout: Annotated[
        str | None, typer.Option(help="Which Rollout, when PATH has several.")
    ] = None,
    runs: Annotated[int, typer.Option(help="How many rollouts (of every case).")] = 1000,
    seed: Annotated[int | None, typer.Option(help="Seed of all chance [1].")] = None,
    traffic: Annotated[str | None, typer.Option(help="Votes: 50/s, 3000/m [50/s].")] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="How stable behaves [errors=0.5%,p50=20ms,p99=120ms]."),
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option(help="How the canary behaves: errors=5.2%,latency=x1.3 [like the baseline]."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(help="One field of the canary at many values: errors=0.5%..10%/20."),
    ] = None,
    at: Annotated[
        int | None, typer.Option(help="Until this step begins the canary is like the baseline.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Other manifests to compare with, on the same requests.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Scenario file, or the name of one that ships.")
    ] = None,
    argo_version: Version = ArgoVersion.V1_9,
    jobs: Annotated[int | None, typer.Option(help="Processes [one per core].")] = None,
    executor: Annotated[str, typer.Option(help="local, or dask=ADDRESS.")] = "local",
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Run the same manifests in virtual time, many times: how often is the gate wrong?

    The same seed gives the same bytes, on one core or many.

    gatelab simulate deploy/overlays/qa --canary errors=5.2%

    gatelab simulate deploy/overlays/qa --sweep errors=0.5%..10%/20 --output html --out curve.html
    """
    from rollout_runner.commands.simulate import (  # noqa: PLC0415 - keeps --help fast
        RENDERERS,
        SimulateRequest,
    )
    from rollout_runner.commands.simulate import simulate as perform_study  # noqa: PLC0415

    if output.value not in RENDERERS:
        raise InvalidInput(
            f"--output {output}: a study gives text, json, markdown or html",
            hint="`gatelab test --output junit` is for CI",
        )
    document = perform_study(
        SimulateRequest(
            path=path,
            rollout=rollout,
            runs=runs,
            seed=seed,
            traffic=traffic,
            baseline=baseline,
            canary=canary,
            sweep=sweep,
            at=at,
            against=against,
            scenario=scenario,
            argo_version=argo_version,
            jobs=jobs,
            executor=executor,
            quiet=quiet,
        )
    )
    write_output(RENDERERS[output.value](document), out=out)


@cli.command("test")
def run_tests(  # noqa: PLR0917 - one parameter per flag
    scenarios: Annotated[
        list[str], typer.Argument(help="Scenario files, folders of them, quoted globs.")
    ],
    manifests: Annotated[
        Path | None, typer.Option(help="Manifests for all, in place of those that files name.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="For all, in place of what files say.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed for all [each file's].")] = None,
    speed: Speed = DEFAULT_SPEED,
    argo_version: Annotated[
        ArgoVersion | None, typer.Option(help="Release line for all [each file's, else 1.9].")
    ] = None,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    summary: Annotated[
        Path | None, typer.Option(help="Append a Markdown summary to this file, too.")
    ] = None,
    folder: Folder = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Run scenario files and check that every rollout ends as its file expects.

    Exit code 0 when all do, 3 when one does not, 5 when one could not be run.

    gatelab test scenarios/gate-tests --output junit --out gate-tests.xml
    """
    from rollout_runner.commands.display import wants_color  # noqa: PLC0415 - keeps --help fast
    from rollout_runner.commands.test import (  # noqa: PLC0415
        TestRequest,
        exit_code,
    )
    from rollout_runner.commands.test import run_tests as perform_tests  # noqa: PLC0415
    from rollout_runner.simulation import gate_test_report as written  # noqa: PLC0415

    renderers = {
        OutputFormat.TEXT: written.as_text,
        OutputFormat.JSON: written.as_json,
        OutputFormat.JUNIT: written.as_junit,
        OutputFormat.MARKDOWN: written.as_markdown,
    }
    if output not in renderers:
        raise InvalidInput(
            f"--output {output}: tests give text, json, junit or markdown",
            hint="`gatelab simulate` writes pages",
        )
    tests = perform_tests(
        TestRequest(
            places=tuple(scenarios),
            mode=None if mode is None else mode.value,
            manifests=manifests,
            argo_version=argo_version,
            seed=seed,
            speed=speed,
            folder=folder or RUNS_FOLDER / "test",
            quiet=quiet or output is OutputFormat.TEXT,
        )
    )
    if output is OutputFormat.TEXT:
        color = out is None and wants_color(sys.stdout)
        write_output(written.as_text(tests, color=color), out=out)
    else:
        write_output(renderers[output](tests), out=out)
    if summary is not None:
        append_output(written.as_markdown(tests), to=summary)
    raise typer.Exit(exit_code(tests))


@cli.command()
def audit(  # noqa: PLR0917 - one parameter per flag
    path: Annotated[Path, typer.Argument(help="Kustomize overlay, folder or file of manifests.")],
    rollout: Annotated[
        str | None, typer.Option(help="Which Rollout, when PATH has several.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Only this fault, or these (apm-*); may be repeated [all]."),
    ] = None,
    step: Annotated[
        list[int] | None, typer.Option(help="Only this analysis step; may be repeated [all].")
    ] = None,
    argo_version: Version = ArgoVersion.V1_9,
    seed: Annotated[int, typer.Option(help="Seed of the traffic.")] = 1,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Does any fault of the APM, the analyzer or the set-up make a gate pass a bad canary?

    Jobs run their scripts on this machine, so read them first. Exit code 0 when no fault does, 3
    when one does, 2 when the gates cannot be tried.

    gatelab audit deploy/overlays/qa --argo-version 1.8

    gatelab audit deploy/overlays/qa --fault 'apm-*' --step 5 --output html --out audit.html
    """
    from rollout_runner.audit.wording import summary  # noqa: PLC0415
    from rollout_runner.commands.audit import (  # noqa: PLC0415 - keeps --help fast
        RENDERERS,
        AuditRequest,
    )
    from rollout_runner.commands.audit import audit as perform_audit  # noqa: PLC0415

    matrix = perform_audit(
        AuditRequest(
            path=path,
            rollout=rollout,
            faults=tuple(fault or ()),
            steps=tuple(step or ()),
            argo_version=argo_version,
            seed=seed,
            quiet=quiet,
        )
    )
    write_output(RENDERERS[output.value](matrix), out=out)
    if out is not None or output is not OutputFormat.TEXT:
        typer.echo(summary(matrix), err=True)
    raise typer.Exit(ExitCode.OK if matrix.clean else ExitCode.GATE_FAILED)


@cli.command()
def report(
    events: Annotated[Path, typer.Argument(help="Event log of a run (events.jsonl).")],
    form: Annotated[
        OutputFormat, typer.Option("--format", help="Form of the report.")
    ] = OutputFormat.MARKDOWN,
    out: Out = None,
) -> None:
    """Write the deployment report of a recorded run.

    gatelab report .gatelab/demo/bad-canary/events.jsonl --format html --out report.html
    """
    from rollout_runner.adapters.event_log import read_events  # noqa: PLC0415 - keeps --help fast
    from rollout_runner.commands.reports import RENDERERS, ReportFormat  # noqa: PLC0415
    from rollout_runner.report import build_report  # noqa: PLC0415

    write_output(RENDERERS[ReportFormat(form)](build_report(read_events(events))), out=out)


@cli.command()
def analyze(  # noqa: PLR0917 - one parameter per flag
    path: Annotated[
        Path,
        typer.Argument(
            metavar="TEMPLATE",
            help="File, folder or overlay with AnalysisTemplates and the Secrets they need.",
        ),
    ],
    arg: Annotated[
        list[str] | None, typer.Option(help="Argument as NAME=VALUE; may be repeated.")
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(help="Which template, when there are several; may be repeated [all]."),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(help="Where a cluster name answers: SERVICE.NAMESPACE=HOST:PORT."),
    ] = None,
    terminate_after: Annotated[
        str | None,
        typer.Option(help="End the run after this time, as Argo does at full promotion."),
    ] = None,
    argo_version: Version = ArgoVersion.V1_9,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
    quiet: Quiet = False,  # noqa: FBT002 - a flag
) -> None:
    """Run one analysis against live endpoints, in real time, and print its status as Argo's.

    Exit code: 0 Successful, 3 Failed, 4 Inconclusive, 5 Error.

    gatelab analyze gate.yaml --arg app-name=vote --resolve apm.monitoring=127.0.0.1:8080
    """
    from rollout_runner.commands.analyze import (  # noqa: PLC0415 - keeps --help fast
        AnalyzeRequest,
        parse_addresses,
        parse_pairs,
        render_status,
    )
    from rollout_runner.commands.analyze import analyze as run_analysis  # noqa: PLC0415
    from svckit.durations import DurationError, parse_duration  # noqa: PLC0415

    if output not in {OutputFormat.TEXT, OutputFormat.JSON}:
        raise InvalidInput(f"--output {output}: an analysis gives text or json")
    try:
        seconds = None if terminate_after is None else parse_duration(terminate_after)
    except DurationError as error:
        raise InvalidInput(f"--terminate-after: {error}", hint="for example 30s or 5m") from None
    document, code = run_analysis(
        AnalyzeRequest(
            path=path,
            templates=tuple(template or ()),
            args=parse_pairs("--arg", arg or ()),
            addresses=parse_addresses(resolve or ()),
            argo_version=argo_version,
            terminate_after=seconds,
            quiet=quiet,
        )
    )
    write_output(render_status(document, as_json=output is OutputFormat.JSON), out=out)
    raise typer.Exit(code)


@cli.command()
def conformance(
    files: Annotated[
        list[Path],
        typer.Argument(help="Vector files, or folders of them; a file's name tells its kind."),
    ],
    argo_version: Version = ArgoVersion.V1_10,
    output: Output = OutputFormat.TEXT,
    out: Out = None,
) -> None:
    """Replay what Argo Rollouts was recorded doing against this engine.

    Exit code 3 when any record comes to something else. The recordings are of 1.10; with
    --argo-version 1.9 the values recorded of 1.9 are expected where there are any.

    gatelab conformance tests/vectors/argo --output json
    """
    from rollout_runner.commands.conformance import (  # noqa: PLC0415 - keeps --help fast
        replay_files,
    )

    if output not in {OutputFormat.TEXT, OutputFormat.JSON}:
        raise InvalidInput(f"--output {output}: conformance gives text or json")
    text, passed = replay_files(files, version=argo_version, as_json=output is OutputFormat.JSON)
    write_output(text, out=out)
    raise typer.Exit(ExitCode.OK if passed else ExitCode.GATE_FAILED)


@cli.command()
def lint(  # noqa: PLR0917 - one parameter per flag
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Kustomize overlays, folders or files of manifests."),
    ] = None,
    argo_version: Version = ArgoVersion.V1_9,
    output: Annotated[LintOutput, typer.Option(help="Form of the findings.")] = LintOutput.TEXT,
    out: Out = None,
    select: Annotated[
        list[str] | None,
        typer.Option(help="Only these rules: GL308, or GL4 for all that begin so; repeatable."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Not these rules, written likewise.")
    ] = None,
    fail_on: Annotated[
        Threshold, typer.Option(help="Least severity that makes the exit code 3.")
    ] = Threshold.WARNING,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules.")] = False,  # noqa: FBT002
    explain: Annotated[
        str | None, typer.Option(metavar="CODE", help="Say all about one rule.")
    ] = None,
) -> None:
    """Find invalid and dangerous gates, without running anything.

    Exit code: 0 clean, 3 findings at or above --fail-on, 2 when PATH cannot be read. A comment
    `# gatelab: ignore CODE reason` in a manifest accepts a finding.

    gatelab lint deploy/overlays/qa --output sarif --out lint.sarif

    gatelab lint rollout.yaml gate.yaml --argo-version 1.8 --fail-on error
    """
    from rollout_runner.commands.lint import (  # noqa: PLC0415 - keeps --help fast
        LintFormat,
        LintRequest,
        chosen_codes,
        explain_code,
        perform_lint,
        render_findings,
    )
    from rollout_runner.lint import RULES, Severity  # noqa: PLC0415
    from rollout_runner.lint.render import render_rules, summary  # noqa: PLC0415

    if rules or explain:
        write_output(explain_code(explain) if explain else render_rules(RULES), out=out)
        return
    if not paths:
        raise InvalidInput(
            "give at least one PATH to look at",
            hint="gatelab lint deploy/overlays/qa, or gatelab lint --rules",
        )
    request = LintRequest(
        paths=tuple(paths),
        version=argo_version,
        codes=chosen_codes(select or (), ignore or ()),
    )
    findings = perform_lint(request)
    threshold = Severity(fail_on)
    text = render_findings(findings, LintFormat(output), request, threshold)
    if text:
        write_output(text, out=out)
    typer.echo(summary(findings), err=True)
    failed = any(each.severity.reaches(threshold) for each in findings)
    raise typer.Exit(ExitCode.GATE_FAILED if failed else ExitCode.OK)


RunFolder = Annotated[
    Path | None, typer.Option("--dir", help="Folder of the run [the only one in progress].")
]


@cli.command()
def promote(
    full: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--full", help="Skip all remaining steps, pauses and analyses.")
    ] = False,
    folder: RunFolder = None,
) -> None:
    """End the pause of the run in progress, or skip its current step.

    gatelab promote --full
    """
    _act("promote-full" if full else "promote", folder)


@cli.command()
def abort(folder: RunFolder = None) -> None:
    """Abort the run in progress: all traffic back to stable.

    gatelab abort --dir .gatelab/run
    """
    _act("abort", folder)


@cli.command()
def retry(folder: RunFolder = None) -> None:
    """Take the aborted rollout of the run in progress up again, from its first step.

    gatelab retry
    """
    _act("retry", folder)


@cli.command()
def undo(folder: RunFolder = None) -> None:
    """Make the version before the wanted one again in the run in progress.

    The run ends when it is: as aborted, since the new version did not stay.

    gatelab undo
    """
    _act("undo", folder)


def _act(command: str, folder: Path | None) -> None:
    from rollout_runner.commands.operate import send_command  # noqa: PLC0415 - keeps --help fast

    where = send_command(command, folder=folder, runs=RUNS_FOLDER)
    typer.echo(f"{command}: accepted by the run in {where}", err=True)


def main() -> NoReturn:
    """Run the command line."""
    run_cli(cli)
