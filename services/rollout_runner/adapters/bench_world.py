"""What a scenario changes on a bench: versions, traffic, what the APM says, programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import httpx

from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rollout_runner.adapters.bench_network import BenchNetwork
    from rollout_runner.scenarios.model import Behaviour, Scenario, TimelineEntry

Role = Literal["stable", "canary"]


class BenchWorld:
    """Performs the actions of a timeline; `behave` also prepares a version that just started."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        hashes: dict[Role, str],
        url_of: Callable[[str], str | None],
        http: httpx.AsyncClient,
        apm_url: str,
        admin_key: str,
        network: BenchNetwork,
        stop: Callable[[str], Awaitable[None]],
    ) -> None:
        self._behaviours: dict[str, Behaviour] = {
            hashes["stable"]: scenario.baseline,
            hashes["canary"]: scenario.canary,
        }
        self._hashes = hashes
        self._url_of = url_of
        self._http = http
        self._apm_url = apm_url
        self._admin = {"Api-Key": admin_key}
        self._network = network
        self._stop = stop

    async def behave(self, pod_hash: str, url: str) -> None:
        """Make the version at `url` behave as the scenario wants this hash to."""
        faults = self._behaviours[pod_hash].faults()
        method = "PUT" if faults else "DELETE"
        await self._call(method, f"{url}/control/faults", faults or None)

    async def act(self, entry: TimelineEntry) -> str:
        """Perform the entry's action and say what was done.

        Raises:
            Unavailable: the program that should do it did not.
            InvalidInput: it refused, because the scenario asks for something that it does not know.
        """
        if entry.canary is not None:
            return await self._change("canary", entry.canary)
        if entry.baseline is not None:
            return await self._change("stable", entry.baseline)
        if entry.traffic is not None:
            await self._network.change_rate(entry.traffic.rate)
            return f"traffic is now {entry.traffic.rate:g}/s"
        if entry.inject is not None:
            return await self._inject(entry.inject)
        if entry.clear is not None:
            await self._call("DELETE", f"{self._apm_url}/control/injections", None, self._admin)
            return "all injections are cleared"
        if entry.stop is not None:
            await self._stop(entry.stop)
            return f"{entry.stop} is stopped"
        raise InvalidInput(f"timeline: nothing here can do {entry.actions}")

    async def _change(self, role: Role, behaviour: Behaviour) -> str:
        pod_hash = self._hashes[role]
        self._behaviours[pod_hash] = behaviour
        url = self._url_of(pod_hash)
        if url is not None:
            await self.behave(pod_hash, url)
        return f"{role} is now: {behaviour.describe()}"

    async def _inject(self, injection: dict[str, Any]) -> str:
        """Create the injection; a role is named by its hash, which is what telemetry carries."""
        body = dict(injection)
        role = body.pop("role", None)
        if role is not None:
            if role not in self._hashes:
                raise InvalidInput(
                    f"timeline: inject.role is {role!r}", hint="expected canary or stable"
                )
            body["hash"] = self._hashes[role]
        await self._call("POST", f"{self._apm_url}/control/injections", body, self._admin)
        scope = f" for the {role}" if role else ""
        return f"the APM now answers {json.dumps(body.get('effect'))}{scope}"

    async def _call(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None,
        headers: dict[str, str] | None = None,
    ) -> None:
        try:
            response = await self._http.request(method, url, json=body, headers=headers)
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise Unavailable(f"scenario: {method} {url}: {cause}") from None
        if response.is_client_error:
            raise InvalidInput(f"scenario: {method} {url} refused {body}: {response.text}")
        if response.is_error:
            raise Unavailable(f"scenario: {method} {url}: HTTP {response.status_code}")
