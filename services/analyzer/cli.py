"""`canary-analyzer`: serve the analyzer, or judge one file of windows."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svckit.cli import create_cli, run_cli, write_output
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from analyzer.service.analysis import Analysis

cli = create_cli(
    name="canary-analyzer",
    help="Compare a canary with stable and answer pass, fail or inconclusive.",
    epilog="canary-analyzer serve --source newrelic=http://127.0.0.1:8080\n"
    "canary-analyzer judge windows.json --output json",
)


class OutputFormat(StrEnum):
    """How `judge` tells its verdict."""

    TEXT = "text"
    JSON = "json"


@cli.command()
def serve(  # noqa: PLR0917 - Typer names options by parameters
    source: Annotated[
        list[str] | None,
        typer.Option(help="newrelic=URL, nerdgraph=URL or prometheus=URL; repeat for more."),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Reserved: this version keeps no state and refuses it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0 for a free one [8081].")] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error [info].")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console [auto].")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
) -> None:
    """Serve the HTTP interface until SIGTERM or SIGINT."""
    if state_dir is not None:
        raise InvalidInput(
            "--state-dir: this version keeps no state", hint="leave it out: every look is its own"
        )
    from analyzer.app import create_app  # noqa: PLC0415 - keeps --help fast
    from analyzer.settings import Settings  # noqa: PLC0415 - as above
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - as above
    from svckit.logging import configure_logging  # noqa: PLC0415 - as above
    from svckit.server import serve as serve_app  # noqa: PLC0415 - as above

    settings = Settings.load(
        config=config,
        source=tuple(source) if source else None,
        host=host,
        port=port,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(
        level=settings.log_level, log_format=settings.log_format, service="canary-analyzer"
    )
    app = create_app(settings, clock=clock_from_environment())
    serve_app(app, service="canary-analyzer", host=settings.host, port=settings.port)


@cli.command()
def judge(
    file: Annotated[str, typer.Argument(help="JSON with windows, as POST /v1/judge; - is stdin.")],
    output: Annotated[
        OutputFormat, typer.Option(help="How to tell the verdict.")
    ] = OutputFormat.TEXT,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
) -> None:
    """Judge one file. Exit code 0 is pass, 3 fail, 4 inconclusive, 2 unusable input."""
    from analyzer.domain.policy import Policy  # noqa: PLC0415 - keeps --help fast
    from analyzer.domain.verdict import Verdict  # noqa: PLC0415 - as above
    from analyzer.schemas.judge_body import read_judge_body  # noqa: PLC0415 - as above
    from analyzer.service.analysis import judge_pair  # noqa: PLC0415 - as above

    identity, pair = read_judge_body(_read_file(file))
    analysis = judge_pair(identity, pair, Policy())
    write_output(_render(analysis, output), out=out)
    codes = {
        Verdict.PASS: ExitCode.OK,
        Verdict.FAIL: ExitCode.GATE_FAILED,
        Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    }
    raise typer.Exit(codes[analysis.verdict.verdict])


@cli.command()
def conformance(
    files: Annotated[
        list[Path], typer.Argument(help="Vector files; the stem of a name tells the kind.")
    ],
    output: Annotated[
        OutputFormat, typer.Option(help="How to tell the outcome.")
    ] = OutputFormat.TEXT,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
) -> None:
    """Replay reference values against the judge's own functions. Exit code 3 when any fails."""
    import json  # noqa: PLC0415 - keeps --help fast

    from analyzer.conformance.runner import replay_file  # noqa: PLC0415 - as above

    reports = {str(file): replay_file(file) for file in files}
    if output is OutputFormat.JSON:
        text = json.dumps({name: one.document() for name, one in reports.items()}, indent=2)
    else:
        text = "\n".join(report.text(name) for name, report in reports.items())
    write_output(text, out=out)
    if any(report.failed for report in reports.values()):
        raise typer.Exit(ExitCode.GATE_FAILED)


def _read_file(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror or error}") from None


def _render(analysis: Analysis, output: OutputFormat) -> str:
    import json  # noqa: PLC0415 - keeps --help fast

    from analyzer.schemas.documents import analysis_document  # noqa: PLC0415 - as above

    document = analysis_document(analysis.verdict, run=analysis.run, window=analysis.window)
    if output is OutputFormat.JSON:
        return json.dumps(document, indent=2)
    return "\n".join([f"verdict: {document['verdict']}", *map(_line, document["metrics"])])


def _line(metric: dict[str, Any]) -> str:
    return f"{metric['name']}: {metric['verdict']} [{metric['reasonCode']}] {metric['reason']}"


def main() -> None:
    """Run the command line."""
    run_cli(cli)
