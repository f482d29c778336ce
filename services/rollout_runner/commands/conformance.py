"""`gatelab conformance`: vectors of Argo Rollouts against the runner's engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rollout_runner.conformance.runner import replay_file
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rollout_runner.argo.types import ArgoVersion

_INDEX = "INDEX"


def replay_files(files: Sequence[Path], *, version: ArgoVersion, as_json: bool) -> tuple[str, bool]:
    """Replay vector files; a folder stands for the files in it.

    Returns:
        The report, and whether every record that has a replay passed.

    Raises:
        InvalidInput: a file is no vector file, or there is none: nothing replayed proves nothing.
    """
    reports = {str(file): replay_file(file, version) for file in _expanded(files)}
    if as_json:
        text = json.dumps({name: one.document() for name, one in reports.items()}, indent=2)
    else:
        text = "\n".join(report.text(name) for name, report in reports.items())
    return text, not any(report.failed for report in reports.values())


def _expanded(paths: Sequence[Path]) -> list[Path]:
    """Return the vector files: those of a folder too, but never the index beside them."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.json")) if path.is_dir() else [path]
    files = [file for file in found if file.stem != _INDEX]
    if not files:
        raise InvalidInput(
            f"{', '.join(map(str, paths))}: there is no vector file",
            hint="give files such as those in tests/vectors/argo, or a folder of them",
        )
    return files
