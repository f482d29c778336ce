"""The catalogue of faults names every effect that exists, and its examples are good input."""

from __future__ import annotations

import json
import re

import pytest

from docs_project import read
from mock_newrelic.domain.effects import payload, transport
from mock_newrelic.domain.effects.registry import EFFECTS, parse_effect

CATALOGUE = read("docs/reference/faults.md")
EXAMPLES = [
    document
    for text in re.findall(r"`(\{\"[^`]*\})`", CATALOGUE)
    if next(iter(document := json.loads(text))) in EFFECTS
]


def test_every_effect_is_in_the_catalogue() -> None:
    """With an example of its wire form."""
    assert {next(iter(example)) for example in EXAMPLES} == set(EFFECTS)


@pytest.mark.parametrize("kind", [*payload.KINDS, *transport.KINDS])
def test_every_kind_is_in_the_catalogue(kind: str) -> None:
    """By its name, in a table."""
    assert f"`{kind}`" in CATALOGUE


@pytest.mark.parametrize("example", EXAMPLES, ids=json.dumps)
def test_the_examples_can_be_injected(example: dict[str, object]) -> None:
    """Each is accepted as it stands."""
    assert parse_effect(example, None).name in example
