"""Settings of the analyzer: comma lists, and errors at start instead of surprises later."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.settings import Settings
from svckit.errors import InvalidInput


def test_the_defaults_are_closed() -> None:
    """No source, no key, nothing that may be probed."""
    settings = Settings.load()
    assert settings.source_urls == {}
    assert settings.newrelic_api_key.get_secret_value() == ""
    assert settings.target_rules.allow == ()
    assert settings.port == 8081


def test_lists_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables hold comma lists."""
    monkeypatch.setenv("ANALYZER_SOURCE", "newrelic=http://127.0.0.1:8080")
    monkeypatch.setenv("ANALYZER_API_KEYS", "one, two")
    monkeypatch.setenv("ANALYZER_HEALTH_ALLOW", "voting01-qa/vote-*,voting01-qa/vote")
    monkeypatch.setenv("ANALYZER_HEALTH_RESOLVE", "vote.voting01-qa=127.0.0.1:9001")
    settings = Settings.load()
    assert settings.source_urls == {"newrelic": "http://127.0.0.1:8080"}
    assert [key.get_secret_value() for key in settings.api_keys] == ["one", "two"]
    assert settings.target_rules.allow == (("voting01-qa", "vote-*"), ("voting01-qa", "vote"))
    assert settings.target_rules.resolve == {"vote.voting01-qa": "127.0.0.1:9001"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("source", ("graphite=http://g:9090",), id="unsupported-source"),
        pytest.param("prometheus_requests", 'up{job="x"}', id="selector-for-a-name"),
        pytest.param("prometheus_hash_label", "pod-hash", id="no-label-name"),
        pytest.param("prometheus_bad_status", "5..(", id="no-regular-expression"),
        pytest.param("source", ("newrelic",), id="source-without-url"),
        pytest.param("source", ("newrelic=ftp://x",), id="source-scheme"),
        pytest.param("source", ("newrelic=http://",), id="source-without-host"),
        pytest.param("source", ("newrelic=http://h:99999",), id="source-port"),
        pytest.param("health_allow", "voting01-qa", id="allow-without-service"),
        pytest.param("health_resolve", "vote=127.0.0.1", id="resolve-without-port"),
        pytest.param("api_keys", ("",), id="empty-key"),
        pytest.param("source_timeout_seconds", 0, id="no-time"),
    ],
)
def test_a_bad_value_is_refused_at_start(name: str, value: Any) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidInput, match=name):
        Settings.load(**{name: value})


def test_keys_do_not_show() -> None:
    """Printing the settings does not print secrets."""
    settings = Settings.load(newrelic_api_key="s3cret", api_keys=("t0psecret",))
    assert "s3cret" not in repr(settings)
    assert "t0psecret" not in repr(settings)
