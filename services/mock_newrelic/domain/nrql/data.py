"""What a query reads, said as what the reader of the service must give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mock_newrelic.domain.model import Reading, Span, Terms

TRANSACTION = "Transaction"


class Row(NamedTuple):
    """One event.

    Attributes:
        attributes: what it carries.
        timestamp: when it happened, seconds since 1970.
        weight: how many events it stands for.
    """

    attributes: Mapping[str, Any]
    timestamp: float
    weight: float = 1.0


class Data(Protocol):
    """One instant's view of everything that can be asked for."""

    def apps(self) -> Iterable[str]:
        """Return the names of the applications."""
        ...

    def answerable(self, app: str, label: str, span: Span) -> bool:
        """Whether every sample of an application that carries this label is kept with it."""
        ...

    def series(
        self, app: str, terms: Terms, span: Span, *, latency: bool
    ) -> Iterable[tuple[Terms, Reading]]:
        """Return labels and reading of every series of an application that carries the terms."""
        ...

    def rows(self, apps: frozenset[str] | None, kind: str, span: Span) -> Iterator[Row]:
        """Yield the events of one type; of all applications, and of none, when `apps` is None.

        Raises:
            NrqlError: not all events of the span are kept any more.
        """
        ...
