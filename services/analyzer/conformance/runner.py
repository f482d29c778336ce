"""Replay of whole files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analyzer.conformance.record import UnsupportedRecord
from analyzer.conformance.registry import REPLAYS
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from analyzer.conformance.record import Check, Record


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
    """Return the records of a vector file.

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
        raise InvalidInput(f"{path}: expected an object with a list of objects in `vectors`")
    return vectors


def replay_file(path: Path) -> FileReport:
    """Replay all records of one file; the stem of its name tells their kind.

    A kind without a replay, or a record that asks for a value without a function, is reported as
    unsupported. A record that a replay cannot read fails: it is not what the kind looks like.

    Raises:
        InvalidInput: the file is not a vector file.
    """
    report = FileReport()
    replay = REPLAYS.get(path.stem, _no_replay)
    for index, record in enumerate(read_records(path)):
        identity = identity_of(record, index)
        report.total += 1
        try:
            wrong = [check for check in replay(record) if not check.agrees()]
        except UnsupportedRecord as reason:
            report.unsupported.append(identity)
            report.details[identity] = str(reason)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            report.failed.append(identity)
            report.details[identity] = f"cannot be replayed: {type(error).__name__}: {error}"
        else:
            if wrong:
                report.failed.append(identity)
                report.details[identity] = "; ".join(
                    f"{one.what} is {one.actual}, expected {one.expected} +- {one.tolerance:g}"
                    for one in wrong
                )
            else:
                report.passed += 1
    return report


def _no_replay(_record: Record) -> Iterator[Check]:
    raise UnsupportedRecord("no replay for files of this name")


def identity_of(record: Record, index: int) -> str:
    """Return the record's id: its own, or its number in the file with its name if it has one."""
    if "id" in record:
        return str(record["id"])
    name = record.get("name") or record.get("fn") or record.get("seq") or record.get("set")
    return f"{index}" if name is None else f"{index} {name}"
