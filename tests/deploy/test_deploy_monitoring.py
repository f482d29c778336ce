"""Alerts and dashboards use what the services export, in expressions that Prometheus reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from deploy_manifests import DEPLOY, documents, only, rendered
from deploy_promql import complaints, exported, usage

import analyzer.app
import analyzer.settings
import mock_newrelic.app
import mock_newrelic.settings
import voteapp.app
import voteapp.settings
import votegen.app
import votegen.settings
from svckit.clock import ManualClock

RULES = DEPLOY / "components" / "monitoring" / "rules.yaml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))


def alerts() -> list[dict[str, Any]]:
    """Return every alert."""
    (rule,) = documents(RULES)
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def panels() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield dashboard, panel title and target of every query."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                yield path.stem, panel["title"], target


QUERIES = [
    *(pytest.param(each["expr"], id=each["alert"]) for each in alerts()),
    *(
        pytest.param(target["expr"], id=f"{name}-{title}-{target['refId']}")
        for name, title, target in panels()
    ),
]


@pytest.mark.parametrize("expression", QUERIES)
def test_every_expression_uses_what_is_exported(expression: str) -> None:
    """Metric names and labels are in the reference, which is generated from the code."""
    assert complaints(expression) == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(analyzer_verdict_total[5m])", "no metric analyzer_verdict_total"),
        ("sum by (verdit) (analyzer_verdicts_total)", "no label verdit"),
        ('analyzer_verdicts_total{app="x"}', "no label app"),
        ("http_server_request_duration_seconds", "no metric http_server_request_duration_seconds"),
        ("1 > 2", "no metric at all"),
    ],
)
def test_a_wrong_expression_is_caught(expression: str, said: str) -> None:
    """A name that nobody exports, a label that a metric does not have."""
    assert complaints(expression) == [said]


def test_reading_of_expressions() -> None:
    """Names are told from functions, durations, texts and groupings."""
    found = usage(
        'histogram_quantile(0.9, sum by (le, route) (rate(a_bucket{job="x", status=~"5.."}[5m])))'
        " / on (job) b offset 5m"
    )
    assert found.metrics == {"a_bucket", "b"} | {name for name in found.metrics if name == "5m"}
    assert found.labels == {"le", "route", "job", "status"}


def test_the_reference_is_read() -> None:
    """The table of the reference holds what the other tests look for."""
    known = exported()
    assert known["analyzer_verdicts_total"] == {"verdict", "metric", "reason_code"}
    assert "mock_newrelic_active_injections" in known
    assert "http_server_request_duration_seconds_bucket" in known


async def _scraped(app: Any) -> set[str]:
    """Return the series of a service that has just begun, as its /metrics declares them."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        await client.get("/livez")
        text = (await client.get("/metrics")).text
    return {
        f"{name}{suffix}"
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
        for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
    }


@pytest.mark.anyio
async def test_services_answer_what_is_asked_for(clock: ManualClock) -> None:
    """Each series of a dashboard or alert is one that a service declares at its /metrics."""
    apps = (
        mock_newrelic.app.create_app(mock_newrelic.settings.Settings(ephemeral=True), clock=clock),
        analyzer.app.create_app(analyzer.settings.Settings(), clock=clock),
        votegen.app.create_app(votegen.settings.VotegenSettings(), clock=clock),
        voteapp.app.create_app(voteapp.settings.VoteappSettings(), clock=clock),
    )
    served = {"up"}.union(*[await _scraped(app) for app in apps])
    asked = {name for each in QUERIES for name in usage(str(each.values[0])).metrics}
    assert asked <= served


def test_every_service_is_on_a_dashboard() -> None:
    """Nothing that runs is invisible."""
    used = {name for _, _, target in panels() for name in usage(target["expr"]).metrics}
    for prefix in ("analyzer_", "mock_newrelic_", "votegen_", "voteapp_", "http_server_"):
        assert any(name.startswith(prefix) for name in used), prefix


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_tidy(path: Path) -> None:
    """Panels have ids and places of their own, and take the data source that a person picks."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert dashboard["uid"] == path.stem
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}"


def test_dashboards_are_deployed() -> None:
    """Each file becomes a ConfigMap that Grafana's sidecar finds."""
    (kustomization,) = documents(DEPLOY / "grafana" / "kustomization.yaml")
    files = {name for each in kustomization["configMapGenerator"] for name in each["files"]}
    assert files == {path.name for path in DASHBOARDS}


def test_alerts_say_what_to_do() -> None:
    """Each alert has a severity, a summary, a meaning and an action, and no name is used twice."""
    names = [each["alert"] for each in alerts()]
    assert len(set(names)) == len(names) >= 8
    for each in alerts():
        assert each["labels"]["severity"] in {"info", "warning", "critical"}
        assert each["annotations"].keys() == {"summary", "description", "action"}


def test_scraping_finds_the_services() -> None:
    """The ServiceMonitor selects the Services of the platform by label, and their port by name."""
    (monitor,) = documents(DEPLOY / "components" / "monitoring" / "service-monitors.yaml")
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]
    (endpoint,) = monitor["spec"]["endpoints"]
    for name in expression["values"]:
        service = only(rendered("platform"), "Service", name)
        assert service["metadata"]["labels"]["app"] == name
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


@pytest.fixture(name="promtool")
def _promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    return found


def _check(promtool: str, *arguments: str) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def groups(folder: Path) -> Path:
    """Write the alerts as the file that Prometheus itself would load."""
    (rule,) = documents(RULES)
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}))
    return path


@pytest.mark.external
def test_prometheus_accepts_every_expression(promtool: str, tmp_path: Path) -> None:
    """Prometheus' own parser reads the alerts, and the dashboards' queries as rules."""
    rules = [
        {"record": f"query:{index}", "expr": target["expr"]}
        for index, (_, _, target) in enumerate(panels())
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    _check(promtool, "check", "rules", str(groups(tmp_path)), str(path))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series as promtool writes them down, and whether an alert fires after some minutes."""

    alert: str
    series: dict[str, str]
    minutes: int = 20
    fires: bool = True


READS = "analyzer_source_request_duration_seconds_count"
CASES = {
    "injection-forgotten": Case(
        alert="GatelabApmInjected",
        series={'mock_newrelic_active_injections{effect="set"}': "1x60"},
        minutes=40,
    ),
    "injection-cleared": Case(
        alert="GatelabApmInjected",
        series={'mock_newrelic_active_injections{effect="set"}': "1x20 0x40"},
        minutes=40,
        fires=False,
    ),
    "down": Case(alert="GatelabServiceDown", series={'up{job="canary-analyzer"}': "1x5 0x20"}),
    "up": Case(
        alert="GatelabServiceDown", series={'up{job="canary-analyzer"}': "1x25"}, fires=False
    ),
    "one-read-in-ten-fails": Case(
        alert="GatelabSourceFails",
        series={
            f'{READS}{{source="newrelic",outcome="ok"}}': "0+90x30",
            f'{READS}{{source="newrelic",outcome="timeout"}}': "0+10x30",
        },
    ),
    "one-read-in-a-hundred-fails": Case(
        alert="GatelabSourceFails",
        series={
            f'{READS}{{source="newrelic",outcome="ok"}}': "0+99x30",
            f'{READS}{{source="newrelic",outcome="timeout"}}': "0+1x30",
        },
        fires=False,
    ),
    "every-verdict-inconclusive": Case(
        alert="GatelabInconclusive",
        series={
            'analyzer_verdicts_total{verdict="inconclusive",metric="errors",reason_code="x"}': (
                "0+1x30"
            )
        },
    ),
    "old-key-after-a-rotation": Case(
        alert="GatelabKeysRefused",
        series={'mock_newrelic_queries_total{outcome="unauthorized"}': "0+2x30"},
    ),
    "nobody-reports": Case(
        alert="GatelabGateWithoutData",
        series={'mock_newrelic_queries_total{outcome="no_data"}': "0+4x30"},
    ),
    "refused-for-five-minutes": Case(
        alert="GatelabTelemetryRefused",
        series={'mock_newrelic_refused_batches_total{protocol="event_api",error="x"}': "0+1x30"},
    ),
    "late-starts": Case(
        alert="GatelabGeneratorLate", series={"votegen_late_starts_total": "0+90x30"}
    ),
}


@pytest.mark.external
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_alerts_fire_when_they_must(promtool: str, tmp_path: Path, case: Case) -> None:
    """Played on written-down series, an alert fires in its case and stays quiet beside it."""
    assert case.alert in {each["alert"] for each in alerts()}
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    expected = {
        "expr": f"count({firing}) or vector(0)",
        "eval_time": f"{case.minutes}m",
        "exp_samples": [{"labels": "{}", "value": int(case.fires)}],
    }
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    story = {
        "rule_files": [str(groups(tmp_path))],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [expected]}],
    }
    path = tmp_path / "story.yaml"
    path.write_text(yaml.safe_dump(story))
    _check(promtool, "test", "rules", str(path))
