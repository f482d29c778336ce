"""The result as text, for people."""

from __future__ import annotations

from typing import Any, TextIO

QUIET_SECONDS = 30.0
"""Virtual time between two lines about a run whose progress goes to a file."""


class Teller:
    """Tells how a run goes: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._told = 0.0

    def tell(self, document: dict[str, Any]) -> None:
        """Show where the run stands, if it is time to."""
        line = progress_line(document)
        if self._terminal:
            self._stream.write(f"\r\x1b[K{line}")
        elif document["duration_s"] >= self._told + QUIET_SECONDS:
            self._told = document["duration_s"]
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def finish(self) -> None:
        """Leave the line."""
        if self._terminal:
            self._stream.write("\n")


def progress_line(document: dict[str, Any]) -> str:
    """Return one line about a run that is under way."""
    targets = document["targets"].values()
    ok = sum(target["ok"] for target in targets)
    failed = sum(sum(target["errors"].values()) for target in targets)
    return (
        f"{document['duration_s']:.0f}s  planned {document['planned']}  sent {document['sent']}  "
        f"ok {ok}  errors {failed}  late {document['late']['count']}  "
        f"in flight {document['in_flight']}  waiting {document['backlog']}"
    )


def render(document: dict[str, Any]) -> str:
    """Return the report of a finished run."""
    late = document["late"]
    counts = ", ".join(
        f"{document[name]} {name.replace('_', ' ')}"
        for name in ("planned", "sent", "not_started", "completed", "abandoned")
    )
    late_times = f"p99 {number(late['p99_ms'])} ms, max {number(late['max_ms'])} ms"
    lines = [
        f"duration   {document['duration_s']:g}s ({document['duration_real_s']:g}s real)",
        f"requests   {counts}",
        f"rate       {number(document['rate'])}/s sent",
        f"late       {late['count']} by more than {late['threshold_ms']:g} ms; {late_times}",
    ]
    for name, target in document["targets"].items():
        lines += ["", *_target(name, target)]
    return "\n".join(lines) + "\n"


def _target(name: str, target: dict[str, Any]) -> list[str]:
    share = target["share"]
    errors = [f"{kind} {count}" for kind, count in target["errors"].items() if count]
    lines = [
        f"{name}: {target['requests']} requests"
        + (f" ({share:.1%})" if share is not None else "")
        + f", {target['ok']} ok, "
        + (", ".join(errors) if errors else "no errors"),
    ]
    for label, times in (("latency", target["latency_ms"]), ("service", target["service_ms"])):
        values = "  ".join(f"{key} {number(value)}" for key, value in times.items())
        lines.append(f"  {label} ms  {values}")
    lines += [
        f"  hash {pod_hash}  {count['requests']} requests, {count['errors']} errors"
        for pod_hash, count in target["hashes"].items()
    ]
    return lines


def number(value: float | None) -> str:
    """Return a number with at most three decimals, `-` for none."""
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
