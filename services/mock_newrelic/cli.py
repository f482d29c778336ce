"""The command `mock-newrelic`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotation
from typing import Annotated

import typer

from svckit.cli import create_cli, run_cli

_EPILOG = """Examples:
mock-newrelic serve
MOCK_NEWRELIC_API_KEYS=k1,k2 MOCK_NEWRELIC_ADMIN_KEY=s3cret mock-newrelic serve --port 0
curl -H 'Api-Key: test-key' 'http://127.0.0.1:8080/v1/metrics?app=my-app&metric=errorRate&window=5m'"""

cli = create_cli(
    name="mock-newrelic",
    help="Stand-in for the New Relic metric API whose answers can be made wrong on purpose.",
    epilog=_EPILOG,
)


@cli.command(epilog=_EPILOG.replace("\n", "\n\n"))
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0 for any free one [8080].")] = None,
    auth: Annotated[
        str | None, typer.Option(help="static: keys needed; open: not for reading and ingest.")
    ] = None,
    ephemeral: Annotated[
        bool | None, typer.Option("--ephemeral", help="Keep samples in memory only [always so].")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Refused: there is no durable store.")
    ] = None,
    stale_after: Annotated[
        str | None, typer.Option(help="Answer 503 when the last sample is older, e.g. 2m [never].")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error [info].")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console [auto].")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    # Imported here so that --help stays quick.
    import structlog  # noqa: PLC0415

    from mock_newrelic.adapters.wire_faults import WireProtocol  # noqa: PLC0415
    from mock_newrelic.app import create_app  # noqa: PLC0415
    from mock_newrelic.settings import Settings  # noqa: PLC0415
    from svckit.clock import clock_from_environment  # noqa: PLC0415
    from svckit.logging import configure_logging  # noqa: PLC0415
    from svckit.server import serve as serve_app  # noqa: PLC0415

    settings = Settings.load(
        config=config,
        host=host,
        port=port,
        auth=auth,
        ephemeral=ephemeral,
        data_dir=data_dir,
        stale_after=stale_after,
        log_level=log_level,
        log_format=log_format,
    )
    configure_logging(
        level=settings.log_level, log_format=settings.log_format, service="mock-newrelic"
    )
    if settings.uses_default_keys:
        structlog.get_logger().warning(
            "default_keys_in_use",
            hint="set MOCK_NEWRELIC_API_KEYS and MOCK_NEWRELIC_ADMIN_KEY",
        )
    serve_app(
        create_app(settings, clock=clock_from_environment()),
        service="mock-newrelic",
        host=settings.host,
        port=settings.port,
        protocol=WireProtocol,
    )


def main() -> None:
    """Run the command line."""
    run_cli(cli)
