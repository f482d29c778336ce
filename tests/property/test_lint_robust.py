"""Manifests that somebody has broken in any way are findings, never a traceback."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import RULES, lint
from rollout_runner.manifests.render import Source
from svckit.errors import InvalidInput

JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**12,
    "",
    "{{args.a}}",
    "{{",
    [],
    {},
    [None],
    [1],
    {"a": 1},
    [[]],
    "1d",
    "50%",
)
EXAMPLES = [list(yaml.safe_load_all(rule.bad.document)) for rule in RULES.values()]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _paths(each, (*path, index))


def _break(documents: list[Any], rng: random.Random) -> None:
    """Remove one field, or put junk in its place."""
    path = rng.choice([each for each in _paths(documents) if len(each) > 1])
    holder: Any = documents
    for part in path[:-1]:
        holder = holder[part]
    if rng.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(rng.choice(JUNK))


@pytest.mark.parametrize("seed", range(6))
def test_broken_manifests_are_linted(seed: int) -> None:
    """Forty manifests a seed, each broken in one to three places; only YAML itself is refused."""
    rng = random.Random(seed)  # noqa: S311 - broken manifests are no secret
    looked_at = 0
    for _ in range(40):
        documents = copy.deepcopy(rng.choice(EXAMPLES))
        for _ in range(rng.randint(1, 3)):
            _break(documents, rng)
        text = yaml.safe_dump_all([each for each in documents if isinstance(each, dict)])
        version = rng.choice(list(ArgoVersion))
        try:
            lint([Source(name="f.yaml", text=text)], version=version)
        except InvalidInput:
            continue
        looked_at += 1
    assert looked_at > 20


def test_the_same_text_gives_the_same_findings_in_the_same_order() -> None:
    """Linting is a function of the text."""
    source = Source(name="f.yaml", text=RULES["GL008"].bad.document)
    assert lint([source], version=ArgoVersion.V1_9) == lint([source], version=ArgoVersion.V1_9)
