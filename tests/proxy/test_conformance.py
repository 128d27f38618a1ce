"""HTTP/1.1 to the letter: every row of the tables in every cut, on both ways through the channel."""

from dataclasses import dataclass
from typing import cast
from unittest import mock

from twisted.internet.testing import StringTransport
from twisted.web import http

from ocsgw.proxy.http.channel import HTTPChannel
from ocsgw.proxy.http.exchange import Deliver, Exchange
from ocsgw.proxy.http.reader import RequestHead
from ocsgw.proxy.policy.prepared import Prepared
from tests.proxy.conformance import bodies, fields, lines
from tests.proxy.conformance.rows import LIMITS, NEXT, Row
from tests.support.http import FakeGateway, HttpClient, HttpTestCase

ROWS = (*lines.ROWS, *fields.ROWS, *bodies.ROWS)


@dataclass
class Outcome:
    """What became of a stream: answers without their dates, requests handed to OCS, whether the connection ended."""

    answers: list[tuple[int, list[tuple[str, str]], bytes]]
    handed: list[tuple[bytes, bytes, bytes]]
    closed: bool


class ConformanceTests(HttpTestCase):
    """RFC 9110, RFC 9112 and http.md sections 1, 2 and 4."""

    def test_size_of_the_tables(self) -> None:
        """Section 1: the tables are as large as they are meant to be, and no row stands twice."""
        self.assertGreaterEqual(len(ROWS), 220)
        self.assertEqual(len({row.raw for row in ROWS}), len(ROWS))

    def test_whole(self) -> None:
        """Sections 1, 2, 4: each row in one piece has the expected answers; each 200 was handed over, nothing else."""

        def check(row: Row) -> None:
            outcome = self.outcome_of(row)
            statuses = tuple(status for status, _, _ in outcome.answers)
            self.assertEqual(statuses, row.statuses)
            self.assertEqual(len(outcome.handed), statuses.count(200))
            self.assertNotIn(b"smuggled", b"".join(target for _, target, _ in outcome.handed))
            self.assertEqual(outcome.closed, row.stays is False)

        self.for_each(ROWS, check)

    def test_what_follows(self) -> None:
        """H2, H11: a request behind the row is served if the connection stays, and never if it does not."""

        def check(row: Row) -> None:
            outcome = self.outcome_of(row, NEXT)
            expected = (*row.statuses, 200) if row.stays else row.statuses
            self.assertEqual(tuple(status for status, _, _ in outcome.answers), expected)

        self.for_each([row for row in ROWS if row.stays is not None], check)

    def test_every_cut(self) -> None:
        """H11, H13: it makes no difference how the stream is cut, nor which way a request takes through the proxy."""

        def check(row: Row) -> None:
            expected = self.outcome_of(row)
            for short_cut in (True, False):
                for every in (1, 7):
                    self.assertEqual(self.outcome_of(row, every=every, short_cut=short_cut), expected)
            self.assertEqual(self.outcome_of(row, short_cut=False), expected)
            self.assertEqual(self.outcome_of(row, takes_frames=False), expected)

        self.for_each(ROWS, check)

    def test_as_twisted(self) -> None:
        """RFC 9112: twisted.web's own channel reads the same methods, targets and bodies from well-formed streams."""

        def check(row: Row) -> None:
            handed, closed = _read_by_twisted(row.raw)
            outcome = self.outcome_of(row)
            self.assertEqual(handed, outcome.handed)
            self.assertEqual(closed, outcome.closed)

        rows = [row for row in ROWS if row.oracle and row.stays is not None and set(row.statuses) == {200}]
        self.assertGreater(len(rows), 60)
        self.for_each(rows, check)

    def outcome_of(
        self,
        row: Row,
        behind: bytes = b"",
        *,
        every: int | None = None,
        short_cut: bool = True,
        takes_frames: bool = True,
    ) -> Outcome:
        server = self.serve(short_cut=short_cut, gateway=FakeGateway(takes_frames=takes_frames), **LIMITS)
        handed: list[tuple[bytes, bytes, bytes]] = []
        handle = server.frontend.classic.handle

        def watch(exchange: Exchange, body: bytes, deliver: Deliver) -> None:
            def note(exchange: Exchange, outcome: object) -> None:
                deliver(exchange, outcome)  # type: ignore[arg-type]  # whatever the front delivers

            before = len(server.gateway.requests)
            handle(exchange, body, note)
            if len(server.gateway.requests) > before:
                handed.append((exchange.line.method, exchange.line.target, body))

        take = HTTPChannel._take_prepared

        def watch_prepared(channel: HTTPChannel, request: RequestHead, prepared: Prepared, content: bytes) -> bool:
            taken = take(channel, request, prepared, content)
            if taken:
                handed.append((request.line.method, request.line.target, content))
            return bool(taken)

        self.patch(server.frontend.classic, "handle", watch)
        with mock.patch.object(HTTPChannel, "_take_prepared", watch_prepared):
            client = server.connect().send(row.raw + behind, every)
        outcome = Outcome(self._answers(row, client), handed, client.closed)
        server.stop()
        return outcome

    def _answers(self, row: Row, client: HttpClient) -> list[tuple[int, list[tuple[str, str]], bytes]]:
        return [
            (answer.status, sorted(pair for pair in answer.headers if pair[0] != "date"), answer.body)
            for answer in client.answers(row.heads)
        ]


class _OracleRequest(http.Request):
    """A request of twisted.web that is answered at once."""

    def process(self) -> None:
        if self.content is None:
            raise AssertionError("the oracle has no content")
        cast("_OracleChannel", self.channel).handed.append((self.method, self.uri, self.content.read()))
        self.setResponseCode(200)
        self.finish()


class _OracleChannel(http.HTTPChannel):
    """A channel of twisted.web without time limits and logs."""

    requestFactory = _OracleRequest
    timeOut = None

    def __init__(self) -> None:
        super().__init__()
        self.factory = http.HTTPFactory()
        self.factory.log = lambda _: None
        self.handed: list[tuple[bytes, bytes, bytes]] = []


def _read_by_twisted(raw: bytes) -> tuple[list[tuple[bytes, bytes, bytes]], bool]:
    """Return method, target and body of all requests that twisted.web finds, and whether it ends the connection."""
    channel = _OracleChannel()
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(raw)
    return channel.handed, transport.disconnecting
