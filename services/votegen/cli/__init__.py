"""Command line of votegen."""

from __future__ import annotations

import signal
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from svckit.cli import create_cli, run_cli, write_output
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from votegen.adapters.processes import Surroundings
    from votegen.domain.plan import Plan
    from votegen.domain.results import Progress, Tally

cli = create_cli(
    name="votegen",
    help="Vote traffic on a schedule: an open-loop generator over weighted targets.",
    epilog=(
        "votegen run --target http://127.0.0.1:8083 --rate 50 --duration 60s\n"
        "votegen run --target stable=http://127.0.0.1:8083@80 "
        "--target canary=http://127.0.0.1:8084@20 --arrivals poisson --output json\n"
        "votegen run --target http://127.0.0.1:8083 --stages 0s:10,60s:200 "
        "--output html --out run.html\n"
        "votegen serve --port 8082"
    ),
)


plan_cli = typer.Typer(no_args_is_help=True, help="Check plan files; hand them to other engines.")
cli.add_typer(plan_cli, name="plan")


@cli.command()
def run(  # noqa: PLR0917 - one parameter per flag
    target: Annotated[
        list[str] | None, typer.Option(help="[NAME=]URL[@WEIGHT]; may be given several times.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON file as PUT /control/plan takes it; flags win over it."),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            help="Requests per virtual second over all targets (with SUITE_CLOCK_RATE=10, 50 are "
            "500 a real second), or max: as fast as answers come [50]."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="How long, in virtual time [60s, or as the stages say].")
    ] = None,
    arrivals: Annotated[str | None, typer.Option(help="constant or poisson [constant].")] = None,
    stages: Annotated[
        str | None,
        typer.Option(help="TIME:RATE,…: straight lines between the points; two of a time step."),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            help="sine:MEAN,AMPLITUDE,PERIOD, spike:BASE,PEAK,AT,FOR or step:RATE,…,EVERY."
        ),
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="File of recorded arrivals, one time in seconds a line.")
    ] = None,
    connections: Annotated[
        int | None, typer.Option(help="Most connections to a target [chosen by the rate].")
    ] = None,
    voters: Annotated[str | None, typer.Option(help="new, returning or returning:N [new].")] = None,
    split_a: Annotated[float | None, typer.Option(help="Share of votes for a [0.66].")] = None,
    gets: Annotated[
        float | None, typer.Option(help="Share of requests that only look at the page [0].")
    ] = None,
    think: Annotated[
        str | None, typer.Option(help="Closed loop: pause of a connection after an answer [0s].")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Real time from the intended time to giving up [10s].")
    ] = None,
    host_header: Annotated[
        str | None, typer.Option(help="Host header, for targets behind an ingress.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Authorities to trust for https (PEM).")] = None,
    insecure: Annotated[  # noqa: FBT002 - a switch on the command line
        bool, typer.Option("--insecure", help="Do not verify certificates of https targets.")
    ] = False,
    report_to: Annotated[
        str | None, typer.Option(help="mock-newrelic that is told what the client saw.")
    ] = None,
    report_app: Annotated[str, typer.Option(help="Application name of these reports.")] = "votegen",
    report_key: Annotated[
        str, typer.Option(envvar="VOTEGEN_REPORT_KEY", help="Api-Key of these reports.")
    ] = "test-key",
    processes: Annotated[int, typer.Option(min=1, max=64, help="Cores to use.")] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same schedule, same votes [1].")
    ] = None,
    output: Annotated[str, typer.Option(help="text, json, csv, html or prometheus.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Write the result to this file.")] = None,
) -> None:
    """Send one plan and print its result.

    Exit code 0 when at least one request was answered with 2xx, 5 when none was, 130 when a
    signal ended the run early (the result so far is printed).
    """
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - keeps --help fast
    from votegen.adapters.processes import Surroundings  # noqa: PLC0415
    from votegen.cli.flags import plan_of, shape_of  # noqa: PLC0415
    from votegen.report import FORMATS, render  # noqa: PLC0415

    if output not in FORMATS:
        raise InvalidInput(f"--output {output}: expected {', '.join(FORMATS)}")
    wanted = plan_of(
        plan,
        targets=target,
        rate=rate,
        duration=duration,
        arrivals=arrivals,
        shape=shape_of(stages, shape, replay),
        connections=connections,
        voters=voters,
        split_a=split_a,
        gets=gets,
        think=think,
        timeout=timeout,
        host_header=host_header,
        seed=seed,
    )
    surroundings = Surroundings(
        clock_rate=clock_from_environment().rate,
        authorities=None if ca is None else str(ca),
        verify=not insecure,
        observer=None if report_to is None else (report_to, report_app, report_key),
    )
    document, interrupted = _run(wanted, surroundings, processes=processes)
    write_output(render(document, output), out=out)
    if interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not any(target["ok"] for target in document["targets"].values()):
        typer.echo("error: no request succeeded", err=True)
        typer.echo("hint: is the target up? the result counts the errors by kind", err=True)
        raise typer.Exit(ExitCode.COULD_NOT_JUDGE)


@cli.command()
def serve(  # noqa: PLR0917 - one parameter per flag
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one [8082].")] = None,
    report_to: Annotated[
        str | None, typer.Option(help="mock-newrelic that is told what the client saw.")
    ] = None,
    report_app: Annotated[
        str | None, typer.Option(help="Application name of these reports [votegen].")
    ] = None,
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
        config=config,
        host=host,
        port=port,
        report_to=report_to,
        report_app=report_app,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(level=settings.log_level, log_format=settings.log_format, service="votegen")
    serve_app(
        create_app(settings, clock=clock_from_environment()),
        service="votegen",
        host=settings.host,
        port=settings.port,
    )


@plan_cli.command("show")
def show_plan(
    plan: Annotated[Path, typer.Argument(help="YAML or JSON file, as --plan takes it.")],
) -> None:
    """Check a plan file and print the plan with all its defaults, as JSON."""
    import json  # noqa: PLC0415 - keeps --help fast

    from votegen.cli.plan_file import read_plan  # noqa: PLC0415

    write_output(json.dumps(read_plan(plan).to_document(), indent=2), out=None)


@plan_cli.command("export")
def export_plan(
    plan: Annotated[Path, typer.Argument(help="YAML or JSON file, as --plan takes it.")],
    locust: Annotated[bool, typer.Option("--locust", help="As a locustfile.")] = True,  # noqa: FBT002
    out: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
) -> None:
    """Write the same traffic for another engine, where one machine is not enough."""
    from votegen.cli.flags import plan_of  # noqa: PLC0415 - keeps --help fast
    from votegen.report.locust import export_locust  # noqa: PLC0415

    if not locust:
        raise InvalidInput("plan export: locust is the one format there is", hint="--locust")
    try:
        text = export_locust(plan_of(plan))
    except ValueError as error:
        raise InvalidInput(f"plan export {plan}: {error}") from None
    write_output(text, out=out)


def _run(plan: Plan, surroundings: Surroundings, *, processes: int) -> tuple[dict[str, Any], bool]:
    """Run the plan; return its result and whether a signal ended it."""
    from votegen.adapters.processes import run_here, run_in_processes  # noqa: PLC0415
    from votegen.domain.results import detailed_document, result_document  # noqa: PLC0415
    from votegen.report.text import Teller  # noqa: PLC0415

    teller = Teller(sys.stderr)

    def show(tally: Tally, progress: Progress) -> None:
        teller.tell(result_document(tally, progress))

    ran = (
        run_in_processes(plan, surroundings, processes, on_progress=show)
        if processes > 1
        else run_here(plan, surroundings, on_progress=show)
    )
    teller.finish()
    document = detailed_document(ran.tally, ran.progress)
    if ran.reported is not None:
        document["reported"] = ran.reported
    return document, ran.interrupted


def main() -> NoReturn:
    """Run the command line."""
    # Until a command has its own way to end, a signal from outside is as one from the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run_cli(cli)
