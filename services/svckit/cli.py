"""Command lines: errors as one line with a hint, data on stdout, stable exit codes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from svckit.errors import ExitCode, InvalidInput, SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEBUG_VARIABLE = "GATELAB_DEBUG"


def create_cli(*, name: str, help: str, epilog: str = "") -> typer.Typer:  # noqa: A002 - Typer's word
    """Return a Typer application with the suite's manners and a --version flag.

    `epilog` holds two or three commands to copy, one a line.
    """
    cli = typer.Typer(
        name=name,
        help=help,
        epilog=epilog.replace("\n", "\n\n"),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(value: bool) -> None:  # noqa: FBT001 - Typer's callback signature
        if value:
            from svckit.asgi import distribution_version  # noqa: PLC0415 - keeps --help fast

            typer.echo(f"{name} {distribution_version()}")
            raise typer.Exit

    @cli.callback()
    def options(
        _version: bool = typer.Option(  # noqa: FBT001 - Typer's way to declare a flag
            False, "--version", callback=show_version, is_eager=True, help="Show the version."
        ),
    ) -> None:
        pass

    options.__doc__ = help
    return cli


def run_cli(cli: Callable[..., Any]) -> NoReturn:
    """Run a command line and leave the process with the suite's exit codes."""
    try:
        cli(standalone_mode=True)
    except SuiteError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        typer.echo(f"error: this is a bug: {type(error).__name__}: {error}", err=True)
        typer.echo(f"hint: {DEBUG_VARIABLE}=1 shows where; please report it", err=True)
        sys.exit(ExitCode.BUG)
    sys.exit(ExitCode.OK)


def print_error(error: SuiteError) -> None:
    """Write the error to stderr: one line, and one more with the hint."""
    typer.echo(f"error: {error.detail}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)


def write_output(text: str, *, out: Path | None) -> None:
    """Write data to the file of --out, or to stdout.

    Raises:
        SuiteError: the file cannot be written.
    """
    text = text if text.endswith("\n") else text + "\n"
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--out {out}: {error.strerror or error}") from None


def append_output(text: str, *, to: Path) -> None:
    """Append text to a file, such as the summary of a CI job.

    Raises:
        InvalidInput: the file cannot be written.
    """
    try:
        with to.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidInput(f"--summary {to}: {error.strerror or error}") from None
