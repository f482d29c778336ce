"""The network of an audited world: who was asked, and a fault at one of those who answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx

from rollout_runner.adapters.cluster_network import cluster_name
from rollout_runner.adapters.in_process import InProcessNetwork, broken
from rollout_runner.audit.faults import HTML, LOGIN_PATH, PAGE, Break, Reply, Spoil
from rollout_runner.simulation.trial import ANALYZER_SERVICE, APM_SERVICE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from rollout_runner.audit.faults import Fault, SpoilKind, Target

_NEVER_SECONDS = 3600.0
_APPLICATION_PAGE = b"<!DOCTYPE html>\n<title>Cats vs Dogs!</title>\n"


class AuditNetwork(InProcessNetwork):
    """Lets one target misbehave.

    Attributes:
        asked: the targets that were asked since it was last cleared.
        fault: what is wrong at present.
        page_is_fine: whether the application answers GET with 200 whatever its votes do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[Target] = set()
        self.fault: Fault | None = None
        self.page_is_fine = False
        self.services: Collection[str] = ()
        self.sleep: Callable[[float], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or misbehave."""
        target = self._target(request.url.host)
        if target is not None:
            self.asked.add(target)
        if target is not None and request.url.path == LOGIN_PATH:
            return _response(Reply(body=PAGE, media_type=HTML), request)
        if target is not None and self.fault is not None and self.fault.target == target:
            match self.fault.means:
                case Reply() as reply:
                    return _response(reply, request)
                case Break(kind=kind):
                    return await self._break(kind, request)
                case Spoil(kind=kind):
                    return _spoilt(kind, await super().handle_async_request(request), request)
                case _:
                    pass
        if target == "application" and self.page_is_fine:
            return _response(Reply(body=_APPLICATION_PAGE, media_type=HTML), request)
        return await super().handle_async_request(request)

    def _target(self, host: str) -> Target | None:
        name = cluster_name(host)
        short = "" if name is None else name.partition(".")[0]
        match short:
            case _ if short == APM_SERVICE:
                return "apm"
            case _ if short in {ANALYZER_SERVICE, "analyzer"}:
                return "analyzer"
            case _ if short in self.services:
                return "application"
            case _:
                return None

    async def _break(self, kind: str, request: httpx.Request) -> httpx.Response:
        if kind == "no_host":
            reason = f"dial tcp: lookup {request.url.host}: no such host"
            raise httpx.ConnectError(reason, request=request)
        if kind == "hang" and self.sleep is not None:
            await self.sleep(_NEVER_SECONDS)
        return broken(kind, request)


def _response(reply: Reply, request: httpx.Request) -> httpx.Response:
    headers = {"Content-Type": reply.media_type, **reply.headers}
    return httpx.Response(reply.status, headers=headers, content=reply.body, request=request)


def _spoilt(kind: SpoilKind, answer: httpx.Response, request: httpx.Request) -> httpx.Response:
    """Return the answer, damaged; one that is no JSON object stays as it is."""
    body = answer.content
    try:
        document = json.loads(body)
    except ValueError:
        return answer
    if not isinstance(document, dict):
        return answer
    spoil = _DOCUMENTS.get(kind)
    if spoil is not None:
        body = json.dumps(spoil(document)).encode()
    elif kind == "truncated":
        body = body[: len(body) // 2]
    else:
        body = body[:-1] + b"," + body[-1:]
    return httpx.Response(
        answer.status_code,
        headers={"Content-Type": "application/json"},
        content=body,
        request=request,
    )


_DOCUMENTS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "missing_keys": lambda document: {f"{key}_v2": value for key, value in document.items()},
    "null_values": dict.fromkeys,
    "text_values": lambda document: {key: str(value) + " " for key, value in document.items()},
}
