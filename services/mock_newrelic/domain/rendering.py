"""The body of the facade, byte for byte.

Two readers must agree on it: a JSON parser, and a shell line that greps for the quoted metric
name, a colon, digits and dots. So the body is one line, the metric is a key exactly once, and its
number has at most four decimals, no exponent and no sign.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DECIMALS = 4


def number_text(value: float) -> str:
    """Write a finite, non-negative number: `0.0`, `5.2`, `0.001`, `1000`.

    Raises:
        ValueError: the value cannot be told as such a number.
    """
    if isinstance(value, int):
        if value < 0:
            raise ValueError("negative")
        return str(value)
    if not 0 <= value < float("inf"):
        raise ValueError("neither negative numbers nor NaN and infinity can be told")
    text = f"{value + 0.0:.{DECIMALS}f}".rstrip("0")  # + 0.0 turns -0.0 into 0.0
    return text + "0" if text.endswith(".") else text


def facade_body(
    *,
    app: str,
    metric: str,
    window: str,
    value: float,
    timestamp: str,
    extension: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the five keys in their order, then the extension without a second metric key."""
    return facade_bodies(
        app=app,
        metric=metric,
        window=window,
        values={metric: value},
        timestamp=timestamp,
        extension=extension,
    )


def facade_bodies(
    *,
    app: str,
    metric: str,
    window: str,
    values: Mapping[str, float],
    timestamp: str,
    extension: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the body for several metrics: one value key for each, in the order of `values`."""
    told = ",".join(f'"{name}":{number_text(value)}' for name, value in values.items())
    body = (
        f'{{"app":{json.dumps(app)},"metric":"{metric}","window":"{window}",'
        f'{told},"timestamp":"{timestamp}"'
    )
    if extension:
        more = {name: content for name, content in extension.items() if name not in values}
        body += "," + json.dumps(more, separators=(",", ":"))[1:-1]
    return (body + "}").encode()


def exposition(
    *, app: str, window: str, selector: Mapping[str, str], values: Mapping[str, float]
) -> bytes:
    """Return the values as Prometheus text, one gauge for each metric."""
    labels = {"app": app, "window": window, **selector}
    told = ",".join(
        f'{re.sub(r"[^a-zA-Z0-9_]", "_", name)}="{_escaped(value)}"'
        for name, value in labels.items()
    )
    lines = []
    for name, value in values.items():
        plain = re.sub(r"[^a-zA-Z0-9_:]", "_", name)
        lines += [f"# TYPE {plain} gauge", f"{plain}{{{told}}} {number_text(value)}"]
    return ("\n".join(lines) + "\n").encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
