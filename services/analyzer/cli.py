"""`canary-analyzer`: serve the analyzer, judge files of windows, follow a run."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from svckit.cli import create_cli, run_cli, write_output
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

cli = create_cli(
    name="canary-analyzer",
    help="Compare a canary with stable and answer pass, fail or inconclusive.",
    epilog="canary-analyzer serve --source newrelic=http://127.0.0.1:8080\n"
    "canary-analyzer judge windows.json --output json\n"
    "canary-analyzer replay runs.jsonl --config strict\n"
    "canary-analyzer watch vote-7cd75c6d7c --url http://127.0.0.1:8081",
)


_EXIT_CODES = {
    "pass": ExitCode.OK,
    "fail": ExitCode.GATE_FAILED,
    "inconclusive": ExitCode.INCONCLUSIVE,
}


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
        Path | None, typer.Option(help="Directory in which runs are kept [.gatelab/analyzer].")
    ] = None,
    ephemeral: Annotated[
        bool | None, typer.Option("--ephemeral", help="Keep runs in memory only.")
    ] = None,
    config_dir: Annotated[
        Path | None, typer.Option(help="Directory of YAML configurations of the judge.")
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
    from analyzer.app import create_app  # noqa: PLC0415 - keeps --help fast
    from analyzer.settings import Settings  # noqa: PLC0415 - as above
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - as above
    from svckit.logging import configure_logging  # noqa: PLC0415 - as above
    from svckit.server import serve as serve_app  # noqa: PLC0415 - as above

    settings = Settings.load(
        config=config,
        source=tuple(source) if source else None,
        state_dir=state_dir,
        ephemeral=ephemeral,
        config_dir=config_dir,
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
    config: Annotated[
        str | None, typer.Option(help="Configuration in place of the file's own.")
    ] = None,
    config_dir: Annotated[
        Path | None, typer.Option(help="Directory of YAML configurations of the judge.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option(help="How to tell the verdict.")
    ] = OutputFormat.TEXT,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
) -> None:
    """Judge one file. Exit code 0 is pass, 3 fail, 4 inconclusive, 2 unusable input."""
    from analyzer.adapters.config_files import ConfigFiles  # noqa: PLC0415 - keeps --help fast
    from analyzer.service.recorded import judge_content  # noqa: PLC0415 - as above

    document = judge_content(_read_file(file), ConfigFiles(config_dir), config=config)
    write_output(_render(document, output), out=out)
    raise typer.Exit(_EXIT_CODES[document["verdict"]])


@cli.command()
def replay(
    file: Annotated[str, typer.Argument(help="JSON lines, each as for judge; - is stdin.")],
    config: Annotated[
        str | None, typer.Option(help="Configuration in place of the lines' own.")
    ] = None,
    config_dir: Annotated[
        Path | None, typer.Option(help="Directory of YAML configurations of the judge.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file, not to stdout.")] = None,
) -> None:
    """Judge recorded runs, one a line, window after window as they closed; one JSON line each."""
    from analyzer.adapters.config_files import ConfigFiles  # noqa: PLC0415 - keeps --help fast
    from analyzer.service.recorded import replay_lines  # noqa: PLC0415 - as above

    with _lines(file) as lines, _writer(out) as write:
        for line in replay_lines(lines, configs=ConfigFiles(config_dir), config=config):
            write(line + "\n")


@cli.command()
def watch(  # noqa: PLR0917 - Typer names options by parameters
    run: Annotated[str, typer.Argument(help="Name of the run.")],
    url: Annotated[str, typer.Option(help="Address of the analyzer.")] = "http://127.0.0.1:8081",
    app: Annotated[
        str | None, typer.Option(help="Make the run go on: its application; else only look on.")
    ] = None,
    canary: Annotated[str | None, typer.Option(help="With --app: the canary's hash.")] = None,
    stable: Annotated[str | None, typer.Option(help="With --app: stable's hash.")] = None,
    config: Annotated[str | None, typer.Option(help="With --app: a configuration.")] = None,
    weight: Annotated[str | None, typer.Option(help="With --app: the canary's percent.")] = None,
    every: Annotated[str, typer.Option(help="Time between two looks.")] = "30s",
    for_: Annotated[str, typer.Option("--for", help="Time until giving up.")] = "11m",
    past_pass: Annotated[
        bool | None, typer.Option("--past-pass", help="Go on after a pass: only a fail ends it.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="ANALYZER_API_KEY", help="Key, where it asks for one.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option(help="A line of text or of JSON a look.")
    ] = OutputFormat.TEXT,
) -> None:
    """Follow a run until its verdict: code 0 pass, 3 fail, 4 inconclusive, 5 could not judge."""
    import anyio  # noqa: PLC0415 - keeps --help fast

    from analyzer.adapters.watching import Watch, follow  # noqa: PLC0415 - as above
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - as above
    from svckit.httpclient import create_http_client  # noqa: PLC0415 - as above

    asked = {"app": app, "canary": canary, "stable": stable, "config": config, "weight": weight}
    question = {name: value for name, value in asked.items() if value is not None}
    if question and not {"app", "canary", "stable"} <= question.keys():
        raise InvalidInput("watch: --app, --canary and --stable belong together")
    plan = Watch(
        run=run,
        question=question,
        every_s=_seconds("--every", every),
        for_s=_seconds("--for", for_),
        until=("fail",) if past_pass else ("pass", "fail"),
    )

    async def follow_to_the_end() -> str:
        headers = {"Api-Key": api_key} if api_key else {}
        async with create_http_client(base_url=url, timeout_seconds=30, headers=headers) as client:
            return await follow(
                client, plan, clock=clock_from_environment(), tell=lambda look: _tell(look, output)
            )

    raise typer.Exit(_EXIT_CODES[anyio.run(follow_to_the_end)])


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


def _seconds(option: str, text: str) -> float:
    from svckit.durations import DurationError, parse_duration  # noqa: PLC0415 - keeps --help fast

    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = 0.0
    if seconds < 1:
        raise InvalidInput(f"{option}: expected a Go duration of at least 1s, such as 30s")
    return seconds


def _tell(look: dict[str, Any], output: OutputFormat) -> None:
    import json  # noqa: PLC0415 - keeps --help fast

    if output is OutputFormat.JSON:
        typer.echo(json.dumps(look))
    else:
        typer.echo(f"{look['timestamp']} {look['verdict']} [{look['reasonCode']}] {look['reason']}")


@contextmanager
def _lines(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = Path(name).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror or error}") from None
    with opened:
        yield opened


@contextmanager
def _writer(out: Path | None) -> Iterator[Callable[[str], object]]:
    if out is None:
        yield sys.stdout.write
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        opened = out.open("w", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--out {out}: {error.strerror or error}") from None
    with opened:
        yield opened.write


def _render(document: dict[str, Any], output: OutputFormat) -> str:
    import json  # noqa: PLC0415 - keeps --help fast

    if output is OutputFormat.JSON:
        return json.dumps(document, indent=2)
    return "\n".join([f"verdict: {document['verdict']}", *map(_line, document["metrics"])])


def _line(metric: dict[str, Any]) -> str:
    return f"{metric['name']}: {metric['verdict']} [{metric['reasonCode']}] {metric['reason']}"


def main() -> None:
    """Run the command line."""
    run_cli(cli)
