"""settings.md: every setting of every service, from the settings classes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import typer
from pydantic import SecretStr

from reference.markdown import code, flowed, page, table
from reference.programs import COMMAND_LINES, SERVICES, Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

_OTHERS = {
    "`SUITE_CLOCK_EPOCH`, `SUITE_CLOCK_RATE`": "Virtual time of every program: `epoch + (now -"
    " epoch) * rate`. An RFC 3339 time, and a number from 0.001 to 100000. `gatelab` sets them for"
    " the programs of a bench.",
    "`GATELAB_DEBUG`": "Any value: a bug shows its traceback.",
    "`NO_COLOR`": "Any value: no colours on a terminal.",
    "`POD_TEMPLATE_HASH`, `POD_NAME`": "Read by `voteapp` where `VOTEAPP_HASH` and"
    " `VOTEAPP_POD_NAME` are not set; a cluster's downward API fills them.",
}


def render() -> str:
    """Return the page."""
    parts = []
    for service in SERVICES:
        parts += [f"## {service.command}", _summary(service), _table(service)]
    return page(
        "Settings",
        "A flag beats the environment, the environment beats the file of `--config`, the file beats"
        " the default. The file is a YAML mapping of setting names to values. A name that no"
        " setting has, and a value that cannot be used, is refused with exit code 2. A list in an"
        " environment variable is separated by commas.",
        "`gatelab` has flags only ([commands](cli.md)).",
        *parts,
        "## For all programs",
        table(("Variable", "Meaning"), _OTHERS.items()),
    )


def _summary(service: Service) -> str:
    return flowed(inspect.getdoc(service.settings))


def _table(service: Service) -> str:
    flags = serve_flags(service.command)
    return table(
        ("Setting", "Variable", "Flag", "Default", "Meaning"),
        [
            (
                code(name),
                code(f"{service.prefix}{name.upper()}"),
                code(flag) if (flag := f"--{name.replace('_', '-')}") in flags else "",
                _default(field),
                field.description or "",
            )
            for name, field in service.settings.model_fields.items()
        ],
    )


def serve_flags(program: str) -> set[str]:
    """Return the flags of the program's `serve`."""
    serve = typer.main.get_command(COMMAND_LINES[program]).commands["serve"]  # type: ignore[attr-defined]
    return {flag for parameter in serve.params for flag in parameter.opts}


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return _joined(value)
    return "" if value is None else code(str(value).lower() if isinstance(value, bool) else value)


def _joined(values: Iterable[object]) -> str:
    return code(",".join(map(str, values)))
