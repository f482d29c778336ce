"""Logs never show secrets; random streams never disturb each other."""

from __future__ import annotations

import pytest

from svckit.logging import hide_secrets
from svckit.randomness import stream


@pytest.mark.parametrize("name", ["api_key", "Api-Key", "Authorization", "admin_token", "password"])
def test_secrets_are_masked_by_name(name: str) -> None:
    """Any key that names a secret loses its value."""
    assert hide_secrets(None, "info", {name: "s3cret", "app": "a"}) == {name: "*****", "app": "a"}


def test_streams_depend_on_seed_and_name_only() -> None:
    """The same name gives the same numbers, another name other numbers."""
    first = [stream(7, "arrivals", "canary").random() for _ in range(2)]
    assert first[0] == first[1]
    assert stream(7, "arrivals", "stable").random() != first[0]
    assert stream(8, "arrivals", "canary").random() != first[0]
