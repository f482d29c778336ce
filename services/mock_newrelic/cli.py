"""The command `mock-newrelic`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from svckit.cli import create_cli, run_cli, write_output

if TYPE_CHECKING:
    from mock_newrelic.adapters.control_client import ControlClient
    from mock_newrelic.settings import Settings
    from svckit.server import Tls

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
        bool | None, typer.Option("--ephemeral", help="Keep everything in memory only [no].")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Keep everything here [./.gatelab/mock-newrelic].")
    ] = None,
    tls_port: Annotated[
        int | None, typer.Option(help="Serve TLS on this port too, 0 for any free one [no TLS].")
    ] = None,
    tls_dir: Annotated[
        str | None, typer.Option(help="Certificates, made when absent [tls in the data directory].")
    ] = None,
    tls_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME…", help="Names that the certificate is for, besides localhost."),
    ] = None,
    more_tls_hosts: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
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
        tls_port=tls_port,
        tls_dir=tls_dir,
        tls_host=_tls_hosts(tls_host, more_tls_hosts),
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
        tls=_tls(settings),
    )


def _tls_hosts(given: list[str] | None, more: list[str] | None) -> str | None:
    """Return the names of `--tls-host a b --tls-host c` as one list."""
    if more and not given:
        raise typer.BadParameter(f"unexpected argument {more[0]!r}")
    return ",".join([*given, *(more or ())]) if given else None


def _tls(settings: Settings) -> Tls | None:
    if settings.tls_port is None:
        return None
    from mock_newrelic.adapters.tls import ensure_certificates, server_context  # noqa: PLC0415
    from mock_newrelic.settings import split_list  # noqa: PLC0415
    from svckit.clock import SystemClock  # noqa: PLC0415
    from svckit.server import Tls  # noqa: PLC0415

    files = ensure_certificates(
        settings.tls_directory, split_list(settings.tls_host), now=SystemClock().now()
    )
    return Tls(settings.tls_port, server_context(files))


_DOCTOR_EPILOG = """Examples:
mock-newrelic doctor localhost:8443 --ca .gatelab/mock-newrelic/tls/ca.pem
mock-newrelic doctor mock-newrelic.apm.svc --output json"""


@cli.command(epilog=_DOCTOR_EPILOG.replace("\n", "\n\n"))
def doctor(
    address: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="As agents have it.")],
    *,
    ca: Annotated[
        Path | None,
        typer.Option(help="Authority to trust [the system's]."),
    ] = None,
    license_key: Annotated[
        str, typer.Option(envvar="NEW_RELIC_LICENSE_KEY", show_default=False, help="Of the agent.")
    ] = "0" * 40,
    output: Annotated[str, typer.Option(help="text or json.")] = "text",
) -> None:
    """Check from here whether an agent could report: name, connection, certificate, first call."""
    from mock_newrelic.adapters.doctor import examine  # noqa: PLC0415 - keeps --help quick
    from svckit.errors import ExitCode  # noqa: PLC0415

    host, port = _address(address)
    if output not in {"text", "json"}:
        raise typer.BadParameter("--output is neither text nor json")
    findings = list(examine(host, port, ca=ca, license_key=license_key))
    if output == "json":
        _print({"passed": findings[-1].passed, "steps": [one._asdict() for one in findings]})
    else:
        for one in findings:
            typer.echo(f"{'ok  ' if one.passed else 'FAIL'} {one.step}: {one.detail}")
    if not findings[-1].passed:
        raise typer.Exit(ExitCode.GATE_FAILED)


def _address(given: str) -> tuple[str, int]:
    """Return host and port of HOST, HOST:PORT or [ADDRESS]:PORT."""
    host, colon, port = given.rpartition(":")
    if not colon or given.endswith("]") or (":" in host and not host.startswith("[")):
        host, port = given, "443"
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) <= 65535:
        raise typer.BadParameter(f"{given!r} is not HOST or HOST:PORT, without https://")
    return host.strip("[]"), int(port)


Url = Annotated[
    str, typer.Option(envvar="MOCK_NEWRELIC_URL", help="Base URL of the running service.")
]
AdminKey = Annotated[
    str,
    typer.Option(
        envvar="MOCK_NEWRELIC_ADMIN_KEY", show_default=False, help="Key of the control plane."
    ),
]
SessionToken = Annotated[
    str, typer.Option(envvar="MOCK_NEWRELIC_SESSION", help="Token of a session [the default one].")
]
_URL, _ADMIN_KEY = "http://127.0.0.1:8080", "admin-key"
_INJECT_EPILOG = """Examples:
mock-newrelic inject error-rate --app voting01-vote-qa --role canary --value 8 --for 5m
mock-newrelic inject latency --app 'voting01-*' --value 300ms
mock-newrelic inject payload --app voting01-vote-qa --value nan --max-hits 3"""


@cli.command(epilog=_INJECT_EPILOG.replace("\n", "\n\n"))
def inject(
    fault: Annotated[
        str, typer.Argument(help="error-rate, p95, latency, no-data, status, payload, transport, …")
    ],
    *,
    app: Annotated[str, typer.Option(help="Glob over application names.")],
    value: Annotated[
        str | None, typer.Option(help="Its argument: a number, a word, a duration or JSON.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="Only this role.")] = None,
    hash: Annotated[str | None, typer.Option(help="Only this pod hash.")] = None,  # noqa: A002
    version: Annotated[str | None, typer.Option(help="Only this version.")] = None,
    ttl: Annotated[str, typer.Option("--for", help="How long, at most 24h.")] = "15m",
    delay: Annotated[str, typer.Option(help="How long to wait before.")] = "0s",
    surface: Annotated[
        list[str] | None, typer.Option(help="Only this door; may be given several times.")
    ] = None,
    probability: Annotated[float, typer.Option(help="Share of the questions it strikes.")] = 1.0,
    max_hits: Annotated[int, typer.Option(help="How often at most; 0: no limit.")] = 0,
    priority: Annotated[int, typer.Option(help="The highest wins.")] = 0,
    seed: Annotated[int, typer.Option(help="Decides which questions are struck.")] = 0,
    reason: Annotated[str, typer.Option(help="For list and audit.")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it would do; do nothing.")
    ] = False,
    url: Url = _URL,
    admin_key: AdminKey = _ADMIN_KEY,
    session: SessionToken = "",
) -> None:
    """Make a running service answer wrongly; prints the injection as JSON."""
    from mock_newrelic.service.wishes import effect_of  # noqa: PLC0415 - keeps --help quick

    effect, metric = effect_of(fault, value)
    wish = {
        "app": app, "effect": effect, "metric": metric, "role": role, "hash": hash,
        "version": version, "ttl": ttl, "delay": delay, "surface": surface or None,
        "probability": probability, "maxHits": max_hits, "priority": priority, "seed": seed,
        "reason": reason, "createdBy": "mock-newrelic inject",
    }  # fmt: skip
    path = "injections:preview" if preview else "injections"
    given = {name: part for name, part in wish.items() if part is not None}
    _print(_control(url, admin_key, session).call("POST", path, given))


@cli.command(epilog="Examples:\n\nmock-newrelic clear\n\nmock-newrelic clear inj_000001 inj_000002")
def clear(
    injections: Annotated[
        list[str] | None, typer.Argument(help="Ids of injections; all when left out.")
    ] = None,
    url: Url = _URL,
    admin_key: AdminKey = _ADMIN_KEY,
    session: SessionToken = "",
) -> None:
    """End injections of a running service."""
    control = _control(url, admin_key, session)
    if not injections:
        _print(control.call("DELETE", "injections"))
        return
    for identity in injections:
        control.call("DELETE", f"injections/{identity}")
    _print({"cleared": len(injections)})


@cli.command(
    name="injections", epilog="Examples:\n\nmock-newrelic injections --url http://127.0.0.1:8080"
)
def list_injections(
    url: Url = _URL, admin_key: AdminKey = _ADMIN_KEY, session: SessionToken = ""
) -> None:
    """List what is in force at a running service, with its hits, as JSON."""
    _print(_control(url, admin_key, session).call("GET", "injections"))


@cli.command(
    epilog="Examples:\n\nmock-newrelic sessions\n\n"
    "mock-newrelic sessions --create suite-a --for 1h\n\n"
    "mock-newrelic sessions --end ses_0123456789abcdef"
)
def sessions(
    create: Annotated[str | None, typer.Option(help="Begin a session of this name.")] = None,
    ttl: Annotated[str, typer.Option("--for", help="How long it lives, at most 24h.")] = "1h",
    end: Annotated[str | None, typer.Option(help="End the session of this token.")] = None,
    url: Url = _URL,
    admin_key: AdminKey = _ADMIN_KEY,
) -> None:
    """List the sessions of a running service; begin or end one."""
    control = _control(url, admin_key, "")
    if create is not None:
        _print(control.call("POST", "sessions", {"name": create, "ttl": ttl}))
    elif end is not None:
        _print(control.call("DELETE", f"sessions/{end}"))
    else:
        _print(control.call("GET", "sessions"))


def _control(url: str, admin_key: str, session: str) -> ControlClient:
    from mock_newrelic.adapters.control_client import ControlClient  # noqa: PLC0415

    return ControlClient(url, admin_key, session=session)


def _print(document: dict[str, Any]) -> None:
    import json  # noqa: PLC0415

    write_output(json.dumps(document, indent=2), out=None)


def main() -> None:
    """Run the command line."""
    run_cli(cli)
