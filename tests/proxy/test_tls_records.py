"""Tests of ocsgw.proxy.http.tls_records: the short way of records, and the usual one beside it."""

import random
import ssl
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from ocsgw.proxy.http import secure
from ocsgw.proxy.http.tls_records import LARGEST, Records, has_short_way, opened, sealed
from tests.proxy.test_secure import ROOT, SecureTestCase, TlsClient
from tests.support.handshake import client_context
from tests.support.http import HttpServer, request


def record(content: bytes, kind: int = 23) -> bytes:
    """Return a record with this content."""
    return bytes((kind, 3, 3)) + len(content).to_bytes(2, "big") + content


class RecordsTests(unittest.SynchronousTestCase):
    """RFC 8446 section 5.1: where records end."""

    @given(
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from((20, 21, 22, 23))), min_size=1, max_size=8),
        st.sets(st.integers(1, 300)),
    )
    def test_cut_anywhere(self, made: list[tuple[int, int]], cuts: set[int]) -> None:
        """However a stream is cut, a segment is one record exactly if it is."""
        whole = [record(bytes(size), kind) for size, kind in made]
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


class ShortWayTests(SecureTestCase):
    """R3: what a client gets does not depend on how its records come, and which way they go."""

    def setUp(self) -> None:
        super().setUp()
        self.quick = 0

    def counted(self, connection: object, data: bytes) -> bytes | None:
        """Open a record, and count those that have gone the short way."""
        content = opened(connection, data)
        self.quick += content is not None
        return content

    def serve_counted(self, *, short: bool = True) -> HttpServer:
        """Return a server that has, or has not, the short way."""
        self.patch(secure, "opened", self.counted)
        self.patch(secure, "has_short_way", has_short_way if short else lambda connection: False)
        return self.serve_tls()

    def test_one_record_a_segment(self) -> None:
        """The usual client: each request is a record and a segment."""
        client = self.client(self.serve_counted())
        for _ in range(3):
            client.send(request())
        self.assertEqual([each.status for each in client.answers()], [200] * 3)
        self.assertEqual(self.quick, 3)

    def test_another_pyopenssl(self) -> None:
        """Without the short way everything is as it is."""
        client = self.client(self.serve_counted(short=False))
        for _ in range(3):
            client.send(request())
        self.assertEqual(([each.status for each in client.answers()], self.quick), ([200] * 3, 0))

    def test_cut_anywhere(self) -> None:
        """Records that come in pieces, or together, in both versions of TLS."""
        chance = random.Random(7)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for most in (1, 3, 40, 400, 2000):
                server = self.serve_counted()
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

    def test_large(self) -> None:
        """Answers and bodies of more than one record."""
        text = "x" * (3 * LARGEST)
        client = self.client(self.serve_counted())
        client.send(request("/lists/CL?req=AddRecord", b'{"GSW_PHONE":"1","Remarks":"' + text.encode() + b'"}'))
        client.send(request())
        first, second = client.answers()
        self.assertEqual((first.status, second.status), (200, 200))
        self.assertEqual(first.json["Remarks"], text)

    def test_end_of_tls(self) -> None:
        """H12: the end of TLS comes as a record that looks like data in TLS 1.3."""
        client = self.client(self.serve_counted()).send(request())
        client.half_close(of_tls=True)
        self.assertEqual([each.status for each in client.take().answers()], [200])
        self.assertFalse(client.connected)

    def test_broken_record(self) -> None:
        """A record that was changed on the way ends the connection, and only that."""
        server = self.serve_counted()
        client = self.client(server).send(request())
        client.tls.write(request())
        sent = bytearray(client._outgoing.read())
        sent[-1] ^= 1
        client._client.send(bytes(sent))
        self.assertFalse(client.connected)
        self.assertEqual(len(server.gateway.requests), 1)
        self.assertEqual(self.client(server).send(request()).answers()[0].status, 200)

    def test_step_without_success(self) -> None:
        """What the short way cannot send goes by pyOpenSSL, once."""
        client = self.client(self.serve_counted())
        with mock.patch.object(secure, "sealed", return_value=None) as refused:
            client.send(request())
        client.send(request())
        self.assertEqual([each.status for each in client.answers()], [200, 200])
        self.assertEqual(refused.call_count, 1)
        self.assertIsNone(sealed(None, bytes(LARGEST + 1)))

    def client_of(self, server: HttpServer, version: ssl.TLSVersion) -> TlsClient:
        """Return a client that speaks one version only."""
        context = client_context(ROOT.pem, None, self.folder)
        context.minimum_version = context.maximum_version = version
        return TlsClient(server.connect(), context).shake()
