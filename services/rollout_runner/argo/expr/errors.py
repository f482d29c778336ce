"""The one error that a condition can end in."""

from __future__ import annotations


class ConditionError(Exception):
    """A condition that does not parse, does not type-check or fails while it runs.

    The message is the expression library's own, as Argo records it in a measurement.
    """
