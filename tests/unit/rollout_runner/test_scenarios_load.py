"""Scenario files: reading, finding, refusing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollout_runner.adapters.project_files import shipped
from rollout_runner.bench.subject import Subject
from rollout_runner.scenarios.load import find_scenario, load_scenario
from svckit.errors import InvalidInput

SHIPPED = sorted(shipped("scenarios").glob("*.yaml"))


def written(folder: Path, text: str) -> Path:
    """Return a scenario file with this text."""
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SHIPPED])
def test_scenarios_that_ship(path: Path) -> None:
    """Each is named as its file, explains itself, expects something and has its manifests."""
    scenario = load_scenario(path)
    assert scenario.name == path.stem
    assert scenario.description.endswith(".")
    assert scenario.expect is not None
    assert scenario.manifests is not None
    assert (path.parent / scenario.manifests / "kustomization.yaml").exists()


def test_scenarios_ship() -> None:
    """The table above is not empty."""
    assert {path.stem for path in SHIPPED} >= {"healthy", "bad-canary", "apm-outage"}


def test_steps_of_the_scenarios_that_ship_exist() -> None:
    """No timeline waits for a step that the QA Rollout does not have."""
    manifests = shipped("deploy") / "rendered" / "qa.yaml"
    for path in SHIPPED:
        scenario = load_scenario(path)
        subject = Subject.load(
            manifests, rollout=scenario.rollout, versions=scenario.versions, providers=("web",)
        )
        steps = len(subject.canary.canary.steps)
        awaited = [entry.on.step for entry in scenario.timeline if entry.on is not None]
        assert all(step < steps for step in awaited), path.name


@pytest.mark.parametrize("key", ["on", '"on"'])
def test_the_key_on_is_a_word(key: str, tmp_path: Path) -> None:
    """YAML 1.1 would read it as true."""
    path = written(tmp_path, f"name: x\ntimeline: [{{{key}: {{step: 3}}, do: abort}}]\n")
    (entry,) = load_scenario(path).timeline
    assert entry.on is not None
    assert entry.on.step == 3


@pytest.mark.parametrize("word", ["yes", "no", "off", "on", "y", "N"])
def test_other_words_of_yaml_1_1_are_words(word: str, tmp_path: Path) -> None:
    """A version may be called so."""
    path = written(tmp_path, f"name: x\nversions: {{canary: {word}}}\n")
    assert load_scenario(path).versions.canary == word


@pytest.mark.parametrize("time", ["2026-02-04T02:00:00Z", "2026-02-04", "2026-13-45"])
def test_a_time_is_text(time: str, tmp_path: Path) -> None:
    """As the APM's injections take it; YAML would make a date of it."""
    path = written(tmp_path, f"name: x\ntimeline: [{{at: 1m, inject: {{until: {time}}}}}]\n")
    assert load_scenario(path).timeline[0].inject == {"until": time}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "expected a mapping with at least `name`", id="empty"),
        pytest.param("- a\n", "expected a mapping", id="list"),
        pytest.param("healthy\n", "expected a mapping", id="text"),
        pytest.param("name: [\n", "not YAML: ", id="unclosed"),
        pytest.param("name: x\n---\nname: y\n", "not YAML: ", id="two-documents"),
        pytest.param("name: x\nseed: " + "9" * 5000, "not YAML: Exceeds the limit", id="digits"),
        pytest.param("name: !!python/name:os.system x\n", "not YAML: ", id="python-object"),
        pytest.param("x: " + "[" * 5000, "not YAML: ", id="deep"),
        pytest.param("description: x\n", "name: Field required", id="no-name"),
        pytest.param("name: x\ncanary: {errors: 200%}\n", "canary.errors: '200%'", id="value"),
        pytest.param("name: x\n1: 2\n", "1: Keys should be strings", id="number-key"),
        pytest.param("name: x\nseed: 1\nseed: 2\n", "'seed' is given twice", id="twice"),
        pytest.param(
            "name: x\ncanary: {errors: 1%, errors: 2%}\n",
            "'errors' is given twice",
            id="twice-below",
        ),
        pytest.param("name: x\ntrafic: {}\n", "trafic: unknown field", id="unknown"),
    ],
)
def test_what_is_no_scenario(text: str, told: str, tmp_path: Path) -> None:
    """One sentence with the file and the field, and a hint."""
    path = written(tmp_path, text)
    with pytest.raises(InvalidInput) as caught:
        load_scenario(path)
    assert caught.value.detail.startswith(f"scenario {path}: ")
    assert told in caught.value.detail
    assert "\n" not in caught.value.detail
    assert caught.value.hint


def test_a_near_miss_is_guessed(tmp_path: Path) -> None:
    """An unknown field that looks like a known one."""
    path = written(tmp_path, "name: x\ntimeline: [{at: 1m, injekt: {}}]\n")
    with pytest.raises(InvalidInput, match=r"timeline\.0\.injekt: unknown field") as caught:
        load_scenario(path)
    assert caught.value.hint == "did you mean `inject`?"


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_what_cannot_be_read(kind: str, tmp_path: Path) -> None:
    """The file is named; there is no traceback."""
    path = tmp_path / "scenario.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(InvalidInput) as caught:
        load_scenario(path)
    assert str(path) in caught.value.detail


def test_a_scenario_is_found_by_name_or_path() -> None:
    """A name is looked up in the folder, a path is taken as it is."""
    folder = shipped("scenarios")
    assert find_scenario("healthy", folder) == folder / "healthy.yaml"
    assert find_scenario("my/own.yaml", folder) == Path("my/own.yaml")
    assert find_scenario("my/own.yml", folder) == Path("my/own.yml")


def test_a_scenario_that_does_not_exist() -> None:
    """The hint lists those that do."""
    with pytest.raises(InvalidInput, match="'helthy'") as caught:
        find_scenario("helthy", shipped("scenarios"))
    assert {"apm-outage", "bad-canary", "healthy"} <= set(re.findall(r"[\w.-]+", caught.value.hint))


def test_no_scenarios_at_all(tmp_path: Path) -> None:
    """An empty folder is said to be empty."""
    with pytest.raises(InvalidInput) as caught:
        find_scenario("x", tmp_path)
    assert "known scenarios: none" in caught.value.hint
