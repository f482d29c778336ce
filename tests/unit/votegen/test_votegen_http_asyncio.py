"""HTTP over a wire of our own: reuse, attribution, every way a connection can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from svckit.clock import ManualClock
from votegen.adapters.http_asyncio import HttpConnection, HttpConnector
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.domain.targets import Endpoint
from votegen.ports import Connection
from votegen_fakes import turn

pytestmark = pytest.mark.anyio

VOTE = b"POST / HTTP/1.1\r\n\r\nvote=a"
ENDPOINT = Endpoint.parse("http://vote.test:8083")
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Pod-Template-Hash: 7cd75c6d7c\r\n"
    b"Content-Length: 4\r\n\r\npage"
)


class _Wire(asyncio.Transport):
    """The server's end of one connection."""

    def __init__(self, connection: HttpConnection) -> None:
        super().__init__()
        self.connection = connection
        self.received = b""
        self.aborted = False
        self.closing = False
        connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.aborted = self.closing = True

    def answer(self, data: bytes, *, piece: int = 10_000) -> None:
        for start in range(0, len(data), piece):
            self.connection.data_received(data[start : start + piece])

    def close_from_afar(self) -> None:
        self.closing = True
        self.connection.connection_lost(None)


class _Server:
    """Accepts connections, or refuses them, and owns those that are open."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.wires: list[_Wire] = []
        self.refuses = False
        self.outcomes: list[Outcome] = []
        self.idle: list[Connection] = []
        self.reconnects = 0
        self.waiting: list[tuple[bytes, bool]] = []
        self.connector = HttpConnector(ENDPOINT, connect=self._connect)

    async def _connect(
        self, protocol: Callable[[], HttpConnection], endpoint: Endpoint
    ) -> HttpConnection:
        assert (endpoint.host, endpoint.port, endpoint.tls) == ("vote.test", 8083, False)
        if self.refuses:
            raise ConnectionRefusedError
        self.wires.append(_Wire(protocol()))
        return self.wires[-1].connection

    async def send(self) -> None:
        if self.idle:
            self._write(self.idle.pop(), VOTE, repeated=False)
        else:
            self.waiting.append((VOTE, False))
            self.connector.open(self, timeout_seconds=10)
        await turn()

    async def vote(self, answer: bytes = PAGE, *, piece: int = 10_000) -> Outcome:
        await self.send()
        self.wires[-1].answer(answer, piece=piece)
        return self.outcomes[-1]

    def _write(self, connection: Connection, payload: bytes, *, repeated: bool) -> None:
        connection.repeated = repeated
        connection.sent_at = self.clock.now()
        connection.write(payload)

    def opened(self, connection: Connection) -> None:
        payload, repeated = self.waiting.pop(0)
        self._write(connection, payload, repeated=repeated)

    def refused(self) -> None:
        self.outcomes.append(Outcome(failure=ErrorKind.CONNECT))

    def answered(self, connection: Connection, status: int, pod_hash: str, *, keep: bool) -> None:
        connection.idle_since = self.clock.now()
        self.outcomes.append(Outcome(status=status, pod_hash=pod_hash))
        if keep:
            self.idle.append(connection)

    def failed(self, connection: Connection, kind: ErrorKind) -> None:
        assert connection not in self.idle
        self.outcomes.append(Outcome(failure=kind))

    def stale(self, connection: Connection, payload: bytes) -> None:
        assert connection not in self.idle
        self.reconnects += 1
        self.waiting.append((payload, True))
        self.connector.open(self, timeout_seconds=10)

    def closed(self, connection: Connection) -> None:
        self.idle.remove(connection)


@pytest.fixture(name="server")
def _server(clock: ManualClock) -> _Server:
    return _Server(clock)


async def test_the_request_is_written_as_given(server: _Server) -> None:
    """One write, nothing added."""
    await server.send()
    assert server.wires[0].received == VOTE


async def test_an_answer_gives_status_and_version(server: _Server) -> None:
    """The header says which version answered."""
    assert await server.vote() == Outcome(status=200, pod_hash="7cd75c6d7c")


@pytest.mark.parametrize("piece", [1, 7, 40])
async def test_an_answer_may_come_in_pieces(server: _Server, piece: int) -> None:
    """However the bytes are cut, the outcome is the same."""
    assert await server.vote(piece=piece) == Outcome(status=200, pod_hash="7cd75c6d7c")


async def test_without_a_header_the_page_names_the_version(server: _Server) -> None:
    """The host name printed on a chunked page is found across its pieces."""
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"b\r\nPod: vote-7\r\n11\r\ncd75c6d7c-7hqnx <\r\n0\r\n\r\n"
    )
    assert await server.vote(answer, piece=13) == Outcome(status=200, pod_hash="7cd75c6d7c")


async def test_connections_are_kept(server: _Server) -> None:
    """Ten requests one after the other need one connection."""
    for _ in range(10):
        await server.vote()
    assert len(server.wires) == 1
    assert server.wires[0].received == 10 * VOTE
    assert [outcome.status for outcome in server.outcomes] == [200] * 10


async def test_concurrent_requests_need_their_own_connections(server: _Server) -> None:
    """A connection carries one request at a time."""
    await server.send()
    await server.send()
    assert [wire.received for wire in server.wires] == [VOTE, VOTE]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(PAGE.replace(b"Content-L", b"Connection: close\r\nContent-L"), id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="http-1.0"),
    ],
)
async def test_a_connection_that_must_close_is_not_reused(server: _Server, answer: bytes) -> None:
    """The next request gets a new connection."""
    assert (await server.vote(answer)).status == 200
    assert server.wires[0].aborted
    await server.vote()
    assert len(server.wires) == 2


async def test_a_body_may_end_with_the_connection(server: _Server) -> None:
    """An answer without a length is complete when the server closes."""
    await server.send()
    server.wires[0].answer(b"HTTP/1.0 200 OK\r\n\r\nPod: vote-7cd75c6d7c-7hqnx")
    assert server.outcomes == []
    server.wires[0].close_from_afar()
    assert server.outcomes == [Outcome(status=200, pod_hash="7cd75c6d7c")]


async def test_interim_answers_are_skipped(server: _Server) -> None:
    """A 100 is not the answer."""
    outcome = await server.vote(b"HTTP/1.1 100 Continue\r\n\r\n" + PAGE)
    assert outcome == Outcome(status=200, pod_hash="7cd75c6d7c")


async def test_a_refused_connection_is_a_connect_error(server: _Server) -> None:
    """The outcome says so; nothing was sent."""
    server.refuses = True
    await server.send()
    assert server.outcomes == [Outcome(failure=ErrorKind.CONNECT)]
    assert server.wires == []


@pytest.mark.parametrize(
    "partial",
    [
        pytest.param(b"", id="no-byte"),
        pytest.param(PAGE[:30], id="in-the-headers"),
        pytest.param(PAGE[:-1], id="in-the-body"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="behind-an-interim-answer"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + PAGE[:-1], id="in-the-body-behind-it"),
    ],
)
async def test_a_connection_lost_before_the_end_is_a_reset(server: _Server, partial: bytes) -> None:
    """Half an answer is none."""
    await server.send()
    server.wires[0].answer(partial)
    server.wires[0].close_from_afar()
    assert server.outcomes == [Outcome(failure=ErrorKind.RESET)]


async def test_garbage_is_a_protocol_error(server: _Server) -> None:
    """What is not HTTP is counted as such, and its connection dropped."""
    assert await server.vote(b"SSH-2.0-OpenSSH\r\n") == Outcome(failure=ErrorKind.PROTOCOL)
    assert server.wires[0].aborted


async def test_a_connection_that_closed_while_idle_is_replaced(server: _Server) -> None:
    """A closed connection leaves the pool; the next request does not notice."""
    await server.vote()
    server.wires[0].close_from_afar()
    assert await server.vote() == Outcome(status=200, pod_hash="7cd75c6d7c")
    assert (len(server.wires), server.reconnects) == (2, 0)


async def test_a_connection_leaves_the_pool_at_the_servers_goodbye(server: _Server) -> None:
    """Between the end of the stream and its notice nothing is written to the connection."""
    await server.vote()
    server.wires[0].connection.eof_received()
    assert server.idle == []
    await server.vote()
    assert server.wires[0].received == VOTE


async def test_a_stale_connection_is_replaced_once(server: _Server, clock: ManualClock) -> None:
    """Idle for long and closed under the request: sent again on a new connection, and counted."""
    await server.vote()
    clock.advance(5)
    await server.send()
    server.wires[0].close_from_afar()
    await turn()
    server.wires[1].answer(PAGE)
    assert [outcome.status for outcome in server.outcomes] == [200, 200]
    assert server.reconnects == 1


async def test_a_replaced_request_is_not_replaced_again(
    server: _Server, clock: ManualClock
) -> None:
    """A server that drops the new connection too has failed."""
    await server.vote()
    clock.advance(5)
    await server.send()
    server.wires[0].close_from_afar()
    await turn()
    server.wires[1].close_from_afar()
    assert server.outcomes[1:] == [Outcome(failure=ErrorKind.RESET)]
    assert server.reconnects == 1


async def test_a_busy_connection_that_is_lost_is_no_stale_one(
    server: _Server, clock: ManualClock
) -> None:
    """A server that resets requests on busy connections does not get away with it."""
    await server.vote()
    clock.advance(0.2)
    await server.send()
    server.wires[0].close_from_afar()
    assert server.outcomes[1:] == [Outcome(failure=ErrorKind.RESET)]
    assert server.reconnects == 0


async def test_a_dropped_connection_says_nothing(server: _Server) -> None:
    """Giving up tells nobody, and a late answer cannot reach the next request."""
    await server.send()
    wire = server.wires[0]
    wire.connection.drop()
    wire.answer(PAGE)
    wire.close_from_afar()
    assert wire.aborted
    assert server.outcomes == []
    await server.vote()
    assert len(server.wires) == 2


async def test_a_connection_that_does_not_open_in_time_is_refused(server: _Server) -> None:
    """A host that swallows packets, or a handshake without end, is a connect error."""

    async def forever(_: Callable[[], HttpConnection], __: Endpoint) -> HttpConnection:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    HttpConnector(ENDPOINT, connect=forever).open(server, timeout_seconds=0)
    await turn()
    assert server.outcomes == [Outcome(failure=ErrorKind.CONNECT)]


async def test_closing_gives_up_on_connections_that_are_being_opened(server: _Server) -> None:
    """After the run nothing is opened."""
    server.connector.open(server, timeout_seconds=10)
    server.connector.close()
    await turn()
    assert (server.wires, server.outcomes) == ([], [])


@pytest.mark.parametrize(
    "header",
    [
        b"x-pod-template-hash:7cd75c6d7c",
        b"X-POD-TEMPLATE-HASH:  7cd75c6d7c ",
        b"x-Pod-template-Hash: 7cd75c6d7c",
    ],
)
async def test_the_version_header_may_be_spelled_in_any_way(server: _Server, header: bytes) -> None:
    """Header names have no case; the spelling may even change from answer to answer."""
    answer = PAGE.replace(b"X-Pod-Template-Hash: 7cd75c6d7c", header)
    for one in (PAGE, answer, answer, PAGE):
        assert await server.vote(one) == Outcome(status=200, pod_hash="7cd75c6d7c")


async def test_a_version_header_in_the_body_is_none(server: _Server) -> None:
    """What a page says in its text is not what the server says in its head."""
    body = b"\r\nX-Pod-Template-Hash: 54bc444575\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    assert (await server.vote(answer)).pod_hash == "unknown"


async def test_endless_spellings_of_versions_are_forgotten(server: _Server) -> None:
    """A server that makes up a new version for every answer costs no memory."""
    for number in range(250):
        answer = PAGE.replace(b"7cd75c6d7c", b"hash%06d" % number)
        assert (await server.vote(answer)).pod_hash == f"hash{number:06}"
    assert len(server.connector._hashes) <= 100


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", id="a-second-answer"),
        pytest.param(b"HTT", id="the-beginning-of-one"),
        pytest.param(b"more than the length said", id="garbage"),
    ],
)
async def test_one_request_has_one_answer(server: _Server, more: bytes) -> None:
    """What follows an answer in the same bytes is nobody's: it counts for no request."""
    assert await server.vote(PAGE + more) == Outcome(status=200, pod_hash="7cd75c6d7c")
    assert server.wires[0].aborted
    assert await server.vote() == Outcome(status=200, pod_hash="7cd75c6d7c")
    assert len(server.wires) == 2


async def test_a_status_that_there_is_not_is_a_protocol_error(server: _Server) -> None:
    """An answer of status 0 is one, not the promise of another."""
    outcome = await server.vote(b"HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n")
    assert outcome.error is ErrorKind.PROTOCOL


async def test_data_that_nobody_asked_for_ends_the_connection(server: _Server) -> None:
    """What arrives on an idle connection could be taken for the next answer."""
    await server.vote()
    server.wires[0].answer(PAGE)
    assert server.wires[0].aborted
    await server.vote()
    assert len(server.wires) == 2
