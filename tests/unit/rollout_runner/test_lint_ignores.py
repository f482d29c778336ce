"""`# gatelab: ignore CODE reason`: what it covers, and what is wrong with it."""

from __future__ import annotations

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import lint
from rollout_runner.manifests.render import Source

METRIC = """\
{before}apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {name}}}
spec:
  metrics:
    - name: m
      count: 3
      interval: 30s
{above}      failureLimit: 3{behind}
      successCondition: result.verdict == "pass"
      provider: {{web: {{url: https://analyzer.example/v1/analysis}}}}
"""


def manifest(*, name: str = "a", before: str = "", above: str = "", behind: str = "") -> str:
    """Return a template whose failureLimit is found by GL308, with comments around it."""
    return METRIC.format(name=name, before=before, above=above, behind=behind)


def codes(text: str, *, only: tuple[str, ...] | None = None) -> list[str]:
    """Return the codes that are found in a text."""
    chosen = {} if only is None else {"codes": only}
    found = lint([Source(name="f.yaml", text=text)], version=ArgoVersion.V1_9, **chosen)
    return [each.code for each in found]


def test_behind_a_value() -> None:
    """The comment is for its own line."""
    assert codes(manifest()) == ["GL308"]
    assert codes(manifest(behind="  # gatelab: ignore GL308 a trial")) == []


def test_above_a_value() -> None:
    """Alone on a line, the comment is for the next line that says something."""
    assert (
        codes(manifest(above="      # gatelab: ignore GL308 a trial\n      # and more\n\n")) == []
    )


def test_above_an_object() -> None:
    """Before the first line of an object it is for all of it, and for no other object."""
    first = manifest(name="a", before="# gatelab: ignore GL308 a trial\n")
    assert codes(f"{first}---\n{manifest(name='b')}") == ["GL308"]
    assert codes(f"{manifest(name='b')}---\n{first}") == ["GL308"]


def test_several_codes_and_one_that_finds_nothing() -> None:
    """A comment is in use when one of its codes finds something."""
    assert codes(manifest(behind="  # gatelab: ignore GL308, GL310 a trial")) == []


def test_without_a_reason_nothing_is_ignored() -> None:
    """The finding stays, and the comment is a finding of its own."""
    assert codes(manifest(behind="  # gatelab: ignore GL308")) == ["GL308", "GL092"]


def test_an_unknown_code_and_no_code() -> None:
    """Both are found, and ignore nothing."""
    assert codes(manifest(behind="  # gatelab: ignore GL38 a trial")) == ["GL308", "GL091"]
    assert codes(manifest(behind="  # gatelab: ignore this one")) == ["GL308", "GL091"]


def test_unused_is_said_only_of_rules_that_were_applied() -> None:
    """With --select another rule, the comment may well be needed."""
    text = manifest(above="      # gatelab: ignore GL310 a trial\n")
    assert codes(text) == ["GL308", "GL090"] or codes(text) == ["GL090", "GL308"]
    assert codes(text, only=("GL308", "GL090")) == ["GL308"]


def test_a_comment_of_another_tool_is_left_alone() -> None:
    """Only this form is read."""
    assert codes(manifest(behind="  # ignore GL308 please")) == ["GL308"]


def test_a_finding_of_another_release_makes_a_comment_needed() -> None:
    """GL512 is found up to 1.9 only: manifests for several releases keep the comment."""
    text = manifest(behind="  # gatelab: ignore GL308 a trial").replace(
        "https://analyzer.example/v1/analysis}",
        '"https://vote.example/"}',
    )
    ignored = text.replace("provider:", "# gatelab: ignore GL512 only the status\n      provider:")
    for version, without in ((ArgoVersion.V1_9, ["GL512"]), (ArgoVersion.V1_10, [])):
        found = lint([Source(name="f.yaml", text=text)], version=version)
        assert [each.code for each in found] == without
        assert lint([Source(name="f.yaml", text=ignored)], version=version) == ()
