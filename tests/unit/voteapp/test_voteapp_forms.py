"""Where the `vote` field is looked for."""

from __future__ import annotations

import pytest

from voteapp.domain.forms import vote_field

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=xyz"


def _multipart(disposition: str, value: str = "b") -> bytes:
    head = f"--xyz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return f"{head}{value}\r\n--xyz--\r\n".encode()


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        pytest.param(URLENCODED, b"vote=a", "a", id="urlencoded"),
        pytest.param(f"{URLENCODED}; charset=UTF-8", b"vote=a", "a", id="with-charset"),
        pytest.param(URLENCODED.upper(), b"vote=a", "a", id="upper-case-type"),
        pytest.param(URLENCODED, b"vote=c", "c", id="any-value"),
        pytest.param(URLENCODED, b"vote=", "", id="empty-value"),
        pytest.param(URLENCODED, b"x=1&vote=b&vote=a", "b", id="first-of-many"),
        pytest.param(URLENCODED, b"vote=%C3%A9+1", "é 1", id="percent-encoded"),
        pytest.param(URLENCODED, b"", None, id="no-body"),
        pytest.param(URLENCODED, b"Vote=a", None, id="other-name"),
        pytest.param(URLENCODED, b"&".join([b"x=1"] * 200), None, id="too-many-fields"),
        pytest.param("", b"vote=a", None, id="no-content-type"),
        pytest.param("text/plain", b"vote=a", None, id="text"),
        pytest.param("application/json", b'{"vote": "a"}', None, id="json"),
        pytest.param(MULTIPART, _multipart('name="vote"'), "b", id="multipart"),
        pytest.param(MULTIPART, _multipart('name="vote"; filename="f"'), None, id="file"),
        pytest.param(MULTIPART, _multipart('name="other"'), None, id="multipart-other-name"),
        pytest.param(MULTIPART, b"garbage", None, id="multipart-garbage"),
        pytest.param("multipart/form-data", _multipart('name="vote"'), None, id="no-boundary"),
    ],
)
def test_vote_field(content_type: str, body: bytes, expected: str | None) -> None:
    """Only a form in the body votes, whatever the value."""
    assert vote_field(content_type, body) == expected
