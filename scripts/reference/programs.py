"""The five programs: command, package, command line, settings and application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer

import analyzer.app
import analyzer.cli
import analyzer.settings
import mock_newrelic.app
import mock_newrelic.cli
import mock_newrelic.settings
import rollout_runner.cli
import voteapp.app
import voteapp.cli
import voteapp.settings
import votegen.app
import votegen.cli
import votegen.settings
from svckit.clock import ManualClock
from svckit.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that serves HTTP; `without_files` are settings that keep it off the disk."""

    command: str
    package: str
    cli: typer.Typer
    settings: type[ServiceSettings]
    create: Callable[..., Any]
    without_files: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """What its environment variables begin with."""
        return str(self.settings.model_config.get("env_prefix"))

    def application(self, **wiring: Any) -> Any:
        """Return its application with default settings, whatever the environment says."""
        defaults = self.settings.model_construct(**self.without_files)
        return self.create(defaults, clock=ManualClock(0.0), **wiring)


SERVICES = (
    Service(
        command="mock-newrelic",
        package="mock_newrelic",
        cli=mock_newrelic.cli.cli,
        settings=mock_newrelic.settings.Settings,
        create=mock_newrelic.app.create_app,
        without_files={"ephemeral": True},
    ),
    Service(
        command="canary-analyzer",
        package="analyzer",
        cli=analyzer.cli.cli,
        settings=analyzer.settings.Settings,
        create=analyzer.app.create_app,
    ),
    Service(
        command="votegen",
        package="votegen",
        cli=votegen.cli.cli,
        settings=votegen.settings.VotegenSettings,
        create=votegen.app.create_app,
    ),
    Service(
        command="voteapp",
        package="voteapp",
        cli=voteapp.cli.cli,
        settings=voteapp.settings.VoteappSettings,
        create=voteapp.app.create_app,
    ),
)
COMMAND_LINES = {
    "gatelab": rollout_runner.cli.cli,
    **{each.command: each.cli for each in SERVICES},
}
