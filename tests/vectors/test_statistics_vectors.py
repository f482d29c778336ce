"""Every reference value of `tests/vectors/statistics` is reproduced, record by record.

The values come from mpmath, SciPy, statsmodels, confseq, savvi and Kayenta's own tests; each file
names its source and each record its precision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzer.conformance.record import Check, Record, UnsupportedRecord, checks
from analyzer.conformance.registry import REPLAYS
from analyzer.conformance.runner import identity_of, read_records, replay_file

VECTORS = Path(__file__).parent / "statistics"
FILES = sorted(VECTORS.glob("*.json"))


def _records() -> list[Any]:
    return [
        pytest.param(path.stem, record, id=f"{path.stem}[{identity_of(record, index)}]")
        for path in FILES
        for index, record in enumerate(read_records(path))
    ]


@pytest.mark.parametrize(("kind", "record"), _records())
def test_record_is_reproduced(kind: str, record: Record) -> None:
    """Every value that the record expects is computed, to the precision that it states."""
    found = list(REPLAYS[kind](record))
    assert found, "a record that checks nothing proves nothing"
    assert [check for check in found if not check.agrees()] == []


class TestAgreement:
    """Agreement."""

    @pytest.mark.parametrize(
        ("actual", "expected", "tolerance"),
        [
            (1.0 + 2e-9, 1.0, 1e-9),
            (2000.1, 2000.0, 1e-5),
            (0.0, 1e-8, 1e-9),
            ([1.0, 2.0], [1.0], 1.0),
            ([1.0, 2.0], [1.0, 2.1], 1e-3),
            ({"a": 1.0}, {"b": 1.0}, 1.0),
            (float("nan"), 1.0, 1.0),
            (1.0, None, 1.0),
            (None, 1.0, 1.0),
            (True, 1.0, 1.0),
            ("Pass", "High", 1.0),
            (0, True, 1.0),
        ],
    )
    def test_a_wrong_value_does_not_agree(
        self, actual: Any, expected: Any, tolerance: float
    ) -> None:
        """A wrong value does not agree."""
        assert not Check("x", actual, expected, tolerance).agrees()

    @pytest.mark.parametrize("expected", [None, "NaN"])
    def test_no_number_is_expected_as_null_or_nan(self, expected: Any) -> None:
        """No number is expected as null or nan."""
        assert Check("x", float("nan"), expected).agrees()

    def test_an_expected_value_without_a_function_is_unsupported_not_ignored(self) -> None:
        """An expected value without a function is unsupported not ignored."""
        with pytest.raises(UnsupportedRecord, match="no function for q"):
            list(checks({"p": 1.0, "q": 2.0}, {"p": lambda: 1.0}, 0.0))


class TestFiles:
    """Files."""

    def test_every_file_has_a_replay(self) -> None:
        """Every kind of reference value is replayed: 24 kinds, none left out."""
        assert {path.stem for path in FILES} == set(REPLAYS)
        assert len(FILES) == 24

    def test_a_wrong_expected_value_fails_its_record_alone(self, tmp_path: Path) -> None:
        """A wrong expected value fails its record alone."""
        text = (VECTORS / "cmh.json").read_text(encoding="utf-8")
        changed = tmp_path / "cmh.json"
        changed.write_text(text.replace("9.456785299164478", "9.4567"), encoding="utf-8")
        report = replay_file(changed)
        assert (report.total, report.passed, report.failed) == (3, 2, ["0"])

    def test_a_file_of_unknown_name_is_unsupported(self, tmp_path: Path) -> None:
        """A file of unknown name is unsupported."""
        path = tmp_path / "tarot.json"
        path.write_text('{"vectors": [{"id": "x1"}]}', encoding="utf-8")
        report = replay_file(path)
        assert (report.total, report.passed, report.unsupported) == (1, 0, ["x1"])

    def test_a_record_without_its_inputs_fails(self, tmp_path: Path) -> None:
        """A record without its inputs fails."""
        path = tmp_path / "ks_2samp.json"
        path.write_text('{"vectors": [{"x": [1.0]}]}', encoding="utf-8")
        report = replay_file(path)
        assert report.failed == ["0"]
        assert "cannot be replayed" in report.details["0"]
