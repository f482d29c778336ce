"""ANSI colours that can be switched off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rollout_runner.report.model import Outcome

Tone: TypeAlias = Literal["good", "bad", "warn", "plain"]

_CODES: dict[Tone, str] = {"good": "32", "bad": "31", "warn": "33", "plain": "1"}
_DIM = "2"
_OUTCOMES: dict[Outcome, Tone] = {
    Outcome.PROMOTED: "good",
    Outcome.ABORTED: "bad",
    Outcome.DEGRADED: "bad",
    Outcome.PAUSED: "warn",
    Outcome.INTERRUPTED: "warn",
}
_PHASES: dict[str, Tone] = {
    "Successful": "good",
    "Healthy": "good",
    "Failed": "bad",
    "Error": "bad",
    "Degraded": "bad",
    "Inconclusive": "warn",
    "Paused": "warn",
}
_MARKS: dict[Tone, str] = {"good": "✓", "bad": "✗", "warn": "?", "plain": "·"}


def outcome_tone(outcome: Outcome) -> Tone:
    """Say whether an outcome is good news."""
    return _OUTCOMES[outcome]


def phase_tone(phase: str) -> Tone:
    """Say whether a phase of a rollout, run, metric or measurement is good news."""
    return _PHASES.get(phase, "plain")


def phase_mark(phase: str) -> str:
    """Return one character for a phase: ✓ ✗ ? or ·."""
    return _MARKS[phase_tone(phase)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Painter:
    """Colours text when enabled, else returns it as it is."""

    enabled: bool

    def tone(self, tone: Tone, text: str) -> str:
        """Colour the text by its meaning; `plain` is bold."""
        return self._wrap(_CODES[tone], text)

    def dim(self, text: str) -> str:
        """Make the text stand back."""
        return self._wrap(_DIM, text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text
