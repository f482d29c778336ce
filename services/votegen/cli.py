"""Command line of votegen."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from svckit.cli import create_cli, run_cli, write_output
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from votegen.domain.plan import Plan

cli = create_cli(
    name="votegen",
    help="Vote traffic on a schedule: an open-loop generator over weighted targets.",
    epilog=(
        "votegen run --target http://127.0.0.1:8083 --rate 50 --duration 60s\n"
        "votegen run --target stable=http://127.0.0.1:8083@80 "
        "--target canary=http://127.0.0.1:8084@20 --arrivals poisson --output json\n"
        "votegen serve --port 8082"
    ),
)


@cli.command()
def run(  # noqa: PLR0917 - one parameter per flag
    target: Annotated[
        list[str], typer.Option(help="[NAME=]URL[@WEIGHT]; may be given several times.")
    ],
    rate: Annotated[
        str,
        typer.Option(
            help="Requests per virtual second over all targets (with SUITE_CLOCK_RATE=10, 50 are "
            "500 a real second), or max: as fast as answers come."
        ),
    ] = "50",
    duration: Annotated[str, typer.Option(help="How long, in virtual time.")] = "60s",
    arrivals: Annotated[str, typer.Option(help="constant or poisson.")] = "constant",
    connections: Annotated[
        int | None, typer.Option(help="Most connections to a target [chosen by the rate].")
    ] = None,
    voters: Annotated[str, typer.Option(help="new, returning or returning:N.")] = "new",
    split_a: Annotated[float, typer.Option(help="Share of votes for a.")] = 0.66,
    timeout: Annotated[
        str, typer.Option(help="Real time from a request's intended time to giving up.")
    ] = "10s",
    host_header: Annotated[
        str, typer.Option(help="Host header, for targets behind an ingress.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same schedule, same votes.")] = 1,
    output: Annotated[str, typer.Option(help="text or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Write the result to this file.")] = None,
) -> None:
    """Send one plan and print its result.

    Exit code 0 when at least one request was answered with 2xx, 5 when none was, 130 when a
    signal ended the run early (the result so far is printed).
    """
    import json  # noqa: PLC0415 - keeps --help fast

    from votegen.domain.text import summary  # noqa: PLC0415

    if output not in {"text", "json"}:
        raise InvalidInput(f"--output {output}: expected text or json")
    plan = _plan(
        target=target,
        rate=rate,
        duration=duration,
        arrivals=arrivals,
        connections=connections,
        voters=voters,
        split_a=split_a,
        timeout=timeout,
        host_header=host_header,
        seed=seed,
    )
    document, interrupted = _run(plan)
    text = json.dumps(document, indent=2) if output == "json" else summary(document)
    write_output(text, out=out)
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not any(target["ok"] for target in document["targets"].values()):
        typer.echo("error: no request succeeded", err=True)
        typer.echo("hint: is the target up? the result counts the errors by kind", err=True)
        raise typer.Exit(ExitCode.COULD_NOT_JUDGE)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one [8082].")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug|info|warning|error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto|json|console.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
) -> None:
    """Serve the control plane: PUT a plan, start it, change it while it runs."""
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - keeps --help fast
    from svckit.logging import configure_logging  # noqa: PLC0415
    from svckit.server import serve as serve_app  # noqa: PLC0415
    from votegen.app import create_app  # noqa: PLC0415
    from votegen.settings import VotegenSettings  # noqa: PLC0415

    settings = VotegenSettings.load(
        config=config, host=host, port=port, log_level=log_level, log_format=log_format
    )
    configure_logging(level=settings.log_level, log_format=settings.log_format, service="votegen")
    serve_app(
        create_app(settings, clock=clock_from_environment()),
        service="votegen",
        host=settings.host,
        port=settings.port,
    )


def _plan(
    *,
    target: list[str],
    rate: str,
    duration: str,
    arrivals: str,
    connections: int | None,
    voters: str,
    split_a: float,
    timeout: str,
    host_header: str,
    seed: int,
) -> Plan:
    from votegen.domain.ballots import Voters  # noqa: PLC0415 - keeps --help fast
    from votegen.domain.plan import Plan  # noqa: PLC0415
    from votegen.domain.schedule import Arrivals  # noqa: PLC0415
    from votegen.domain.targets import Target  # noqa: PLC0415

    if arrivals not in {kind.value for kind in Arrivals}:
        raise InvalidInput(f"--arrivals {arrivals}: expected constant or poisson")
    return Plan(
        targets=tuple(Target.parse(text) for text in target),
        rate=_rate(rate),
        duration_seconds=_seconds("--duration", duration),
        arrivals=Arrivals(arrivals),
        connections=connections,
        voters=Voters.parse(voters),
        split_a=split_a,
        timeout_seconds=_seconds("--timeout", timeout),
        host_header=host_header,
        seed=seed,
    )


def _rate(text: str) -> float | None:
    if text == "max":
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not rate > 0:
        raise InvalidInput(f"--rate {text}: expected requests per second above 0, or max")
    return rate


def _seconds(flag: str, text: str) -> float:
    from svckit.durations import DurationError, parse_duration  # noqa: PLC0415 - as above

    try:
        return parse_duration(text)
    except DurationError as error:
        raise InvalidInput(f"{flag} {text}: {error}", hint="for example 60s or 5m") from None


def _run(plan: Plan) -> tuple[dict[str, Any], bool]:
    """Run the plan in this process; return its result and whether a signal ended it."""
    import asyncio  # noqa: PLC0415 - keeps --help fast
    import sys  # noqa: PLC0415
    import time  # noqa: PLC0415

    from svckit.clock import clock_from_environment  # noqa: PLC0415
    from votegen.adapters.http_asyncio import HttpConnector  # noqa: PLC0415
    from votegen.adapters.ticker import precise_sleep  # noqa: PLC0415
    from votegen.domain.text import progress_line  # noqa: PLC0415
    from votegen.engine.foreground import run_to_end  # noqa: PLC0415
    from votegen.engine.openloop import Engine  # noqa: PLC0415
    from votegen.ports import Timebase  # noqa: PLC0415

    terminal = sys.stderr.isatty()
    clock_rate = clock_from_environment().rate

    async def send() -> tuple[dict[str, Any], bool]:
        with precise_sleep() as sleep:
            timebase = Timebase(clock_rate=clock_rate, monotonic=time.perf_counter, sleep=sleep)
            engine = Engine(plan, connectors=HttpConnector, timebase=timebase)

            def show() -> None:
                sys.stderr.write(f"\r\x1b[K{progress_line(engine.snapshot())}")
                sys.stderr.flush()

            interrupted = await run_to_end(engine, on_progress=show if terminal else None)
        return engine.snapshot(), interrupted

    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        document, interrupted = runner.run(send())
    if terminal:
        sys.stderr.write("\n")
    return document, interrupted


def _event_loop() -> Any:
    """Return the constructor of the fastest event loop at hand; None means asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return uvloop.new_event_loop


def main() -> NoReturn:
    """Run the command line."""
    run_cli(cli)
