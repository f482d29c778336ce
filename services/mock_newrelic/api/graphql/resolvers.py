"""The values behind the fields of the schema.

A field whose value is a function is called with its arguments: graphql-core's default resolver.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.identity import ACCOUNT_ID, entity_guid
from mock_newrelic.domain.nrql.answers import nerdgraph_answer
from mock_newrelic.domain.nrql.errors import NrqlError
from svckit.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mock_newrelic.domain.injections import Ask
    from mock_newrelic.service.deployments import Deployment, DeploymentService
    from mock_newrelic.service.entities import Entity, EntityService
    from mock_newrelic.service.nrql import NrqlService

USER = {"id": 1, "name": "Gatelab", "email": "gatelab@example.invalid"}
MAX_TEXT = 4096


class QuerySyntaxError(InvalidInput):
    """An NRQL query that cannot be answered, told with its place."""

    default_code = "nrql_error"


class Root:
    """Answers one request; remembers what it was about, and what touched the answer."""

    def __init__(
        self,
        *,
        nrql: NrqlService,
        entities: EntityService,
        deployments: DeploymentService,
        caller: Ask,
        now: float,
    ) -> None:
        self._nrql = nrql
        self._entities = entities
        self._deployments = deployments
        self._caller = caller
        self._session = caller.session
        self._now = now
        self.injected: dict[str, None] = {}
        self.apps: set[str] = set()
        self.queries: list[str] = []

    # Queries

    def actor(self, _info: Any) -> dict[str, Any]:
        """Return the root of everything that is asked."""
        return {
            "account": lambda _info, id: self._account(id),  # noqa: A006 - the schema's name
            "accounts": [self._account(ACCOUNT_ID)],
            "nrql": self._answer,
            "entity": lambda _info, guid: self._entity_of(guid),
            "entities": lambda _info, guids: [self._entity_of(guid) for guid in guids],
            "entitySearch": self._search,
            "user": USER,
        }

    def requestContext(self, _info: Any) -> dict[str, Any]:  # noqa: N802 - the schema's name
        """Return who asks; keys are never shown."""
        return {"apiKey": None, "userId": USER["id"]}

    def _account(self, number: int) -> dict[str, Any]:
        return {"id": number, "name": f"Account {number}", "nrql": self._answer}

    def _answer(self, _info: Any, query: str, **_arguments: Any) -> dict[str, Any]:
        text = str(query)
        self.queries.append(text)
        try:
            answered = self._nrql.answer(text, self._caller, now=self._now)
        except NrqlError as error:
            raise QuerySyntaxError(error.describe(text)) from None
        self.injected.update(dict.fromkeys(answered.injected))
        self.apps |= answered.result.apps
        return nerdgraph_answer(answered.result, text)

    def _search(
        self,
        _info: Any,
        query: str | None = None,
        queryBuilder: dict[str, Any] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        wanted = queryBuilder or {}
        text = query or ""
        try:
            found = self._entities.search(text, self._now, self._session)
        except NrqlError as error:
            raise QuerySyntaxError(f"the entity search cannot be read: {error.detail}") from None
        found = [
            one
            for one in found
            if all(
                wanted[name] in (None, one.attributes()[name])
                for name in ("domain", "type", "reporting")
                if name in wanted
            )
            and (wanted.get("name") or "").lower() in one.name.lower()
        ]
        return {
            "count": len(found),
            "query": text,
            "results": {"entities": [self._entity(one) for one in found], "nextCursor": None},
        }

    def _entity_of(self, guid: str) -> dict[str, Any] | None:
        found = self._entities.by_guid(str(guid), self._now, self._session)
        return None if found is None else self._entity(found)

    def _entity(self, one: Entity) -> dict[str, Any]:
        return {
            "guid": one.guid,
            "name": one.name,
            "domain": "APM",
            "type": "APPLICATION",
            "entityType": "APM_APPLICATION_ENTITY",
            "accountId": ACCOUNT_ID,
            "applicationId": one.number,
            "language": "python",
            "reporting": one.reporting,
            "permalink": None,
            "tags": [{"key": name, "values": values} for name, values in one.tags.items()],
            "deployments": lambda _info: [
                deployment_as_json(marker)
                for marker in self._deployments.listed(one.name, self._session)
            ],
        }

    # Mutations

    def changeTrackingCreateDeployment(  # noqa: N802 - the schema's name
        self,
        _info: Any,
        deployment: dict[str, Any],
        dataHandlingRules: Any = None,  # noqa: ARG002, N803
    ) -> dict[str, Any]:
        """Keep a deployment marker."""
        found = self._entities.by_guid(str(deployment["entityGuid"]), self._now, self._session)
        if found is None:
            raise NotFound("no entity has this entityGuid", hint="entitySearch lists them")
        if not deployment["version"]:
            raise InvalidInput("version is empty")
        made = self._deployments.create(
            app=found.name,
            revision=_text(deployment, "version"),
            at=self._at(deployment),
            session=self._session,
            changelog=_text(deployment, "changelog"),
            commit=_text(deployment, "commit"),
            deep_link=_text(deployment, "deepLink"),
            deployment_type=deployment.get("deploymentType") or "BASIC",
            description=_text(deployment, "description"),
            group_id=_text(deployment, "groupId"),
            user=_text(deployment, "user"),
            attributes=_attributes(deployment),
        )
        return deployment_as_json(made)

    def changeTrackingCreateEvent(  # noqa: N802 - the schema's name
        self,
        _info: Any,
        changeTrackingEvent: dict[str, Any],  # noqa: N803
        dataHandlingRules: Any = None,  # noqa: ARG002, N803
    ) -> dict[str, Any]:
        """Keep a change event; of the category Deployment it is a deployment marker."""
        event = changeTrackingEvent
        found = self._search(None, event["entitySearch"]["query"])["results"]["entities"]
        if len(found) != 1:
            raise InvalidInput(f"the entity search finds {len(found)} entities, one is needed")
        data = event["categoryAndTypeData"]
        kind = data.get("kind") or {"category": "Deployment", "type": "Basic"}
        fields = (data.get("categoryFields") or {}).get("deployment") or {}
        if kind["category"].lower() == "deployment" and not fields.get("version"):
            raise InvalidInput("a deployment needs categoryFields.deployment.version")
        made = self._deployments.create(
            app=found[0]["name"],
            revision=_text(fields, "version"),
            at=self._at(event),
            session=self._session,
            changelog=_text(fields, "changelog"),
            commit=_text(fields, "commit"),
            deep_link=_text(fields, "deepLink"),
            description=_text(event, "description") or _text(event, "shortDescription"),
            group_id=_text(event, "groupId"),
            user=_text(event, "user"),
            category=kind["category"],
            attributes=_attributes(event),
        )
        return {
            "changeTrackingEvent": {
                "category": made.category,
                "type": kind["type"],
                "changeTrackingId": made.deployment_id,
                "customAttributes": made.attributes,
                "description": made.description,
                "entity": found[0],
                "groupId": made.group_id,
                "timestamp": round(made.at * 1000),
                "user": made.user,
            },
            "messages": [],
        }

    def _at(self, given: dict[str, Any]) -> float:
        timestamp = given.get("timestamp")
        if timestamp is None:
            return self._now
        if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
            raise InvalidInput("timestamp is not a number of milliseconds")
        if not (isfinite(timestamp) and abs(timestamp / 1000 - self._now) <= 24 * 3600):
            raise InvalidInput("timestamp is not within 24 hours of now, in milliseconds")
        return float(timestamp) / 1000


def deployment_as_json(one: Deployment) -> dict[str, Any]:
    """Return a marker as NerdGraph shows it."""
    return {
        "changelog": one.changelog,
        "commit": one.commit,
        "customAttributes": one.attributes,
        "deepLink": one.deep_link,
        "deploymentId": one.deployment_id,
        "deploymentType": one.deployment_type,
        "description": one.description,
        "entityGuid": entity_guid(one.app),
        "groupId": one.group_id,
        "timestamp": round(one.at * 1000),
        "user": one.user,
        "version": one.revision,
    }


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if len(value) > MAX_TEXT:
        raise InvalidInput(f"{name} is longer than {MAX_TEXT} characters")
    return str(value)


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    attributes = given.get("customAttributes") or {}
    plain = isinstance(attributes, dict) and all(
        isinstance(value, str | int | float | bool) for value in attributes.values()
    )
    if not plain:
        raise InvalidInput("customAttributes is not a map of texts, numbers and booleans")
    return dict(attributes)
