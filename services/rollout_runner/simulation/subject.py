"""What can be tried in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.bench.subject import Subject
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from rollout_runner.scenarios.model import Versions

PROVIDERS = ("web", "newRelic")
"""The providers that exist in virtual time."""
_REAL = {
    "job": "is a Job, which takes real time in a real process",
    "prometheus": "asks a Prometheus server, which does not exist there",
}
_HINT = (
    "try it live with `gatelab run`, or give the gate its web form"
    " (docs/guides/job-form.md compares web and job)"
)


def load_subject(path: Path, *, rollout: str | None, versions: Versions) -> Subject:
    """Read the manifests and refuse what virtual time has not.

    Raises:
        InvalidInput: as `Subject.load`, or a gate is a Job, which takes real time.
    """
    subject = Subject.load(path, rollout=rollout, versions=versions, providers=(*PROVIDERS, *_REAL))
    for template in subject.templates:
        for metric in template.spec.metrics:
            for kind, why in _REAL.items():
                if metric["provider"].get(kind) is not None:
                    raise InvalidInput(
                        f"AnalysisTemplate {template.name}: metric {metric['name']!r} {why}:"
                        " it cannot run in virtual time",
                        hint=_HINT,
                    )
    return subject
