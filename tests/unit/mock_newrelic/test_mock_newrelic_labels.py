"""Labels are bounded per application."""

from __future__ import annotations

import pytest

from mock_newrelic.domain.labels import (
    MAX_NAMES,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    LabelIndex,
)


def test_dimensions_are_always_kept() -> None:
    """Role, hash, version and host are no labels in this sense and have no bound here."""
    index = LabelIndex()
    for number in range(2 * MAX_VALUES):
        pair = frozenset({("host", str(number))})
        assert index.admit(pair) == pair
    assert index.can_answer("host")


def test_a_name_with_too_many_values_is_retired() -> None:
    """From then on it is dropped and cannot be asked for."""
    index = LabelIndex()
    for number in range(MAX_VALUES):
        assert index.admit(frozenset({("id", str(number))}))
    assert index.can_answer("id")
    assert index.admit(frozenset({("id", "more"), ("zone", "a")})) == {("zone", "a")}
    assert not index.can_answer("id")
    assert index.admit(frozenset({("id", "0")})) == frozenset()


def test_a_value_that_is_too_long_retires_its_name() -> None:
    """A label is a word, not a document."""
    index = LabelIndex()
    index.admit(frozenset({("note", "x" * (MAX_VALUE_LENGTH + 1))}))
    assert not index.can_answer("note")


@pytest.mark.parametrize("name", ["beyond", "never-seen"])
def test_when_names_run_out_unknown_ones_cannot_be_answered(name: str) -> None:
    """A name that had no room looks like one that was never sent, so both are refused."""
    index = LabelIndex()
    for number in range(MAX_NAMES):
        index.admit(frozenset({(f"n{number}", "x")}))
    assert index.can_answer("never-seen")
    index.admit(frozenset({("beyond", "x")}))
    assert not index.can_answer(name)
    assert index.can_answer("n0")
