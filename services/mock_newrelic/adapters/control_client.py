"""A client of a running service's control plane, for the command line."""

from __future__ import annotations

from typing import Any

import httpx

from svckit.errors import InvalidInput, Unavailable

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT_SECONDS = 10.0


class ControlClient:
    """Calls one control plane with one admin key, in one session."""

    def __init__(
        self,
        url: str,
        admin_key: str,
        *,
        session: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Api-Key": admin_key}
        if session:
            headers["X-Mock-Session"] = session
        self._options: dict[str, Any] = {
            "base_url": url,
            "headers": headers,
            "timeout": _TIMEOUT_SECONDS,
            "trust_env": False,
            "transport": transport,
        }
        self._url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one call.

        Raises:
            InvalidInput: the service refused it; with its own words and hint.
            Unavailable: nothing answers there, or something that is not the service.
        """
        try:
            with httpx.Client(**self._options) as http:
                response = http.request(method, f"/control/{path}", json=body)
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise InvalidInput("--url is not a URL, or the key is not ASCII") from None
        except httpx.HTTPError as error:
            raise Unavailable(
                f"no answer from {self._url}: {type(error).__name__}",
                hint="mock-newrelic serve, or name the service with --url",
            ) from None
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unavailable(
                f"{self._url} answered {response.status_code} and no JSON: it is no mock-newrelic"
            )
        if response.is_error:
            raise InvalidInput(
                _told(document, response.status_code),
                code=str(document.get("error", "refused")),
                hint=str(document.get("hint", "")),
            )
        return document


def _told(document: dict[str, Any], status: int) -> str:
    return str(document.get("detail", f"refused with status {status}"))
