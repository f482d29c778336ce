"""Command line of voteapp."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated, NoReturn

import typer

from svckit.cli import create_cli, run_cli

cli = create_cli(
    name="voteapp",
    help="Stand-in of the voting front end: same HTTP contract, faults on request, telemetry.",
    epilog=(
        "voteapp serve --version v17 --hash 7cd75c6d7c\n"
        "voteapp serve --port 0 --report-to http://127.0.0.1:8080 --app voting01-vote-qa\n"
        "curl -X PUT localhost:8083/control/faults -H 'content-type: application/json' "
        "-d '{\"error_ratio\": 0.052}'"
    ),
)


@cli.command()
def serve(  # noqa: PLR0917 - one parameter per flag
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one [8083].")] = None,
    pod_template_hash: Annotated[
        str | None,
        typer.Option(
            "--hash",
            envvar=["VOTEAPP_HASH", "POD_TEMPLATE_HASH"],
            help="Pod-template hash [7cd75c6d7c].",
        ),
    ] = None,
    version: Annotated[str | None, typer.Option(help="Version on the page [v17].")] = None,
    pod_name: Annotated[
        str | None,
        typer.Option(
            envvar=["VOTEAPP_POD_NAME", "POD_NAME"],
            help="Host name on the page [vote-<hash>-<5 characters>].",
        ),
    ] = None,
    report_to: Annotated[str | None, typer.Option(help="Base URL of the APM to report to.")] = None,
    app: Annotated[str | None, typer.Option(help="appName reported [voting01-vote-qa].")] = None,
    telemetry: Annotated[
        str | None, typer.Option(help="event-api, otlp or none [event-api with --report-to].")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="VOTEAPP_API_KEY", help="Key of the APM [test-key].")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(help="redis://HOST:PORT whose list `votes` gets the votes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of faults and names [1].")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug|info|warning|error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto|json|console.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
) -> None:
    """Serve the voting page until a signal comes."""
    from svckit.clock import clock_from_environment  # noqa: PLC0415 - keeps --help fast
    from svckit.logging import configure_logging  # noqa: PLC0415
    from svckit.server import serve as serve_app  # noqa: PLC0415
    from voteapp.app import create_app, site_of  # noqa: PLC0415
    from voteapp.settings import VoteappSettings  # noqa: PLC0415

    settings = VoteappSettings.load(
        config=config,
        host=host,
        port=port,
        hash=pod_template_hash,
        version=version,
        pod_name=pod_name,
        report_to=report_to,
        app=app,
        telemetry=telemetry,
        api_key=api_key,
        redis=redis,
        seed=seed,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(level=settings.log_level, log_format=settings.log_format, service="voteapp")
    serve_app(
        create_app(settings, clock=clock_from_environment()),
        service="voteapp",
        host=settings.host,
        port=settings.port,
        ready_extra={"pod": site_of(settings).pod_name, "hash": settings.hash},
    )


def main() -> NoReturn:
    """Run the command line."""
    run_cli(cli)
