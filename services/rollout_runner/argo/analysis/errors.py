"""What can be wrong with an analysis before it measures anything."""

from __future__ import annotations

from svckit.errors import InvalidInput


class AnalysisError(InvalidInput):
    """A template, argument or run that cannot be used; the detail is Argo's own message."""

    default_code = "invalid_analysis"
    title = "Invalid analysis"
