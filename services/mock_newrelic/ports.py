"""What the service needs from a store of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.ingest.batch import Batch
    from mock_newrelic.domain.model import Span
    from mock_newrelic.domain.records import Row


class Store(Protocol):
    """Keeps what was ingested, for as long as windows can reach.

    Reads are served from memory by `Application`; a durable store must have it filled again
    before it is handed out, and must have kept a batch before `write` returns.
    """

    def write(self, batch: Batch, now: float) -> None:
        """Keep a batch as a whole, or raise SuiteError and keep nothing of it."""
        ...

    def application(self, name: str, session: str = "") -> Application | None:
        """Return what is known of an application in a session, or None when that is nothing."""
        ...

    def applications(self, session: str = "") -> Iterator[Application]:
        """Yield all applications of a session in the order of their names."""
        ...

    def version(self, name: str, session: str = "") -> int:
        """Return a number that changes whenever an answer about the application may change."""
        ...

    def reset(self, name: str | None = None, session: str = "") -> int:
        """Forget one application of a session, or all of them; return how many were forgotten."""
        ...

    def rows(self, app: str, kind: str, span: Span, session: str = "") -> Iterator[Row]:
        """Yield the raw events of one type; `app` is empty for events of no known application.

        Raises:
            RecordsLost: events of the span had to give way to later ones.
        """
        ...

    def put(self, kind: str, key: str, value: bytes, session: str = "") -> None:
        """Keep a small document of another area, replacing one of the same key."""
        ...

    def get(self, kind: str, key: str, session: str = "") -> bytes | None:
        """Return a document, or None when there is none."""
        ...

    def items(self, kind: str, session: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield key and value of all documents of a kind, in the order of their keys."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether what is written is kept."""
        ...

    def close(self) -> None:
        """Let go of files; nothing may be asked of the store afterwards."""
        ...

    def remove(self, kind: str, key: str, session: str = "") -> None:
        """Forget a document; one that is not there is no error."""
        ...
