"""Deployment markers: one list, written and read through REST v2 and NerdGraph alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from mock_newrelic.domain.identity import entity_guid
from mock_newrelic.domain.nrql.attributes import APP
from mock_newrelic.domain.records import Row
from svckit.errors import NotFound
from svckit.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mock_newrelic.domain.model import Span
    from mock_newrelic.ports import Store

DEPLOYMENT = "Deployment"
_KIND = "deployment"
_COUNTER = "deployment_counter"


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One marker.

    Attributes:
        number: counts the markers of a session in the order of their creation.
        app: application that was deployed.
        revision: what was deployed; `version` in NerdGraph.
        at: when, seconds since 1970.
    """

    number: int
    app: str
    revision: str
    at: float
    changelog: str = ""
    description: str = ""
    user: str = ""
    commit: str = ""
    deep_link: str = ""
    deployment_type: str = "BASIC"
    group_id: str = ""
    category: str = "Deployment"
    attributes: dict[str, Any] = {}

    @property
    def deployment_id(self) -> str:
        """The name of the marker in NerdGraph: a UUID that is the same for the same marker."""
        draw = stream(self.number, "deployment", self.app).getrandbits(128)
        return str(UUID(int=draw, version=4))

    def as_event(self) -> dict[str, Any]:
        """Return the attributes of the marker's row in NRQL."""
        return {
            APP: self.app,
            "entity.name": self.app,
            "entity.guid": entity_guid(self.app),
            "version": self.revision,
            "revision": self.revision,
            "changelog": self.changelog,
            "description": self.description,
            "user": self.user,
            "commit": self.commit,
            "deepLink": self.deep_link,
            "deploymentType": self.deployment_type,
            "deploymentId": self.deployment_id,
            "groupId": self.group_id,
            "category": self.category,
            **self.attributes,
        }


class DeploymentService:
    """Creates, lists and deletes markers; they live in the store's documents.

    `created` is told the application and revision of each new one.
    """

    def __init__(self, store: Store, *, created: Callable[[str, str], None]) -> None:
        self._store = store
        self._created = created

    def create(
        self, *, app: str, revision: str, at: float, session: str, **more: Any
    ) -> Deployment:
        """Keep a new marker and return it; `more` are the other fields of `Deployment`."""
        counter = self._store.get(_COUNTER, "last", session)
        number = int(counter or b"0") + 1
        made = Deployment(number=number, app=app, revision=revision, at=at, **more)
        self._store.put(_COUNTER, "last", str(number).encode(), session)
        self._store.put(_KIND, f"{number:012d}", msgspec.json.encode(made), session)
        self._created(app, revision)
        return made

    def listed(self, app: str | None, session: str) -> list[Deployment]:
        """Return the markers of one application or of all, the newest first."""
        decode = msgspec.json.Decoder(Deployment).decode
        found = [decode(value) for _, value in self._store.items(_KIND, session)]
        wanted = [one for one in found if app is None or one.app == app]
        return sorted(wanted, key=lambda one: (one.at, one.number), reverse=True)

    def delete(self, app: str, number: int, session: str) -> Deployment:
        """Delete a marker and return it.

        Raises:
            NotFound: the application has no such marker.
        """
        found = next((one for one in self.listed(app, session) if one.number == number), None)
        if found is None:
            raise NotFound("the application has no such deployment")
        self._store.remove(_KIND, f"{number:012d}", session)
        return found

    def rows(self, apps: frozenset[str] | None, span: Span, session: str) -> Iterator[Row]:
        """Yield the markers as events."""
        for one in self.listed(None, session):
            if (apps is None or one.app in apps) and span.first <= one.at < span.stop:
                yield Row(one.as_event(), one.at)
