"""The parts of a study on a Dask cluster; Dask is an optional extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rollout_runner.simulation.study import Part, make_part
from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.simulation.study import Executor
    from rollout_runner.simulation.summary import RunSummary

_CONNECT_SECONDS = 15


def dask_executor(address: str) -> Executor:
    """Return the executor on the cluster of a scheduler.

    Raises:
        InvalidInput: the extra is not installed.
        Unavailable: the scheduler does not answer.
    """
    try:
        client_of = import_module("distributed").Client
    except ImportError:
        raise InvalidInput(
            "--executor dask needs the package distributed, which is not installed",
            hint="pip install 'gatelab[dask]', here and on every worker",
        ) from None
    try:
        client = client_of(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise Unavailable(
            f"the Dask scheduler {address} does not answer: {error}",
            hint="start one with `dask scheduler`, and workers with `dask worker ADDRESS`",
        ) from None
    return _Cluster(client)


class _Cluster:
    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, parts: Sequence[Part]) -> Iterator[list[RunSummary]]:
        """Yield the runs of every part; workers that are lost have theirs made again."""
        futures = self._client.map(make_quietly, parts, pure=False)
        try:
            for future in futures:
                yield future.result()
        finally:
            self._client.cancel(futures)
            self._client.close()


def make_quietly(part: Part) -> list[RunSummary]:
    """Make a part on a worker, without the services' logs."""
    import_module("rollout_runner.adapters.in_process").hush()
    return make_part(part)
