"""Named random streams from one seed: adding a consumer never shifts another one's numbers."""

from __future__ import annotations

import hashlib
import random


def stream_seed(seed: int, *names: str | int) -> int:
    """Return a 64-bit seed that depends on the seed and the names only."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *names: str | int) -> random.Random:
    """Return the generator of this name: `stream(7, "arrivals", "canary")`."""
    return random.Random(stream_seed(seed, *names))  # noqa: S311 - simulation, not cryptography
