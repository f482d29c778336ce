"""A vote, or a look at the page, as bytes on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from votegen.domain.targets import Endpoint

USER_AGENT = "votegen"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRequest:
    """Everything of the requests to one target that is the same for each of them."""

    post: bytes
    get: bytes

    @classmethod
    def to(cls, endpoint: Endpoint, *, host_header: str = "") -> VoteRequest:
        """Return the requests for an endpoint."""
        common = (
            f" {endpoint.path} HTTP/1.1\r\n"
            f"Host: {host_header or endpoint.authority}\r\n"
            f"User-Agent: {USER_AGENT}\r\n"
            "Accept: */*\r\n"
        )
        form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 6\r\n"
        return cls(
            post=f"POST{common}{form}Cookie: voter_id=".encode(),
            get=f"GET{common}Cookie: voter_id=".encode(),
        )

    def of(self, voter_id: bytes, vote: bytes) -> bytes:
        """Return the bytes of one request; an empty vote only looks at the page."""
        if vote:
            return self.post + voter_id + b"\r\n\r\nvote=" + vote
        return self.get + voter_id + b"\r\n\r\n"
