"""HTTP effects: the request is answered with another status, always or by count and time."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from math import ceil, floor
from typing import TYPE_CHECKING, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad
from mock_newrelic.domain.effects.base import HttpEffect, Refused

if TYPE_CHECKING:
    from mock_newrelic.domain.effects.base import Gauge

_REDIRECTS = {301, 302}
_LOGIN = "/login"
MAX_RETRY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(HttpEffect):
    """`{"status": 503}` or `{"status": {"code": 429, "retry_after": 30}}`.

    `retry_after` is a number of seconds, `"date"` (an HTTP date half a minute ahead) or
    `"absent"`, which it is unless given. A redirection points to a login page.
    """

    name: ClassVar[str] = "status"
    code: int
    retry_after: int | str = "absent"

    def replaces(self, gauge: Gauge) -> Refused:
        """Return the status, every time."""
        headers = [("Location", _LOGIN)] if self.code in _REDIRECTS else []
        if self.retry_after == "date":
            headers.append(("Retry-After", formatdate(gauge.now + 30, usegmt=True)))
        elif self.retry_after != "absent":
            headers.append(("Retry-After", str(self.retry_after)))
        return Refused(status=self.code, headers=tuple(headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit(HttpEffect):
    """`{"rate_limit": {"rps": 5}}` or `{"rate_limit": {"concurrency": 2}}`: 429 above it."""

    name: ClassVar[str] = "rate_limit"
    rps: float | None
    concurrency: int | None

    def replaces(self, gauge: Gauge) -> Refused | None:
        """Return 429 when more came in the last second, or are in flight, than are let through."""
        if self.rps is not None and gauge.recent(max(1.0, 1 / self.rps)) > max(1.0, self.rps):
            return _too_many(ceil(1 / self.rps))
        if self.concurrency is not None and gauge.in_flight > self.concurrency:
            return _too_many(1)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFlap(HttpEffect):
    """`{"auth_flap": {"period": "30s"}}`: the key is good, then it is not, then it is again.

    `duty` (0.5) is the share of each period in which it is not; `status` is 401 or 403.
    """

    name: ClassVar[str] = "auth_flap"
    period: float
    duty: float
    code: int

    def replaces(self, gauge: Gauge) -> Refused | None:
        """Return the status in the first part of each period."""
        within = gauge.since % self.period < self.duty * self.period
        return Refused(status=self.code) if within else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(HttpEffect):
    """`{"quota": {"requests": 100, "per": "1h"}}`: so many requests, then 429 until it is over.

    Without `per` the quota is for as long as the injection lasts.
    """

    name: ClassVar[str] = "quota"
    requests: int
    per: float | None

    def replaces(self, gauge: Gauge) -> Refused | None:
        """Return 429 when the requests of this period are used up."""
        if self.per is None:
            return _too_many(None) if gauge.query > self.requests else None
        within = gauge.since - floor(gauge.since / self.per) * self.per
        if gauge.recent(within) > self.requests:
            return _too_many(ceil(self.per - within))
        return None


def _too_many(retry_after: int | None) -> Refused:
    headers = () if retry_after is None else (("Retry-After", str(max(1, retry_after))),)
    return Refused(status=429, headers=headers)


def parse_status(argument: object, _metric: str | None) -> Status:
    """Read the status: 301, 302, or any from 400 to 599."""
    code: object = argument
    retry: object = "absent"
    if isinstance(argument, dict):
        members = Members(argument, name="status", known=("code", "retry_after"))
        code, retry = members.require("code"), members.given.get("retry_after", "absent")
    if isinstance(code, bool) or not isinstance(code, int):
        raise bad("effect.status is not a whole number")
    if code not in _REDIRECTS and not 400 <= code <= 599:
        raise bad(
            "effect.status is out of range, expected 301, 302 or 400 to 599",
            "an answer with a number has status 200 already",
        )
    return Status(given=argument, code=code, retry_after=_retry_after(retry))


def _retry_after(given: object) -> int | str:
    if given == "date" or given == "absent":  # noqa: PLR1714 - a set would need it hashable
        return given
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MAX_RETRY_SECONDS:
        raise bad('effect.status.retry_after is not seconds, "date" or "absent"')
    return given


def parse_rate_limit(argument: object, _metric: str | None) -> RateLimit:
    """Read exactly one of `rps` and `concurrency`."""
    members = Members(argument, name="rate_limit", known=("rps", "concurrency"))
    if len(members.given) != 1:
        raise bad("effect.rate_limit needs exactly one of rps and concurrency")
    return RateLimit(
        given=argument,
        rps=members.number("rps", lowest=0.01, highest=1e6) if "rps" in members else None,
        concurrency=members.whole("concurrency", lowest=0, highest=10_000)
        if "concurrency" in members
        else None,
    )


def parse_auth_flap(argument: object, _metric: str | None) -> AuthFlap:
    """Read the period, the share of it, and the status."""
    members = Members(argument, name="auth_flap", known=("period", "duty", "status"))
    code = members.whole("status", 401, lowest=401, highest=403)
    if code not in {401, 403}:
        raise bad("effect.auth_flap.status is neither 401 nor 403")
    return AuthFlap(
        given=argument,
        period=members.seconds("period", lowest=0.1),
        duty=members.number("duty", 0.5, highest=1),
        code=code,
    )


def parse_quota(argument: object, _metric: str | None) -> Quota:
    """Read how many requests, and per what time."""
    members = Members(argument, name="quota", known=("requests", "per"))
    return Quota(
        given=argument,
        requests=members.whole("requests", lowest=0, highest=10**9),
        per=members.seconds("per", lowest=1) if "per" in members else None,
    )
