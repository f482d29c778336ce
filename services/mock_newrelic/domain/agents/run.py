"""An agent's run: what its process told about itself when it connected.

Events carry neither application nor host nor labels; only `connect` does, so everything that
comes later is joined to it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mock_newrelic.domain.identity import ACCOUNT_ID, application_id, entity_guid
from mock_newrelic.domain.ingest.telemetry import labels_of

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Terms


class AgentRun(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One run.

    Attributes:
        id: the name that it was given.
        apps: application names; what it sends counts for each of them.
        host: of the process.
        language: of the agent.
        agent_version: its version.
        attributes: what is joined to its events: host, tags, and names of Kubernetes.
        session: token of the session that it belongs to.
        connected: when, seconds since 1970.
        mixed: whether its exact counts have health checks among them.
    """

    id: str
    apps: tuple[str, ...]
    host: str = ""
    language: str = ""
    agent_version: str = ""
    attributes: dict[str, str] = {}
    session: str = ""
    connected: float = 0.0
    mixed: bool = False

    @cached_property
    def labels(self) -> Terms:
        """What every series of the run carries."""
        return frozenset(labels_of(self.attributes).items())

    def joined(self, app: str) -> dict[str, Any]:
        """Return what New Relic adds to an event of the run."""
        return {
            "appId": application_id(app),
            "entityGuid": entity_guid(app),
            "realAgentId": application_id(app),
            "accountId": ACCOUNT_ID,
            **self.attributes,
        }
