"""Everything that was recorded of Argo Rollouts, against the engine: all of it passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.conformance.registry import REPLAYS
from rollout_runner.conformance.runner import FileReport, replay_file

_FOLDER = Path(__file__).parent / "argo"
_COUNTS: dict[str, int] = json.loads((_FOLDER / "INDEX.json").read_text())["files"]


@pytest.mark.parametrize("version", [ArgoVersion.V1_10, ArgoVersion.V1_9])
@pytest.mark.parametrize("stem", sorted(_COUNTS))
def test_every_record_of_a_file_passes(stem: str, version: ArgoVersion) -> None:
    """No record of the file fails or is unsupported, and none is left out."""
    report = replay_file(_FOLDER / f"{stem}.json", version)
    assert report == FileReport(total=_COUNTS[stem], passed=_COUNTS[stem])


def test_every_kind_of_file_has_a_replay() -> None:
    """The files that there are, and the replays that there are, are the same."""
    assert REPLAYS.keys() == _COUNTS.keys()
    assert {path.stem for path in _FOLDER.glob("*.json")} == {*_COUNTS, "INDEX"}
