"""Commands that pages show exist: targets, programs, subcommands, flags, files."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import typer
from reference.programs import COMMAND_LINES, SERVICES
from reference.scenarios import ends

from docs_project import ROOT, commands, read
from mock_newrelic.domain.effects.registry import parse_effect
from mock_newrelic.schemas import Injection
from rollout_runner.bench.bench import ADMIN_KEY
from rollout_runner.scenarios.load import load_scenario
from svckit.errors import ExitCode
from voteapp.schemas import FaultsBody

PAGES = (
    "README.md",
    "docs/guides/first-gate.md",
    "docs/guides/first-gate-test.md",
    "docs/guides/inject-faults.md",
    "docs/guides/job-form.md",
    "docs/guides/point-your-agent-here.md",
    "docs/guides/tls.md",
)
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


def _programs() -> list[tuple[str, str, list[str]]]:
    """Return page, program and arguments of every command of ours that a page shows."""
    found = []
    for page in PAGES:
        for command in commands(read(page)):
            words = shlex.split(command, comments=True)
            while words and _ASSIGNMENT.fullmatch(words[0]):
                words.pop(0)
            program = words[0].removeprefix(".venv/bin/") if words else ""
            if program in COMMAND_LINES:
                found.append((page, program, words[1:]))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    """Every `make TARGET` of a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", read("Makefile"), re.MULTILINE))
    for target in re.findall(r"\bmake ([a-z0-9]+)\b", "\n".join(commands(read(page)))):
        assert target in targets


def test_pages_show_commands_of_every_program() -> None:
    """The commands are found: all five programs occur."""
    assert {program for _, program, _ in _programs()} == set(COMMAND_LINES)


@pytest.mark.parametrize("page", PAGES)
def test_programs_take_these_arguments(page: str) -> None:
    """The subcommands exist, and their parsers accept flags and arguments as they are shown."""
    shown = [(program, arguments) for name, program, arguments in _programs() if name == page]
    assert shown
    for program, arguments in shown:
        command = typer.main.get_command(COMMAND_LINES[program]).commands[arguments[0]]
        command.make_context(arguments[0], arguments[1:])


def test_files_of_commands_exist() -> None:
    """Files of the repository that commands name are there; the reader makes the others."""
    made = ("my-gate", "errors=", "qa-jobs", "bad-release.yaml", "silent-apm.yaml", ".gatelab/")
    for page, program, arguments in _programs():
        for argument in arguments:
            is_path = ("/" in argument and "://" not in argument) or argument.endswith(".yaml")
            if program == "gatelab" and is_path and not argument.startswith(made):
                assert (ROOT / argument).exists(), f"{page}: {argument}"


def test_scenarios_of_commands_exist() -> None:
    """A scenario that is given by name ships with the product."""
    for page, program, arguments in _programs():
        if program == "gatelab" and "--scenario" in arguments:
            name = arguments[arguments.index("--scenario") + 1]
            assert name.endswith(".yaml") or (ROOT / f"scenarios/{name}.yaml").is_file(), page


def test_injections_of_the_guide_are_accepted() -> None:
    """Every injection that the guide shows is one that the APM takes."""
    guide = read("docs/guides/inject-faults.md")
    bodies = re.findall(r"(\{\"app\": .*?\})(?=['`])", guide)
    assert len(bodies) >= 6
    for body in bodies:
        wanted = Injection.model_validate(json.loads(body))
        parse_effect(wanted.effect, wanted.metric)


def test_faults_of_the_guide_are_accepted() -> None:
    """Every fault switch that the guide shows is one that voteapp takes."""
    guide = read("docs/guides/inject-faults.md")
    table = guide.partition("## Make the application fail")[2].partition("\n## ")[0]
    bodies = re.findall(r"[`'](\{.*?\})[`']", table)
    assert len(bodies) >= 5
    for body in bodies:
        FaultsBody.model_validate(json.loads(body))


def test_the_admin_key_of_a_bench_is_the_documented_one() -> None:
    """The guide names the key that a bench really uses."""
    assert f"`{ADMIN_KEY}`" in read("docs/guides/inject-faults.md")


class TestReadme:
    """README.md."""

    PAGE = read("README.md")

    def test_is_short(self) -> None:
        """It stays below 250 lines."""
        assert len(self.PAGE.splitlines()) <= 250

    def test_lists_the_scenarios_that_ship(self) -> None:
        """The table names every scenario with the end that it expects."""
        rows = dict(
            re.findall(
                r"^\| \[([\w-]+)\]\(scenarios/[\w.-]+\) \|.*\| (.+?) \|$", self.PAGE, re.MULTILINE
            )
        )
        shipped = (ROOT / "scenarios").glob("*.yaml")
        assert rows == {path.stem: ends(load_scenario(path)) for path in shipped}

    def test_lists_the_programs_with_their_ports(self) -> None:
        """The table has the five programs and the default port of each service."""
        rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+|-) \|", self.PAGE, re.MULTILINE))
        ports = {
            service.command: str(service.settings.model_fields["port"].default)
            for service in SERVICES
        }
        assert rows == {"gatelab": "-", **ports}

    def test_lists_the_exit_codes(self) -> None:
        """Every exit code of the suite has a row."""
        rows = re.findall(r"^\| (\d+) \| ", self.PAGE, re.MULTILINE)
        assert sorted(map(int, rows)) == sorted(int(code) for code in ExitCode)

    def test_output_of_the_demo_has_both_ends(self) -> None:
        """The output that is shown holds a promotion and an abort with its reason."""
        assert "✓ PROMOTED" in self.PAGE
        assert "✗ ABORTED" in self.PAGE
        assert "assessed Failed due to failed (2) > failureLimit (1)" in self.PAGE
