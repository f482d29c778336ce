"""Settings and command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mock_newrelic.settings import Settings
from svckit.errors import InvalidInput


def test_defaults() -> None:
    """Loopback, port 8080, keys needed, and everybody knows them."""
    settings = Settings.load()
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8080, "static")
    assert settings.keys == {"test-key"}
    assert settings.uses_default_keys


def test_keys_come_as_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commas separate reading keys; with all keys changed the warning ends."""
    monkeypatch.setenv("MOCK_NEWRELIC_API_KEYS", "k1, k2,")
    monkeypatch.setenv("MOCK_NEWRELIC_ADMIN_KEY", "other")
    settings = Settings.load()
    assert settings.keys == {"k1", "k2"}
    assert not settings.uses_default_keys
    assert "k1" not in repr(settings)
    assert "other" not in repr(settings)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        pytest.param({"data_dir": ""}, "data_dir", id="no-data-dir"),
        pytest.param({"auth": "strict"}, "auth", id="auth"),
        pytest.param({"api_keys": " , "}, "at least one key", id="no-keys"),
        pytest.param({"stale_after": "1d"}, "unknown unit", id="stale-after"),
        pytest.param({"stale_after": "0s"}, "not above zero", id="stale-after-zero"),
        pytest.param({"port": 70_000}, "port", id="port"),
    ],
)
def test_a_wrong_setting_is_named(flags: dict[str, Any], text: str) -> None:
    """The error says which and why."""
    with pytest.raises(InvalidInput, match=text) as caught:
        Settings.load(**flags)
    assert caught.value.hint


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mock_newrelic", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, **environment},
    )


def test_a_data_dir_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file where the directory should be ends in one line with a hint, and nothing listens."""
    (tmp_path / "file").write_text("no directory")
    done = _run("serve", "--data-dir", str(tmp_path / "file"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "cannot be used" in done.stderr
    assert "--ephemeral" in done.stderr


def test_a_config_file_is_read(tmp_path: Path) -> None:
    """Unknown names in it are refused by name."""
    file = tmp_path / "mock.yaml"
    file.write_text(json.dumps({"prot": 1}))
    done = _run("serve", "--config", str(file))
    assert done.returncode == 2
    assert "unknown setting 'prot'" in done.stderr
