"""The reference pages say what the code says."""

from __future__ import annotations

import re

import pytest
import typer
from generate_reference import FOLDER, outdated, pages
from reference import events, metrics, openapi, problems, rollout_fields, scenarios
from reference.programs import COMMAND_LINES, SERVICES

from analyzer.domain.policy import Policy
from analyzer.domain.verdict import ReasonCode
from analyzer.schemas.parameters import ANALYSIS_PARAMETERS, HEALTH_PARAMETERS
from docs_project import ROOT, read
from mock_newrelic import schemas
from mock_newrelic.domain import query
from mock_newrelic.domain.effects.registry import EFFECTS
from mock_newrelic.domain.labels import DIMENSIONS
from mock_newrelic.domain.metrics import METRICS
from rollout_runner.argo.rollout.errors import UnsupportedError
from rollout_runner.argo.rollout.manifest import read_rollout


@pytest.fixture(name="generated", scope="module")
def _generated() -> dict[str, str]:
    return pages()


def test_generated_pages_are_up_to_date(generated: dict[str, str]) -> None:
    """The committed pages are, byte for byte, what the generator writes now."""
    assert outdated(generated) == [], "run: make docs"


def test_an_altered_page_is_out_of_date(generated: dict[str, str]) -> None:
    """The comparison notices a single changed character."""
    altered = {**generated, "cli.md": generated["cli.md"] + "x"}
    assert outdated(altered) == ["cli.md"]


def test_openapi_files_are_those_of_the_services() -> None:
    """There is one file for each service, and no other."""
    found = {path.name for path in (FOLDER / "openapi").iterdir()}
    assert found == {f"{service.command}.json" for service in SERVICES} == set(openapi.documents())


@pytest.mark.parametrize("program", COMMAND_LINES)
def test_every_flag_is_documented(program: str) -> None:
    """Each flag of each command is on the page of the commands, under its command."""
    page = read("docs/reference/cli.md")
    for name, command in typer.main.get_command(COMMAND_LINES[program]).commands.items():
        section = page.partition(f"\n### {program} {name}\n")[2].partition("\n##")[0]
        for parameter in command.params:
            for flag in parameter.opts if parameter.param_type_name == "option" else ():
                assert re.search(rf"{re.escape(flag)}\b", section), f"{program} {name} {flag}"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.command)
def test_every_setting_is_documented(service: object) -> None:
    """Each setting has its variable and a description on the page of the settings."""
    page = read("docs/reference/settings.md")
    for name, field in service.settings.model_fields.items():
        assert field.description, name
        assert f"`{service.prefix}{name.upper()}`" in page


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.command)
def test_every_exported_metric_is_documented(service: object) -> None:
    """What a fresh application exports at /metrics has a row on the page of the metrics."""
    page = read("docs/reference/metrics.md")
    found = metrics.exported(service)
    assert {"http_server_request_duration_seconds", f"{service.package}_build_info"} <= {
        each.name for each in found
    }
    for each in found:
        assert f"`{each.name}`" in page
        assert each.text


def test_every_event_is_documented() -> None:
    """Each event of the log has a heading and all of its keys."""
    page = read("docs/reference/event-log.md")
    for event in events.get_args(events.events.Event):
        section = page.partition(f"### {events.tag(event)}\n")[2].partition("\n##")[0]
        for key in event.__struct_encode_fields__:
            assert key == "at" or f"`{key}`" in section, f"{events.tag(event)}.{key}"


def test_every_scenario_field_is_documented() -> None:
    """Each field that a scenario file may hold is on the page of the scenarios."""
    page = read("docs/reference/scenarios.md")
    assert {block for block, _ in scenarios.fields()} == _models(scenarios.model.Scenario)
    for _, name in scenarios.fields():
        assert f"| `{name}` |" in page


def _models(model: type) -> set[type]:
    """Return the model and every model that its fields lead to."""
    found = {model}
    for field in model.model_fields.values():
        for inner in re.findall(r"[\w.]+", repr(field.annotation)):
            candidate = getattr(scenarios.model, inner.rpartition(".")[2], None)
            if isinstance(candidate, type) and hasattr(candidate, "model_fields"):
                found |= _models(candidate)
    return found


def test_every_problem_code_is_documented() -> None:
    """Each code that the sources raise has a row, and no row has lost its code."""
    page = read("docs/reference/problems.md")
    codes = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert codes == set(problems.raised_codes())
    assert {"no_data", "unknown_app", "bad_window", "source_failed", "no_plan"} <= codes


def test_no_code_escapes_the_search() -> None:
    """Every literal that is passed as `code=` anywhere in the services is found."""
    literal = re.compile(r"\b(?:code|default_code)(?:: \w+\[\w+\])? ?= ?\"([a-z_]+)\"")
    known = set(problems.raised_codes())
    for path in (ROOT / "services").rglob("*.py"):
        assert set(literal.findall(path.read_text(encoding="utf-8"))) <= known, path


def test_refused_rollout_fields_are_refused() -> None:
    """A Rollout with a field that the page calls refused is refused by name."""
    refused = [
        (place, name)
        for place, name, state, _ in rollout_fields.fields()
        if state == rollout_fields.REFUSED and not place.startswith("spec.metrics")
    ]
    assert len(refused) > 10
    for place, name in refused:
        with pytest.raises(UnsupportedError, match=re.escape(name)):
            read_rollout(_manifest(place, name))


def _manifest(place: str, name: str) -> dict[str, object]:
    """Return a Rollout that has the field at the place."""
    manifest: dict[str, object] = {
        "metadata": {"name": "shop"},
        "spec": {"template": {}, "strategy": {"canary": {}}},
    }
    block: dict[str, object] = manifest
    for part in place.split("."):
        if part.endswith("[]"):
            inner: dict[str, object] = {}
            block[part[:-2]] = [inner]
            block = inner
        else:
            block = block.setdefault(part, {})  # type: ignore[assignment]
    block[name] = {"name": "x"}
    return manifest


class TestMockNewrelic:
    """docs/reference/mock-newrelic.md."""

    PAGE = read("docs/reference/mock-newrelic.md")
    FAULTS = read("docs/reference/faults.md")

    def test_every_metric_is_documented(self) -> None:
        """Each metric that can be asked for is named."""
        for name in METRICS:
            assert f"`{name}`" in self.PAGE, name

    def test_every_effect_is_documented(self) -> None:
        """Each effect is in a table of docs/reference/faults.md, as it is written in a request."""
        tables = self.FAULTS.partition("\n## ")[2]
        told = set(re.findall(r"`\{\"(\w+)\": ", tables))
        assert set(EFFECTS) <= told

    def test_every_injection_field_is_documented(self) -> None:
        """Each field of an injection is named in the table of its fields."""
        table = self.PAGE.partition("## Injections")[2]
        for name, field in schemas.Injection.model_fields.items():
            written = field.serialization_alias or field.alias or name
            assert f"`{written}`" in table, written

    def test_every_query_parameter_is_documented(self) -> None:
        """Each parameter of the facade and of the series is named."""
        for name in query._METRIC | query._SERIES | DIMENSIONS:
            assert re.search(rf"`{name}\b", self.PAGE), name


class TestAnalyzer:
    """docs/reference/analyzer.md."""

    PAGE = read("docs/reference/analyzer.md")

    def test_every_reason_code_is_documented(self) -> None:
        """Each reason code has a row, and no row names another."""
        table = self.PAGE.partition("## Verdicts")[2].partition("## Statistics")[0]
        rows = set(re.findall(r"^\| `(\w+)` \| (?:pass|fail|inconclusive)", table, re.MULTILINE))
        assert rows == {code.value for code in ReasonCode}

    def test_every_parameter_is_documented(self) -> None:
        """Each parameter of both questions is named."""
        for name in (*ANALYSIS_PARAMETERS, *HEALTH_PARAMETERS):
            assert re.search(rf"`{name}`|[?&[]{name}=", self.PAGE), name

    @pytest.mark.parametrize(
        "sentence",
        [
            pytest.param(
                "p ≤ {alpha}, at least {minimum_effect} percentage point higher, and at least"
                " {minimum_samples} requests",
                id="comparison",
            ),
            pytest.param("at least {outage_bad} failed requests", id="outage-count"),
            pytest.param("more than {outage_ratio} times stable's", id="outage-ratio"),
            pytest.param("fewer than {minimum_samples} requests in an arm", id="samples"),
            pytest.param("{margin} points more errors", id="margin"),
            pytest.param("fewer than {threshold_minimum_samples}", id="threshold-samples"),
            pytest.param("the rate is {error_threshold} % or more", id="threshold"),
            pytest.param("{interval_percent} % interval of the difference", id="interval"),
        ],
    )
    def test_numbers_are_those_of_the_policy(self, sentence: str) -> None:
        """The numbers on the page are the defaults of the policy."""
        policy = Policy()
        values = {name: getattr(policy, name) for name in policy.__slots__}
        values["interval_percent"] = round(100 * policy.interval_confidence)
        assert sentence.format(**values) in self.PAGE
