"""`gatelab promote|abort|retry|undo`: act on the run in progress."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from rollout_runner.adapters.operator_server import CONTROL_FILE, KEY_HEADER
from svckit.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path


def send_command(command: str, *, folder: Path | None, runs: Path) -> str:
    """Send the command to the run and return where the run is.

    Args:
        command: promote, promote-full, abort, retry or undo.
        folder: the run's folder; None finds the only run in progress.
        runs: where runs are looked for.

    Raises:
        NotFound: no run is in progress there.
        InvalidInput: several are, or the run refused.
        Unavailable: the run does not answer.
    """
    path = _find(folder, runs)
    try:
        control: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        response = httpx.post(
            f"{control['url']}/control/{command}",
            headers={KEY_HEADER: control["key"]},
            timeout=10,
            trust_env=False,
        )
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        raise Unavailable(
            f"the run in {path.parent} does not answer",
            hint=f"if it is over, remove {path}",
        ) from None
    if response.is_error:
        raise InvalidInput(f"the run in {path.parent} refused {command}: {response.text}")
    return str(path.parent)


def _find(folder: Path | None, runs: Path) -> Path:
    if folder is not None:
        path = folder / CONTROL_FILE
        if not path.is_file():
            raise NotFound(
                f"no run is in progress in {folder}", hint="--dir is the folder of `gatelab run`"
            )
        return path
    found = sorted(runs.glob(f"**/{CONTROL_FILE}"))
    if not found:
        raise NotFound(
            f"no run is in progress below {runs}",
            hint="start one with `gatelab run`, or name its folder with --dir",
        )
    if len(found) > 1:
        folders = ", ".join(str(path.parent) for path in found)
        raise InvalidInput(f"several runs are in progress: {folders}", hint="choose with --dir")
    return found[0]
