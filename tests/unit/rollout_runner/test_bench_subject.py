"""What a run is about, read from manifests, and what is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rollout_runner.bench.subject import FALLBACK_APM_KEY, Subject
from rollout_runner.scenarios.model import Versions
from runner_trial import QA
from svckit.errors import InvalidInput

TEXT = QA.read_text()
IMAGE = "792373136340.dkr.ecr.us-west-2.amazonaws.com/opsera/voting01-vote"


@pytest.fixture(name="load")
def _load(tmp_path: Path) -> Callable[..., Subject]:
    """Return a function that reads the QA manifests with texts replaced."""

    def load(*replacements: tuple[str, str], versions: Versions | None = None) -> Subject:
        text = TEXT
        for before, after in replacements:
            assert before in text
            text = text.replace(before, after)
        path = tmp_path / "manifests.yaml"
        path.write_text(text)
        return Subject.load(
            path, rollout=None, versions=versions or Versions(), providers=("web", "job")
        )

    return load


def test_the_qa_rollout(load: Callable[..., Subject]) -> None:
    """Namespace, versions, Services and what its gates ask the APM for."""
    subject = load()
    assert (subject.canary.name, subject.namespace) == ("vote", "voting01-qa")
    assert subject.canary_image == f"{IMAGE}:e3e1a9b-20260204015120"
    assert subject.stable_image == f"{IMAGE}:v16"
    assert subject.services == ("vote", "vote-canary")
    assert subject.app_name == "voting01-vote-qa"
    assert subject.apm_key == "test-key"
    assert subject.secrets["newrelic-api-key"] == {"api-key": "test-key"}
    assert subject.config_maps["voting01-config"]["DATABASE_PORT"] == "5432"
    names = {template.name for template in subject.templates}
    assert names == {"voting01-canary-analysis", "voting01-health-check"}


def test_the_version_before_differs_in_its_image_only(load: Callable[..., Subject]) -> None:
    """So it has another hash, and everything else is the same."""
    subject = load()
    assert subject.stable.pod_hash != subject.canary.pod_hash
    assert subject.stable.canary.steps == subject.canary.canary.steps
    assert subject.stable.replicas == subject.canary.replicas


@pytest.mark.parametrize(
    ("image", "before"),
    [
        pytest.param("vote:v17", "vote:v16", id="tag"),
        pytest.param("vote", "vote:v16", id="no-tag"),
        pytest.param("registry:5000/a/vote", "registry:5000/a/vote:v16", id="port"),
        pytest.param("registry:5000/a/vote:v17", "registry:5000/a/vote:v16", id="port-and-tag"),
        pytest.param("vote@sha256:abc", "vote:v16", id="digest"),
        pytest.param("r/vote:v17@sha256:abc", "r/vote:v16", id="tag-and-digest"),
    ],
)
def test_the_image_of_the_version_before(
    image: str, before: str, load: Callable[..., Subject]
) -> None:
    """The same repository with the scenario's tag."""
    assert load((f"{IMAGE}:e3e1a9b-20260204015120", image)).stable_image == before


def test_the_same_version_twice_is_refused(load: Callable[..., Subject]) -> None:
    """There would be nothing to roll out."""
    with pytest.raises(InvalidInput, match="nothing to roll out") as caught:
        load(versions=Versions(stable="e3e1a9b-20260204015120"))
    assert "must be another tag" in caught.value.hint


def test_another_key(load: Callable[..., Subject]) -> None:
    """The APM of the bench takes the key that the gates send."""
    assert load(("api-key: test-key", "api-key: other")).apm_key == "other"


def test_gates_without_a_secret(load: Callable[..., Subject]) -> None:
    """The APM still has a key, which nobody needs."""
    reference = (
        "    valueFrom:\n      secretKeyRef:\n"
        "        key: api-key\n        name: newrelic-api-key\n"
    )
    assert load((reference, "    value: plain\n")).apm_key == FALLBACK_APM_KEY


def test_gates_that_name_no_app(load: Callable[..., Subject]) -> None:
    """Pods then call themselves by namespace and name."""
    subject = load(
        ("- name: app-name", "- name: application"), ("args.app-name", "args.application")
    )
    assert subject.app_name == "voting01-qa-vote"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(
            "      web:\n        jsonPath: '{$}'\n        method: GET\n",
            "      prometheus: {query: x, address: 'http://y'}\n      web:\n",
            "uses the prometheus provider, which cannot be run here",
            id="provider",
        ),
        pytest.param(
            "setWeight: 50", "setWeight: 120", 'The Rollout "vote" is invalid', id="weight"
        ),
        pytest.param(
            "templateName: voting01-health-check",
            "templateName: nope",
            "AnalysisTemplate 'nope' not found",
            id="template",
        ),
        pytest.param("kind: Rollout", "kind: Deployment", "no kind 'Deployment'", id="kind"),
    ],
)
def test_what_cannot_be_run_is_refused(
    before: str, after: str, told: str, load: Callable[..., Subject]
) -> None:
    """With a sentence that names it and a hint."""
    with pytest.raises(InvalidInput) as caught:
        load((before, after))
    assert told in caught.value.detail
    assert caught.value.hint


def test_the_source_is_shown_without_the_machine(tmp_path: Path) -> None:
    """Relative to where gatelab runs, or by its name alone."""
    elsewhere = tmp_path / "mine.yaml"
    elsewhere.write_text(TEXT)
    options = {"rollout": None, "versions": Versions(), "providers": ("web",)}
    assert Subject.load(elsewhere, **options).source == "mine.yaml"  # type: ignore[arg-type]
