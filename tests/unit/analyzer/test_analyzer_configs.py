"""Configurations: strict files, hashes of what they say, presets that differ where they say."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.adapters.config_files import ConfigFiles
from analyzer.domain.config import JudgeConfig
from analyzer.schemas.config_file import PRESETS, config_of, preset, read_config
from svckit.errors import InvalidInput


def test_the_default_preset_is_the_defaults() -> None:
    """One home for every number: the file says nothing that the code does not."""
    assert replace(preset("balanced"), content="{}", digest="") == JudgeConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_being_kept(name: str) -> None:
    """What is stored beside a run is read as the same configuration, hash included."""
    config = preset(name)
    assert config_of(json.loads(config.content), name=name, where="stored") == config


def test_the_hash_is_of_the_content() -> None:
    """Comments, order and written-out defaults change nothing; a number does."""
    texts = ("alpha: {fail: 2%}\nhorizon: 11m\n", "# so\nhorizon: 11m\nalpha: {fail: 2%, pass: 5%}")
    first, second = (read_config(text, name="x", where="x") for text in texts)
    other = read_config("alpha: {fail: 3%}", name="x", where="x")
    assert first.digest == second.digest != other.digest


def test_presets_differ_where_they_say() -> None:
    """Strict takes more to pass, low-traffic more time, latency-sensitive watches latency."""
    balanced = preset("balanced")
    assert preset("strict").alpha_pass < balanced.alpha_pass
    assert preset("strict").error_limit == 0.02
    assert preset("low-traffic").horizon_s > balanced.horizon_s
    sensitive = preset("latency-sensitive")
    assert sensitive.latency is not None
    assert sensitive.latency.weight > sensitive.errors.weight
    assert sensitive.latency.ranks


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("- 1", "x.yaml"),
        ("{", "x.yaml"),
        ("horizn: 5m", "horizn"),
        ("horizon: 10s", "horizon"),
        ("interval: 1.5s", "interval"),
        ("alpha: {fail: 0.01}", "alpha.fail"),
        ("alpha: {fail: 0%}", "alpha.fail"),
        ("alpha: {pass: 60%}", "alpha.pass"),
        ("errors: {weight: 0}", "errors.weight"),
        ("errors: {passOdds: 0.5}", "errors.passOdds"),
        ("errors: {failOdds: 2}", "errors.passOdds"),
        ("errors: {limit: 2}", "errors.limit"),
        ("latency: {quantiles: []}", "latency.quantiles"),
        ("latency: {passQuantiles: [42%]}", "latency.passQuantiles"),
        ("latency: {floor: 5}", "latency.floor"),
        ("minimum: {requests: 0}", "minimum.requests"),
        ("noDataFailAfter: 1s", "noDataFailAfter"),
        ("burnRate: {objective: 99.9%, short: 1h}", "burnRate"),
    ],
)
def test_a_bad_file_names_the_field(text: str, field: str) -> None:
    """One sentence with file and field."""
    with pytest.raises(InvalidInput, match=r"^x\.yaml") as caught:
        read_config(text, name="x", where="x.yaml")
    assert field in caught.value.detail
    assert caught.value.code == "invalid_config"


def test_latency_can_be_left_out() -> None:
    """False judges errors alone; true is the default."""
    assert read_config("latency: false", name="x", where="x").latency is None
    assert read_config("latency: true", name="x", where="x").latency == JudgeConfig().latency


def test_a_file_hides_a_preset_and_is_read_again(tmp_path: Path) -> None:
    """Without a restart; removing it brings the preset back."""
    configs = ConfigFiles(tmp_path)
    assert configs.get(None).alpha_fail == 0.01
    file = tmp_path / "balanced.yaml"
    file.write_text("alpha: {fail: 2%}", encoding="utf-8")
    assert configs.get(None).alpha_fail == 0.02
    file.write_text("alpha: {fail: 3%}", encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert configs.get("balanced").alpha_fail == 0.03
    file.unlink()
    assert configs.get("balanced").alpha_fail == 0.01


def test_unusable_files_stop_the_start(tmp_path: Path) -> None:
    """And so do a directory that is none and a default that nobody has."""
    (tmp_path / "mine.yaml").write_text("alpha: 1", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"mine\.yaml: alpha"):
        ConfigFiles(tmp_path).check()
    with pytest.raises(InvalidInput, match="no directory"):
        ConfigFiles(tmp_path / "none").check()
    with pytest.raises(InvalidInput, match="theirs is not known"):
        ConfigFiles(default="theirs").check()
