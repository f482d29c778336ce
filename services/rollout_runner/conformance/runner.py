"""Replay of whole files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.conformance.record import UnsupportedRecord, tells_of_1_9
from rollout_runner.conformance.registry import REPLAYS
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rollout_runner.conformance.record import Check, Record

_SHARED_RESULTS = "results"
_LONGEST = 300


@dataclass(slots=True)
class FileReport:
    """What came of one file; `details` has a line for every record that did not pass."""

    total: int = 0
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "total": self.total,
            "passed": self.passed,
            "failed": self.failed,
            "unsupported": self.unsupported,
        }

    def text(self, name: str) -> str:
        """Return the report as lines: the counts, then every record that did not pass."""
        counts = f"{name}: {self.passed} of {self.total} passed"
        if self.unsupported:
            counts += f", {len(self.unsupported)} unsupported"
        return "\n".join(
            [counts, *(f"  {identity}: {detail}" for identity, detail in self.details.items())]
        )


def read_records(path: Path) -> list[Record]:
    """Return the records of a vector file; results that they share are put in their place.

    Raises:
        InvalidInput: the file cannot be read, is no JSON or has no list `vectors`.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: no JSON: {error}") from None
    vectors = document.get("vectors") if isinstance(document, dict) else None
    if not isinstance(vectors, list) or not all(isinstance(one, dict) for one in vectors):
        raise InvalidInput(
            f"{path}: expected an object with a list of objects in `vectors`",
            hint="vector files look like those in tests/vectors/argo",
        )
    shared = document.get(_SHARED_RESULTS)
    if not isinstance(shared, dict):
        return vectors
    return [
        one | {"result": shared[one["result"]]}
        if isinstance(one.get("result"), str) and one["result"] in shared
        else one
        for one in vectors
    ]


def replay_file(path: Path, version: ArgoVersion) -> FileReport:
    """Replay all records of one file; the stem of its name tells their kind.

    A kind without a replay, or a record that asks for a value without a function, is reported as
    unsupported. A record that a replay cannot read fails: it is not what the kind looks like.

    A file in which no record tells of 1.9 was recorded of 1.10 only, so it is replayed by the rules
    of 1.10, whatever the version.

    Raises:
        InvalidInput: the file is not a vector file.
    """
    report = FileReport()
    replay = REPLAYS.get(path.stem, _no_replay)
    records = read_records(path)
    if not any(tells_of_1_9(record) for record in records):
        version = ArgoVersion.V1_10
    for index, record in enumerate(records):
        identity = str(record.get("id", index))
        report.total += 1
        try:
            wrong = [check for check in replay(record, version) if not check.agrees]
        except UnsupportedRecord as reason:
            report.unsupported.append(identity)
            report.details[identity] = str(reason)
        except Exception as error:  # noqa: BLE001 - one bad record must not hide the others
            report.failed.append(identity)
            report.details[identity] = f"cannot be replayed: {type(error).__name__}: {error}"
        else:
            if wrong:
                report.failed.append(identity)
                report.details[identity] = "; ".join(map(_difference, wrong))
            else:
                report.passed += 1
    return report


def _difference(check: Check) -> str:
    return f"{check.what} is {_shown(check.actual)}, expected {_shown(check.expected)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _no_replay(_record: Record, _version: ArgoVersion) -> Iterator[Check]:
    raise UnsupportedRecord("no replay for files of this name")
