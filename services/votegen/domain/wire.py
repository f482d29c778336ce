"""A vote as bytes on the wire: the form post of the voting page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from votegen.domain.ballots import Ballot
    from votegen.domain.targets import Endpoint

USER_AGENT = "votegen"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRequest:
    """Everything of the request that is the same for each vote at one target."""

    head: bytes

    @classmethod
    def to(cls, endpoint: Endpoint, *, host_header: str = "") -> VoteRequest:
        """Return the request for an endpoint."""
        head = (
            f"POST {endpoint.path} HTTP/1.1\r\n"
            f"Host: {host_header or endpoint.authority}\r\n"
            f"User-Agent: {USER_AGENT}\r\n"
            "Accept: */*\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 6\r\n"
            "Cookie: voter_id="
        )
        return cls(head=head.encode())

    def with_ballot(self, ballot: Ballot) -> bytes:
        """Return the bytes of one vote; the vote is a single letter."""
        return self.head + f"{ballot.voter_id}\r\n\r\nvote={ballot.vote}".encode()
