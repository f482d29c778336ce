"""The random numbers of one simulated run: they depend on the seed, the run's number and a name.

Every use has a stream of its own, so two gates that are tried on the same run number meet the same
requests, and a run is the same whichever process it is made in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svckit.randomness import stream_seed


@dataclass(frozen=True, slots=True)
class RunSeed:
    """Which run of which study: `RunSeed(7, 12)` is the 13th run of seed 7."""

    seed: int
    number: int = 0

    def stream(self, name: str) -> np.random.Generator:
        """Return the generator of this name."""
        return np.random.Generator(np.random.PCG64(stream_seed(self.seed, self.number, name)))

    def integer(self, name: str) -> int:
        """Return a 31-bit seed of this name, for programs that want one."""
        return stream_seed(self.seed, self.number, name) & 0x7FFFFFFF
