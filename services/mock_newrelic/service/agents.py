"""The collector that New Relic's agents speak to: runs begin, report and end.

A run is a document of the store. A call of a run that is not known is told to start anew, which
agents do by themselves, so a service without a memory heals after a restart; one with a memory
goes on, and the minute that an agent has gathered meanwhile is not lost.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from mock_newrelic.domain.agents.connect import (
    connect_reply,
    read_connect,
    redirect_host,
    refused,
)
from mock_newrelic.domain.agents.methods import LISTS, Method, begun, is_json, read
from mock_newrelic.domain.agents.run import AgentRun
from mock_newrelic.domain.effects.agent import AgentEffect
from mock_newrelic.domain.ingest.batch import Document
from mock_newrelic.domain.injections import Ask, winner
from mock_newrelic.domain.model import NO_TERMS
from mock_newrelic.domain.surfaces import Surface
from mock_newrelic.service.ingest import decompress, too_large
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mock_newrelic.domain.ingest.batch import Batch
    from mock_newrelic.domain.ingest.event_api import ProbeRule
    from mock_newrelic.ports import Store
    from mock_newrelic.service.ingest import IngestService
    from mock_newrelic.service.injections import InjectionService
    from svckit.clock import Clock

RUN = "agent_run"
"""Kind of the documents."""
MAX_RUNS = 2000
MAX_BODY_BYTES = 1_000_000
SESSION_HEADER = "X-Mock-Session"
RUN_HEADER = "NR-Session"
_LICENSE = re.compile(r"[A-Za-z0-9]{16,64}", re.ASCII)


class CollectorError(SuiteError):
    """A refusal whose status tells the agent what to do."""

    title = "Refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the collector.

    Attributes:
        method: as it was given.
        run_id: of the run that calls; empty before it is connected.
        license_key: of the agent.
        body: as it came over the wire.
        encoding: its Content-Encoding.
        user_agent: of the agent, which tells how it wants to be redirected.
        host: by which the agent reached the service.
        port: by which it did.
        session: token of the session that a header names.
    """

    method: str
    run_id: str
    license_key: str
    body: bytes
    encoding: str = ""
    user_agent: str = ""
    host: str = "localhost"
    port: int = 443
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a call is answered, and what the journal notes of it.

    Attributes:
        value: the return value.
        apps: the applications that it was about.
        samples: how many samples it brought.
        injections: ids of the injections that changed the value.
    """

    value: Any
    apps: tuple[str, ...] = ()
    samples: int = 0
    injections: tuple[str, ...] = ()


class CollectorService:
    """Answers the calls of agents.

    Args:
        ingest: takes in what they send.
        store: keeps the runs.
        injections: may change what agents are told.
        probes: which requests are health checks.
        clock: tells the time.
        licenses: the keys that agents may use; any well-formed one when there are none.
        also: keys that are good beside these: those for reading and ingest.
        open_ingest: whether no key is needed.
        require_session: checks the token of a session.
        public_host: by which agents reach the service, instead of the name that they used.
        public_port: likewise; 0 for the one that they used.
    """

    def __init__(
        self,
        *,
        ingest: IngestService,
        store: Store,
        injections: InjectionService,
        probes: ProbeRule,
        clock: Clock,
        licenses: Iterable[str] = (),
        also: Iterable[str] = (),
        open_ingest: bool = False,
        require_session: Callable[[str], str] = str,
        public_host: str = "",
        public_port: int = 0,
    ) -> None:
        self._ingest = ingest
        self._injections = injections
        self._probes = probes
        self._clock = clock
        self._licenses = frozenset(licenses)
        self._also = frozenset(also)
        self._open = open_ingest
        self._require_session = require_session
        self._public_host = public_host
        self._public_port = public_port
        known = [msgspec.json.decode(value, type=AgentRun) for _, value in store.items(RUN)]
        known.sort(key=lambda run: run.connected)
        self._runs = OrderedDict((run.id, run) for run in known)

    async def call(self, call: Call) -> Reply:
        """Answer one call.

        Raises:
            SuiteError: the licence key is wrong (401), the run is not known (409), the body is
                none (400), too long (413) or of an unknown encoding (415); nothing of it counts.
        """
        self._check_license(call.license_key)
        method = _method(call.method)
        if method is Method.PRECONNECT:
            return self._preconnect(call)
        if method is Method.CONNECT:
            return await self._connect(call)
        return await self._report(method, call)

    @property
    def runs(self) -> list[AgentRun]:
        """The runs that are known, those that were heard of last at the end."""
        return list(self._runs.values())

    def _check_license(self, key: str) -> None:
        if self._open or key in self._licenses:
            return
        if not self._licenses and (key in self._also or _LICENSE.fullmatch(key)):
            return
        raise CollectorError(
            "Invalid license key. Please check your license key.",
            code="bad_license_key",
            status=401,
            hint="MOCK_NEWRELIC_LICENSE_KEYS names the right ones",
        )

    def _preconnect(self, call: Call) -> Reply:
        _parsed(_decoded(call), Method.PRECONNECT)
        host = redirect_host(
            host=self._public_host or call.host,
            port=self._public_port or call.port,
            user_agent=call.user_agent,
        )
        value, injections = self._changed({"redirect_host": host}, call, "")
        return Reply(value=value, injections=injections)

    async def _connect(self, call: Call) -> Reply:
        body = _parsed(_decoded(call), Method.CONNECT)
        now = self._clock.now()
        run_id = f"run-{secrets.token_hex(8)}"
        run = read_connect(body, run_id=run_id, session=call.session, now=now)
        self._require_session(run.session)
        batch = begun(run, now)
        documents = [_document(run), *self._room()]
        receipt = await self._ingest.take(
            Surface.AGENT,
            b"",
            lambda _body, _now: replace(batch, documents=tuple(documents)),
            session=run.session,
        )
        for document in documents[1:]:
            self._runs.pop(document.key, None)
        self._runs[run.id] = run
        headers = {RUN_HEADER: run.id}
        if run.session:
            headers[SESSION_HEADER] = run.session
        value, injections = self._changed(
            connect_reply(run, headers=headers), call, ",".join(run.apps)
        )
        structlog.get_logger().info(
            "agent_connected",
            app=run.apps[0],
            language=run.language,
            agent_version=run.agent_version,
            harvest=value.get("event_harvest_config"),
        )
        return Reply(value=value, apps=receipt.apps, injections=injections)

    async def _report(self, method: Method, call: Call) -> Reply:
        run = self._runs.get(call.run_id)
        if run is None:
            raise CollectorError(
                "this run is not known; connect again", code="unknown_agent_run", status=409
            )
        self._runs.move_to_end(run.id)

        def reader(body: bytes, now: float) -> Batch:
            parsed = _parsed(body, method) if is_json(method) else None
            batch = read(method, parsed, now, run=run, probes=self._probes)
            if batch.probes and not run.mixed:
                # From now on its exact counts have health checks among them.
                marked = msgspec.structs.replace(run, mixed=True)
                return replace(batch, documents=(_document(marked),))
            if method is Method.SHUTDOWN:
                gone = Document(kind=RUN, key=run.id, value=None, session="")
                return replace(batch, documents=(gone,))
            return batch

        receipt = await self._ingest.take(
            Surface.AGENT, call.body, reader, encoding=call.encoding, session=run.session
        )
        if receipt.probes and not run.mixed:
            self._runs[run.id] = msgspec.structs.replace(run, mixed=True)
        if method is Method.SHUTDOWN:
            self._runs.pop(run.id, None)
        return Reply(value=[] if method in LISTS else None, apps=run.apps, samples=receipt.samples)

    def _room(self) -> list[Document]:
        """Return the removal of the runs that were not heard of for longest, if there are many."""
        excess = len(self._runs) + 1 - MAX_RUNS
        if excess <= 0:
            return []
        oldest = list(self._runs)[:excess]
        return [Document(kind=RUN, key=key, value=None, session="") for key in oldest]

    def _changed(
        self, value: dict[str, Any], call: Call, app: str
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return what an agent is told after injections have had their say."""
        ask = Ask(
            app=app,
            session=call.session,
            surface=Surface.AGENT,
            method=call.method,
            client=call.user_agent,
        )
        now = self._clock.now()
        strikes = self._injections.touching(ask, now, (AgentEffect,))
        found = winner(strikes, AgentEffect, NO_TERMS)
        if found is None:
            return value, ()
        strike, effect = found
        changed = effect.change(value)
        if changed == value:
            return value, ()
        self._injections.applied([strike.injection], ask, now)
        return changed, (strike.injection.id,)


def _method(name: str) -> Method:
    try:
        return Method(name)
    except ValueError:
        raise CollectorError(
            "this method is not known", code="unknown_agent_method", status=400
        ) from None


def _document(run: AgentRun) -> Document:
    return Document(kind=RUN, key=run.id, value=msgspec.json.encode(run), session="")


def _decoded(call: Call) -> bytes:
    if len(call.body) > MAX_BODY_BYTES:
        raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return decompress(call.body, call.encoding)


def _parsed(body: bytes, method: Method) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refused(f"{method}: the body is not JSON, or nested too deeply") from None
