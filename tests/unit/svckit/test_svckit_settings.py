"""Settings: precedence and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from svckit.errors import InvalidInput
from svckit.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """Settings of an imaginary service."""

    model_config = settings_config("IMAGINARY_")

    port: int = 7000
    colour: str = Field("red", description="Colour of the shed.")


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("port: 7002\ncolour: blue\n")
    return path


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four sources are tried in this order."""
    assert Settings.load().port == 7000
    assert Settings.load(config=config).port == 7002
    monkeypatch.setenv("IMAGINARY_PORT", "7001")
    assert Settings.load(config=config).port == 7001
    assert Settings.load(config=config, port=7003).port == 7003
    assert Settings.load(config=config, port=7003).colour == "blue"


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    """None means: not on the command line."""
    assert Settings.load(port=None).port == 7000


def test_a_wrong_value_names_flag_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint says where the value can be set."""
    monkeypatch.setenv("IMAGINARY_PORT", "seven")
    with pytest.raises(InvalidInput, match="setting 'port'") as error:
        Settings.load()
    assert error.value.hint == "set it with --port or IMAGINARY_PORT"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colur: green\n", "unknown setting 'colur'"),
        ("- a\n", "expected a mapping"),
        ("a: [\n", "settings.yaml"),
    ],
)
def test_a_bad_file_is_refused(config: Path, text: str, message: str) -> None:
    """Unknown names and files that are no mapping are errors, not ignored."""
    config.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        Settings.load(config=config)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A configuration file that was asked for has to exist."""
    with pytest.raises(InvalidInput, match="No such file"):
        Settings.load(config=tmp_path / "none.yaml")
