"""Tests of ocsgw.proxy.http.tls_steps: the quick steps, and the usual ones beside them."""

import gc
import random
import ssl
import weakref
from itertools import combinations, pairwise
from typing import Any
from unittest import mock, skipUnless

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial import unittest

from ocsgw import speedups
from ocsgw.proxy.http import secure, tls_steps
from ocsgw.proxy.http.tls_steps import LARGEST, QuickSteps, Records, Steps, steps_of
from tests.proxy.test_secure import ROOT, SecureTestCase, TlsClient
from tests.support.handshake import client_context
from tests.support.http import FakeGateway, HttpServer, request


def record(content: bytes, kind: int = 23) -> bytes:
    """Return a record with this content."""
    return bytes((kind, 3, 3)) + len(content).to_bytes(2, "big") + content


class RecordsTests(unittest.SynchronousTestCase):
    """RFC 8446 section 5.1: where records end."""

    # What looks like a record, or the beginning of one, within another.
    CONTENTS = (
        b"",
        b"\x17",
        record(b"")[:3],
        record(b""),
        record(b"x"),
        record(record(b"")),
        record(b"") * 3,
        bytes(40),
    )

    @given(
        st.lists(st.tuples(st.sampled_from(CONTENTS), st.sampled_from((20, 21, 22, 23))), min_size=1, max_size=8),
        st.sets(st.integers(1, 200)),
    )
    def test_cut_anywhere(self, made: list[tuple[bytes, int]], cuts: set[int]) -> None:
        """However a stream is cut, a segment is one record exactly if it is."""
        whole = [record(content, kind) for content, kind in made]
        stream, starts = b"".join(whole), {}
        at = 0
        for each in whole:
            starts[at] = each
            at += len(each)
        ends = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
        records = Records()
        for begin, end in pairwise(ends):
            expected = starts.get(begin) == stream[begin:end] and stream[begin] == 23
            self.assertEqual(records.is_one(stream[begin:end]), expected, (ends, begin))

    def test_cut_twice(self) -> None:
        """The same at every two places of one stream, headers included."""
        whole = [record(content) for content in self.CONTENTS if len(content) < 12] + [
            record(bytes(260), 22),
            record(b""),
        ]
        stream, starts = b"".join(whole), {}
        at = 0
        for each in whole:
            starts[at] = each
            at += len(each)
        places = [place for place in range(1, len(stream)) if place < 60 or place > len(stream) - 20]
        for first, second in combinations(places, 2):
            records = Records()
            for begin, end in pairwise((0, first, second, len(stream))):
                expected = starts.get(begin) == stream[begin:end] and stream[begin] == 23
                self.assertEqual(records.is_one(stream[begin:end]), expected, (first, second, begin))


class _StepByStep(QuickSteps):
    """Without a short cut."""

    shortcut = Steps.shortcut


class QuickStepsTests(SecureTestCase):
    """R3: what a client gets does not depend on how its records come, nor on what pyOpenSSL is like inside."""

    steps: type[Steps] = _StepByStep

    def setUp(self) -> None:
        super().setUp()
        self.assertIs(steps_of(SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD), None)), QuickSteps)
        self.patch(secure, "steps_of", lambda _connection: self.steps)

    def test_one_record_a_segment(self) -> None:
        """The usual client: each request is a record and a segment, and is read by one step."""
        client = self.client(self.serve_tls())
        taken = self.steps.taken
        with mock.patch.object(self.steps, "taken", side_effect=taken) as steps:
            for _ in range(3):
                client.send(request())
        self.assertEqual([each.status for each in client.answers()], [200] * 3)
        self.assertEqual(steps.call_count, 3)

    def test_cut_anywhere(self) -> None:
        """Records that come in pieces, or together, in both versions of TLS."""
        chance = random.Random(7)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for most in (1, 3, 40, 400, 2000):
                server = self.serve_tls()
                client = self.client_of(server, version)
                stream = b""
                for number in range(12):
                    client.tls.write(request(f"/lists/CL?req={'AddRecord' if number % 3 else 'Unknown'}"))
                    stream += client._outgoing.read()
                while stream:
                    size = chance.randint(1, most)
                    client._client.send(stream[:size])
                    stream = stream[size:]
                statuses = [each.status for each in client.take().answers()]
                self.assertEqual(statuses, [400, 200, 200] * 4, (version, most))
                client.send(request())
                self.assertEqual(client.answers()[-1].status, 200)

    def test_handshake_cut_anywhere(self) -> None:
        """A handshake byte by byte, with a request right behind it, and one that the server sends in pieces."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with mock.patch.object(tls_steps, "_ROOM", 100), mock.patch.object(secure, "LARGEST", 100):
                client = TlsClient(self.serve_tls().connect(), self.context_of(version))
                for _ in range(3):
                    try:
                        client.tls.do_handshake()
                    except ssl.SSLWantReadError:
                        for byte in client._outgoing.read():
                            client._client.send(bytes((byte,)))
                        client._exchange()
                client.tls.write(request())
                for byte in client._outgoing.read():
                    client._client.send(bytes((byte,)))
                self.assertEqual([each.status for each in client.take().answers()], [200], version)

    def test_large(self) -> None:
        """Answers and bodies of more than one record."""
        text = "x" * (3 * LARGEST)
        client = self.client(self.serve_tls())
        client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1","Remarks":"' + text.encode() + b'"}'))
        client.send(request())
        first, second = client.answers()
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(first.json["Remarks"], text)

    def test_end_of_tls(self) -> None:
        """H12: the end of TLS, in TLS 1.3 a record that looks like data."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.client_of(self.serve_tls(), version).send(request())
            client.half_close(of_tls=True)
            self.assertEqual([each.status for each in client.take().answers()], [200])
            self.assertFalse(client.connected)

    def test_end_of_tls_in_the_handshake(self) -> None:
        """A client that ends TLS within the handshake has just gone: that makes no line in the log."""
        server = self.serve_tls()
        client = TlsClient(server.connect(), self.context_of(ssl.TLSVersion.TLSv1_2))
        self.assertRaises(ssl.SSLWantReadError, client.tls.do_handshake)
        client._exchange()
        client._client.send(b"\x15\x03\x03\x00\x02\x01\x00")
        self.assertFalse(client.connected)
        self.assertEqual((server.frontend.connections, self.handshake_lines()), (set(), []))

    def test_gone_within_the_handshake(self) -> None:
        """A client that closes its side of TCP before TLS is there is gone, without a line in the log."""
        for sent in (b"", b"\x16\x03\x01\x02\x00"):
            server = self.serve_tls()
            client = server.connect().send(sent).half_close()
            self.assertFalse(client.transport.connected)
            self.assertEqual((server.frontend.connections, self.handshake_lines()), (set(), []))

    def test_drained_within_the_handshake(self) -> None:
        """H353: a server that stops does not wait for handshakes."""
        server = self.serve_tls()
        client = server.connect().send(b"\x16\x03\x01\x02\x00")
        drained: list[bool] = []
        server.frontend.drain(lambda: drained.append(True))
        server.work()
        self.assertEqual((client.transport.connected, drained), (False, [True]))

    def test_bytes_behind_the_end(self) -> None:
        """H11: what comes behind the end of TLS is kept nowhere, and not read for ever."""
        gateway = FakeGateway(holds=True)
        server = self.serve_tls(gateway=gateway, drain=100_000)
        client = self.client(server).send(request())
        client.half_close(of_tls=True)
        with mock.patch.object(self.steps, "put") as put:
            for _ in range(11):
                self.assertTrue(client._client.transport.reading)
                client._client.send(bytes(10_000))
        self.assertEqual((put.called, client._client.transport.reading), (False, False))
        gateway.release()
        server.work()
        self.assertEqual([each.status for each in client.take().answers()], [200])
        self.assertFalse(client.connected)

    def test_end_of_our_side(self) -> None:
        """H2, H11: behind the last answer come the ends of TLS and TCP; a client that does not end its own is cut."""
        server = self.serve_tls()
        client = self.client(server).send(request("/lists/CL?req=AddRecord", b"{}", "Connection: close"))
        self.assertEqual((client.tls.read(1), client._client.transport.write_closed), (b"", True))
        client._client.transport.kept_by_system = 1000
        self.advance(10)
        self.assertTrue(client.connected)
        client._client.transport.kept_by_system = 0
        self.advance(4)
        self.assertFalse(client.connected)

    def test_garbage_behind_untaken_answers(self) -> None:
        """A connection whose TLS is over is closed when its answers are taken; nobody waits for more of them."""
        server = self.serve_tls()
        client = self.client(server)
        client._client.stall()
        large = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1","Remarks":"' + b"x" * 100_000 + b'"}')
        client.tls.write(large)
        client._client.send(client._outgoing.read() + record(bytes(100)))
        transport = client._client.transport
        self.assertEqual((transport.connected, transport.disconnecting, transport._producer), (True, True, None))
        client._client.take()
        self.assertFalse(client.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_refused_and_silent(self) -> None:
        """H27, H32: a client for whom there is no room has no more time for its handshake than others."""
        server = self.serve_tls(connections=1, gateway=FakeGateway(holds=True), header_timeout_ms=5000)
        first = self.client(server).send(request())
        silent, gone = server.connect(), server.connect()
        gone.half_close()
        self.assertFalse(gone.transport.connected)
        self.advance(4)
        self.assertTrue(silent.transport.connected)
        self.advance(2)
        self.assertFalse(silent.transport.connected)
        self.assertEqual(self.handshake_lines(), ["TLS handshake with 192.0.2.1 failed: it was not completed in time"])
        self.assertTrue(first.connected)

    def test_no_circles(self) -> None:
        """What belongs to a connection is gone with it, however it ended; the collector need not find it."""
        server = self.serve_tls()
        ways: list[tuple[bool, bytes]] = [
            (False, b""),
            (False, b"GET / HTTP/1.1\r\n\r\n"),
            (False, b"\x16\x03\x01\x02\x00"),
            (True, b""),
            (True, record(bytes(40))),
        ]
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for is_shaken, sent in ways:
            connection = server.connect()
            client = TlsClient(connection, client_context(ROOT.pem))
            if is_shaken:
                client.shake().send(request())
            made: Any = connection.channel
            secure_side, tls = weakref.ref(made), weakref.ref(made.connection)
            del made
            connection.send(sent)
            if connection.transport.connected:
                connection.vanish()
            self.assertIsNone(tls(), (is_shaken, sent))
            # What only the tests hold.
            connection.transport.protocol = None
            del connection.channel
            server.gateway.requests.clear()
            server.gateway.exchanges.clear()
            del connection, client
            self.assertIsNone(secure_side(), (is_shaken, sent))

    def test_afterwards(self) -> None:
        """What is written or asked for when the connection is gone changes nothing."""
        client = self.client(self.serve_tls())
        transport = client._client.transport
        secure_side: Any = client._client.channel
        self.assertEqual(secure_side.getPeer(), transport.getPeer())
        self.assertEqual(secure_side.getHost(), transport.getHost())
        client._client.vanish()
        taken = transport.taken
        secure_side.write(b"late")
        secure_side.loseConnection()
        secure_side.abortConnection()
        self.assertEqual((transport.taken, transport._unsent), (taken, b""))

    def test_broken_record(self) -> None:
        """A record that was changed on the way ends the connection, and only that."""
        server = self.serve_tls()
        client = self.client(server).send(request())
        client.tls.write(request())
        sent = bytearray(client._outgoing.read())
        sent[-1] ^= 1
        client._client.send(bytes(sent))
        self.assertFalse(client.connected)
        self.assertEqual(len(server.gateway.requests), 1)
        self.assertEqual(self.client(server).send(request()).answers()[0].status, 200)

    def test_nothing_taken(self) -> None:
        """What TLS cannot send before it has heard from the client is sent then, in its order."""
        client = self.client(self.serve_tls())
        give = self.steps.give
        # The first answer, at once, and as the second and the third request come; behind it the others wait.
        with mock.patch.object(self.steps, "give", side_effect=[False, False, False]) as refused:
            client.send(request())
            client.send(request("/lists/CL?req=Unknown"))
            client.send(request())
        self.assertEqual((client.answers(), refused.call_count), ([], 3))
        with mock.patch.object(self.steps, "give", side_effect=give) as given:
            client.send(request("/lists/CL?req=Unknown"))
        self.assertEqual([each.status for each in client.answers()], [200, 400, 200, 400])
        self.assertEqual(given.call_count, 4)

    def test_closed_with_something_waiting(self) -> None:
        """The last answer goes out before the end of TLS, also where it has to wait."""
        client = self.client(self.serve_tls())
        with mock.patch.object(self.steps, "give", return_value=False):
            client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', "Connection: close"))
        self.assertEqual((client.answers(), client.connected), ([], True))
        client.send(b"more")
        self.assertEqual([each.status for each in client.answers()], [200])
        self.assertEqual(client.tls.read(1), b"")

    def test_client_that_takes_nothing(self) -> None:
        """H31: where the socket takes no answers, no more requests are read; a client that never does is cut."""
        server = self.serve_tls(write_timeout_ms=5000)
        client = self.client(server)
        client._client.stall()
        large = request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1","Remarks":"' + b"x" * 100_000 + b'"}')
        for _ in range(5):
            client.tls.write(large)
            client._client.send(client._outgoing.read())
        handed = len(server.gateway.requests)
        self.assertLess(handed, 5)
        self.assertFalse(client._client.transport.reading)
        client._client.take()
        self.assertEqual([each.status for each in client.take().answers()], [200] * 5)
        client._client.stall()
        for _ in range(3):
            client.tls.write(large)
            client._client.send(client._outgoing.read())
        self.advance(4)
        self.assertTrue(client.connected)
        self.advance(2)
        self.assertFalse(client.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_limit_of_idle_connections(self) -> None:
        """H27: once the handshake is over, its limit no longer counts."""
        server = self.serve_tls(header_timeout_ms=5000, idle_timeout_ms=60_000)
        client = self.client(server)
        self.advance(30)
        self.assertTrue(client.connected)
        self.advance(31)
        client._client.take()
        self.assertEqual(client.take().tls.read(1), b"")
        # It has some seconds to answer the end of TLS; nobody is told to pause for it.
        self.assertIsNone(client._client.transport._producer)
        self.advance(31)
        self.assertFalse(client.connected)

    def test_nothing_taken_any_more(self) -> None:
        """TLS that fails while an answer is written ends the connection."""
        server = self.serve_tls()
        client = self.client(server)
        with mock.patch.object(self.steps, "give", side_effect=SSL.Error([])):
            client.send(request())
        self.assertFalse(client.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_answer_before_the_handshake(self) -> None:
        """H32: a client for whom there is no room gets its 503 when it can read it."""
        server = self.serve_tls(connections=1, gateway=FakeGateway(holds=True))
        first = self.client(server).send(request())
        second = TlsClient(server.connect(), client_context(ROOT.pem)).shake().take()
        self.assertEqual([each.status for each in second.answers()], [503])
        second.half_close(of_tls=True)
        self.assertFalse(second.connected)
        server.gateway.release()
        server.work()
        self.assertEqual([each.status for each in first.take().answers()], [200])

    def context_of(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """Return the settings of a client that speaks one version only."""
        context = client_context(ROOT.pem, None, self.folder)
        context.minimum_version = context.maximum_version = version
        return context

    def client_of(self, server: HttpServer, version: ssl.TLSVersion) -> TlsClient:
        """Return a client that speaks one version only."""
        return TlsClient(server.connect(), self.context_of(version)).shake()


class UsualStepsTests(QuickStepsTests):
    """The same with another pyOpenSSL."""

    steps = Steps


class _Shortcut:
    """A short cut whose seals have some results first, instead of what they would have."""

    def __init__(self, real: Any, results: list[int]) -> None:
        self._real = real
        self._results = results

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def seal(self, data: bytes) -> bytes | int:
        """Seal, or not."""
        sealed: bytes | int = self._results.pop(0) if self._results else self._real.seal(data)
        return sealed


@skipUnless(speedups.is_used(), "there is no short cut without compiled parts")
class ShortcutTests(QuickStepsTests):
    """The same where whole records, and answers, go through the compiled part."""

    steps = QuickSteps

    def refuse(self, server: HttpServer, times: int, why: Any) -> None:
        """Have OpenSSL refuse the next answers on the only connection, for the reason that `why` returns or raises."""
        channel: Any
        (channel,) = server.frontend.connections
        end = channel.transport
        end._shortcut = _Shortcut(end._shortcut, [-1] * times)
        self.patch(secure, "why_none", mock.Mock(side_effect=why))

    def test_one_record_a_segment(self) -> None:
        """Such requests, and their answers, take no other step."""
        client = self.client(self.serve_tls())
        with mock.patch.multiple(self.steps, taken=mock.DEFAULT, give=mock.DEFAULT, put=mock.DEFAULT) as steps:
            for _ in range(3):
                client.send(request())
        self.assertEqual([each.status for each in client.answers()], [200] * 3)
        self.assertEqual([each.call_count for each in steps.values()], [0, 0, 0])

    def test_nothing_taken(self) -> None:
        """What TLS cannot send before it has heard from the client is sent then, in its order."""
        server = self.serve_tls()
        client = self.client(server)
        self.refuse(server, 3, lambda *_: None)
        client.send(request())
        client.send(request("/lists/CL?req=Unknown"))
        client.send(request())
        self.assertEqual(client.answers(), [])
        client.send(request("/lists/CL?req=Unknown"))
        self.assertEqual([each.status for each in client.answers()], [200, 400, 200, 400])

    def test_closed_with_something_waiting(self) -> None:
        """The last answer goes out before the end of TLS, also where it has to wait."""
        server = self.serve_tls()
        client = self.client(server)
        self.refuse(server, 1, lambda *_: None)
        client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1"}', "Connection: close"))
        self.assertEqual((client.answers(), client.connected), ([], True))
        client.send(b"more")
        self.assertEqual([each.status for each in client.answers()], [200])
        self.assertEqual(client.tls.read(1), b"")

    def test_nothing_taken_any_more(self) -> None:
        """TLS that fails while an answer is written ends the connection."""
        server = self.serve_tls()
        client = self.client(server)
        self.refuse(server, 1, SSL.Error([]))
        client.send(request())
        self.assertFalse(client.connected)
        self.assertEqual(server.frontend.connections, set())

    def test_answers_of_all_sizes(self) -> None:
        """Up to a record an answer is sealed at once, beyond that record by record; none is lost or cut."""
        server = self.serve_tls()
        client = self.client(server)
        for size in (0, 1, 100, 15_000, *range(16_080, 16_400, 8), 16_800, 17_000, 32_768, 40_000):
            client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1","Remarks":"' + b"x" * size + b'"}'))
            (answer,) = client.take().answers()[-1:]
            self.assertEqual((answer.status, answer.body.count(b"x") >= size), (200, True), size)
