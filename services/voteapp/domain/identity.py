"""Names that Kubernetes would give: pod names and the front end's voter ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# The alphabet of Kubernetes' random suffixes (apimachinery util/rand): no vowels, no 0, 1, 3.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def pod_name(pod_template_hash: str, rng: Random) -> str:
    """Return `vote-<hash>-<5 characters>`."""
    return f"vote-{pod_template_hash}-{''.join(rng.choices(_SAFE, k=5))}"


def voter_id(rng: Random) -> str:
    """Return at most 15 lower-case hexadecimal digits."""
    return format(rng.getrandbits(60), "x")
