"""Patterns: `LIKE` with `%`, and regular expressions in RE2, which cannot run away."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from mock_newrelic.domain.nrql.errors import NrqlError

MAX_PATTERN = 1000


@lru_cache(maxsize=256)
def regular_expression(pattern: str) -> Any:
    """Return the compiled expression.

    Raises:
        NrqlError: RE2 does not take it.
    """
    if len(pattern) > MAX_PATTERN:
        raise NrqlError("the regular expression is too long", hint=f"at most {MAX_PATTERN}")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except (re2.error, UnicodeError):
        raise NrqlError(
            "the regular expression is not valid", hint="RE2 syntax, without lookaround"
        ) from None


@lru_cache(maxsize=256)
def like_expression(pattern: str) -> Any:
    """Return the expression of a `LIKE` pattern: `%` is anything, case does not matter."""
    parts = (re.escape(part) for part in pattern.split("%"))
    return regular_expression("(?is)" + ".*".join(parts))
