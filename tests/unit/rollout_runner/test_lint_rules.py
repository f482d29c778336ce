"""Every rule of `gatelab lint` against its own examples, and what all of them have in common."""

from __future__ import annotations

import re

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import RULES, Finding, lint
from rollout_runner.manifests.render import Source

UNSUPPORTED = "GL901"


def found(code: str, text: str, version: ArgoVersion = ArgoVersion.V1_9) -> tuple[Finding, ...]:
    """Lint an example called `f.yaml`.

    What `gatelab run` cannot run yet is of no matter to the examples of other rules.
    """
    codes = [each for each in RULES if each != UNSUPPORTED or code == UNSUPPORTED]
    return lint([Source(name="f.yaml", text=text)], version=version, codes=codes)


@pytest.mark.parametrize("code", RULES)
def test_the_bad_example_breaks_this_rule_and_no_other(code: str) -> None:
    """What the reference shows as bad is found, under this code alone, with reason and fix."""
    findings = found(code, RULES[code].bad.document)
    assert {each.code for each in findings} == {code}
    assert all(each.reason and each.fix for each in findings)


@pytest.mark.parametrize("code", RULES)
def test_the_good_example_is_clean(code: str) -> None:
    """What the reference shows as good breaks no rule at all."""
    assert [
        f"{each.code} {each.place} {each.reason}" for each in found(code, RULES[code].good.document)
    ] == []


@pytest.mark.parametrize("code", RULES)
def test_a_rule_says_what_a_reader_needs(code: str) -> None:
    """Codes are stable in form; why and fix are sentences and clauses, title is a phrase."""
    rule = RULES[code]
    assert re.fullmatch(r"GL[0-9]{3}", code)
    assert code == rule.code
    assert rule.why.rstrip(")").endswith(".")
    assert not rule.title.endswith(".")
    assert not rule.fix.endswith(".")
    assert rule.bad.text != rule.good.text or rule.bad.more != rule.good.more


def test_there_are_a_hundred_and_thirty_rules() -> None:
    """The catalogue does not shrink unnoticed."""
    assert len(RULES) >= 130


@pytest.mark.parametrize("version", ArgoVersion)
def test_every_version_can_be_linted_for(version: ArgoVersion) -> None:
    """No rule fails for another version, and few find nothing for one of them."""
    silent = [
        rule.code for rule in RULES.values() if not found(rule.code, rule.bad.document, version)
    ]
    evaluates = version.evaluates_plain_text
    assert silent == (["GL512", "GL608", "GL717"] if evaluates else [])
