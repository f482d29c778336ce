"""What a query reads, said as what the reader of the service must give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mock_newrelic.domain.model import Reading, Span, Terms
    from mock_newrelic.domain.records import Row

TRANSACTION = "Transaction"


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
