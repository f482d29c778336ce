"""The same vote from locust: FastHttpUser and HttpUser, as fast as they can or RATE a second each.

BENCH_USER names the class, BENCH_RATE the requests a second of one user (0: no pause).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from locust import FastHttpUser, HttpUser, constant_throughput, task

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = float(os.environ.get("BENCH_RATE", "0"))
HEADERS = {
    "Cookie": "voter_id=1234567890abcdef",
    "Content-Type": "application/x-www-form-urlencoded",
}


def _wait() -> Callable[[Any], float]:
    return constant_throughput(RATE) if RATE else lambda _user: 0.0


if os.environ.get("BENCH_USER") == "HttpUser":

    class Slow(HttpUser):
        """Votes with requests."""

        wait_time = _wait()

        @task
        def vote(self) -> None:
            """Vote."""
            self.client.post("/", data="vote=a", headers=HEADERS)

else:

    class Fast(FastHttpUser):
        """Votes with geventhttpclient."""

        wait_time = _wait()

        @task
        def vote(self) -> None:
            """Vote."""
            self.client.post("/", data="vote=a", headers=HEADERS)
