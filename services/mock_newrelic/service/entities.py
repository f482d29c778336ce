"""Applications as New Relic's APIs know them: by number and GUID, with tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.identity import application_id, entity_guid, id_of_guid
from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.expressions import condition_of
from mock_newrelic.domain.nrql.parser import parse_condition
from mock_newrelic.domain.nrql.rewriting import rewrite

if TYPE_CHECKING:
    from mock_newrelic.ports import Store

REPORTING_SECONDS = 600
"""An application that has sent nothing for so long does not report any more."""

_TAGS = ("role", "version", "hash", "host")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One application.

    Attributes:
        number: its number in REST v2.
        last_second: second of its latest sample; None when none is kept.
    """

    name: str
    number: int
    guid: str
    last_second: int | None
    reporting: bool
    tags: dict[str, list[str]]
    application: Application

    def attributes(self) -> dict[str, Any]:
        """Return what a search can look at."""
        tags = {f"tags.{name}": values[0] for name, values in self.tags.items() if values}
        return {
            "name": self.name,
            "guid": self.guid,
            "domain": "APM",
            "type": "APPLICATION",
            "domainType": "APM-APPLICATION",
            "reporting": self.reporting,
            **tags,
        }


class EntityService:
    """Finds applications."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, now: float, session: str) -> list[Entity]:
        """Return all applications in the order of their names."""
        return [_entity(app, now) for app in self._store.applications(session)]

    def by_number(self, number: int, now: float, session: str) -> Entity | None:
        """Return the application with this number."""
        return next((one for one in self.all(now, session) if one.number == number), None)

    def by_guid(self, guid: str, now: float, session: str) -> Entity | None:
        """Return the application with this GUID, whatever the account in it."""
        number = id_of_guid(guid)
        return None if number is None else self.by_number(number, now, session)

    def search(self, query: str, now: float, session: str) -> list[Entity]:
        """Return the applications that satisfy an entity search, e.g. `name LIKE 'vote'`.

        Raises:
            NrqlError: the search cannot be read.
        """
        if not query.strip():
            return self.all(now, session)
        holds = condition_of(rewrite(parse_condition(query), _anywhere))
        return [one for one in self.all(now, session) if holds(one.attributes())]


def _anywhere(expr: ast.Expr) -> ast.Expr | None:
    """In an entity search LIKE without a % means that the text occurs somewhere."""
    if isinstance(expr, ast.Like) and not expr.regular and "%" not in expr.pattern:
        return ast.Like(expr.operand, f"%{expr.pattern}%", negated=expr.negated)
    return None


def _entity(app: Application, now: float) -> Entity:
    last = app.last_second(frozenset(), int(now) + 1)
    return Entity(
        name=app.name,
        number=application_id(app.name),
        guid=entity_guid(app.name),
        last_second=last,
        reporting=last is not None and now - last < REPORTING_SECONDS,
        tags={name: values for name in _TAGS if (values := app.values(name))},
        application=app,
    )
