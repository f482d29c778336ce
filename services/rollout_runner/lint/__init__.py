"""Looking for invalid and dangerous gates in manifests, without running anything.

Rules: services/rollout_runner/lint/rules; what Argo Rollouts does with a manifest is asked of the
same engine (`rollout_runner.argo`) that runs it.
"""

from __future__ import annotations

from rollout_runner.lint.finding import Finding, Place, Severity
from rollout_runner.lint.linting import lint
from rollout_runner.lint.registry import RULES
from rollout_runner.lint.rule import Rule

__all__ = ["RULES", "Finding", "Place", "Rule", "Severity", "lint"]
