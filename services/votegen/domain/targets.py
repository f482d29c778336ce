"""Targets and their addresses: `[NAME=]URL[@WEIGHT]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from svckit.errors import InvalidInput

DEFAULT_NAME = "default"
MAX_WEIGHT = 1e9
"""Far more than any share needs, and sums of it keep every share."""
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_TARGET = re.compile(r"(?:(?P<name>[^=:/]*)=)?(?P<url>.+?)(?:@(?P<weight>[^@/:]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect, and what to ask for."""

    host: str
    port: int
    path: str
    authority: str
    tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read an http or https URL.

        Raises:
            InvalidInput: another scheme, no host, or credentials in it.
        """
        hint = "expected http://HOST[:PORT][/PATH], or https://"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidInput(f"target URL {url!r}: {error}", hint=hint) from None
        usable = parts.netloc.isascii() and parts.netloc.isprintable() and " " not in parts.netloc
        if parts.scheme not in _PORTS or not host or port == 0 or "@" in parts.netloc or not usable:
            raise InvalidInput(f"target URL {url!r} cannot be used", hint=hint)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not (path.isascii() and path.isprintable()) or " " in path:
            raise InvalidInput(
                f"target URL {url!r} has a path that is not percent-encoded", hint=hint
            )
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            path=path,
            authority=parts.netloc,
            tls=parts.scheme == "https",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something to vote at, with its share of the traffic."""

    name: str
    url: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                f"target name {self.name!r}: expected letters, digits, '.', '_' and '-'"
            )
        check_weight(self.name, self.weight)
        Endpoint.parse(self.url)

    @property
    def endpoint(self) -> Endpoint:
        """The parsed URL."""
        return Endpoint.parse(self.url)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `[NAME=]URL[@WEIGHT]`; without a name it is `default`, without a weight 1.

        Raises:
            InvalidInput: a part cannot be read.
        """
        hint = "for example --target stable=http://127.0.0.1:8083@80"
        match = _TARGET.fullmatch(text)
        if match is None:
            raise InvalidInput(f"target {text!r}: expected [NAME=]URL[@WEIGHT]", hint=hint)
        weight = 1.0
        if match["weight"] is not None:
            try:
                weight = float(match["weight"])
            except ValueError:
                raise InvalidInput(
                    f"target {text!r}: weight {match['weight']!r} is not a number", hint=hint
                ) from None
        name = DEFAULT_NAME if match["name"] is None else match["name"]
        return cls(name=name, url=match["url"], weight=weight)


def check_weight(name: str, weight: float) -> None:
    """Raise InvalidInput unless the weight is a number from 0 to MAX_WEIGHT."""
    if not 0 <= weight <= MAX_WEIGHT:
        raise InvalidInput(
            f"target {name!r}: weight {weight} is not a number from 0 to {MAX_WEIGHT:.0f}"
        )
