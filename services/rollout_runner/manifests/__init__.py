"""The manifests that a run is made of: rendered, read, validated, and one rollout picked."""

from __future__ import annotations

from rollout_runner.manifests.load import Manifests, load_manifests
from rollout_runner.manifests.select import select_rollout
from rollout_runner.manifests.selection import Selection

__all__ = ["Manifests", "Selection", "load_manifests", "select_rollout"]
