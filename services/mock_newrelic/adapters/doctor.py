"""Whether an agent could report from here: name, connection, certificate, first call."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - beside the types of named tuples
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_SECONDS = 10.0
LICENSE = "0" * 40
_PATH = "/agent_listener/invoke_raw_method?method=preconnect&protocol_version=17&license_key="


class Finding(NamedTuple):
    """What one step found.

    Attributes:
        step: its name.
        passed: whether an agent would get over it.
        detail: one sentence for people.
    """

    step: str
    passed: bool
    detail: str


class _Patient(NamedTuple):
    host: str
    port: int
    ca: Path | None
    license_key: str


def examine(
    host: str, port: int, *, ca: Path | None = None, license_key: str = LICENSE
) -> Iterator[Finding]:
    """Yield what each step found; the first that fails is the last.

    Args:
        host: name or address, as an agent would have it.
        port: of TLS.
        ca: file with the authority to trust; the system's unless given.
        license_key: of the agent.
    """
    patient = _Patient(host, port, ca, license_key)
    for step, check in _STEPS:
        try:
            yield Finding(step, passed=True, detail=check(patient))
        except (OSError, http.client.HTTPException, _Failed) as error:
            yield Finding(step, passed=False, detail=_told(error))
            return


class _Failed(Exception):  # noqa: N818 - reads as a sentence at the raise site
    """A step found something that an agent cannot live with."""


def _name(patient: _Patient) -> str:
    found = socket.getaddrinfo(patient.host, patient.port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(one[4][0]) for one in found)
    return f"{patient.host} is {', '.join(addresses)}"


def _connection(patient: _Patient) -> str:
    with socket.create_connection((patient.host, patient.port), timeout=TIMEOUT_SECONDS):
        return f"port {patient.port} is open"


def _certificate(patient: _Patient) -> str:
    with _secured(patient) as connection:
        return f"{connection.version()}, trusted, and good for {patient.host}"


def _first_call(patient: _Patient) -> str:
    with _secured(patient) as connection:
        request = (
            f"POST {_PATH}{patient.license_key} HTTP/1.1\r\nHost: {patient.host}:{patient.port}\r\n"
            "User-Agent: NewRelic-PythonAgent/doctor\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n[]"
        )
        connection.sendall(request.encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        status, body = answer.status, answer.read()
    if status != 200:
        raise _Failed(
            f"preconnect is answered with {status}: {body[:200].decode(errors='replace')}"
        )
    try:
        host: Any = json.loads(body)["return_value"]["redirect_host"]
    except (ValueError, KeyError, TypeError):
        raise _Failed("preconnect is answered by something that is no collector") from None
    return f"preconnect is answered; agents are sent to {host}"


_STEPS: tuple[tuple[str, Callable[[_Patient], str]], ...] = (
    ("name", _name),
    ("connection", _connection),
    ("certificate", _certificate),
    ("first call", _first_call),
)


@contextmanager
def _secured(patient: _Patient) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=patient.ca)
    with (
        socket.create_connection((patient.host, patient.port), TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=patient.host) as connection,
    ):
        yield connection


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {error.verify_message}"
    return str(getattr(error, "strerror", None) or error)
