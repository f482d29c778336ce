"""What the command line calls a fault, in the words of the control plane."""

from __future__ import annotations

import json
from typing import Any

from mock_newrelic.domain.effects.registry import EFFECTS
from svckit.errors import InvalidInput

METRIC_WORDS = {
    "error-rate": "errorRate",
    "http-error-rate": "httpErrorRate",
    "throughput": "throughput",
    "response-time": "responseTime",
    "apdex": "apdex",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
}
"""Words that set a metric: `inject error-rate --value 8`."""

PLAIN = ("no-data", "stale", "label-loss")
WORDS = (*METRIC_WORDS, *sorted(name.replace("_", "-") for name in EFFECTS))


def effect_of(word: str, value: str | None) -> tuple[dict[str, Any], str | None]:
    """Return the effect of a word and its value, and the metric that it sets.

    >>> effect_of("error-rate", "8")
    ({'set': 8}, 'errorRate')
    >>> effect_of("latency", "300ms")
    ({'latency': {'add': '300ms'}}, None)

    Raises:
        InvalidInput: the word is not known, or its value missing.
    """
    if word in METRIC_WORDS:
        return {"set": _value(word, value)}, METRIC_WORDS[word]
    name = word.replace("-", "_")
    if name not in EFFECTS:
        raise InvalidInput(f"the fault {word!r} is not known", hint=f"one of: {', '.join(WORDS)}")
    if word in PLAIN and value is None:
        return {name: True}, None
    argument = _value(word, value)
    if name == "latency" and isinstance(argument, str):
        argument = {"add": argument}
    return {name: argument}, None


def _value(word: str, value: str | None) -> Any:
    if value is None:
        raise InvalidInput(f"{word} needs --value", hint=f"mock-newrelic inject {word} --value …")
    try:
        return json.loads(value)
    except ValueError:
        return value
