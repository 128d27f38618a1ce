"""The resource tree (twisted.web): what is mounted beside the classic surface lives by the same connection rules."""

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ocsgw.proxy.http.tree import ResourceTree
from tests.proxy.test_request_policy import api_key
from tests.support.http import HttpClient, HttpServer, HttpTestCase, chunked, request


class Page(Resource):
    """A resource whose answers are made by the test."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.gone: list[Any] = []

    def render_GET(self, page: Request) -> bytes | int:
        """Answer by the last segment of the path."""
        self.requests.append(page)
        page.notifyFinish().addErrback(self.gone.append)
        kind = page.path.rpartition(b"/")[2]
        if kind == b"whole":
            page.setHeader(b"Content-Type", b"text/plain")
            return b"whole"
        if kind == b"pieces":
            page.setHeader(b"Content-Length", b"6")
            page.write(b"in ")
            page.write(b"two")
            page.finish()
        elif kind == b"fails":
            raise ZeroDivisionError
        elif kind == b"fails-late":
            page.write(b"begun")
            raise ZeroDivisionError
        return NOT_DONE_YET

    def render_POST(self, page: Request) -> bytes:
        """Show what the request has."""
        seen = (page.getHeader(b"a"), page.args[b"x"], page.isSecure(), page.getClientAddress().host)
        body = page.content.read() if page.content is not None else b""
        return repr(seen).encode() + body


class MountedTests(HttpTestCase):
    """A page beside the classic surface."""

    def mounted(self, *, public: bool = False, **changes: Any) -> tuple[HttpServer, Page]:
        """Return a server with a page at `/page`."""
        server, page = self.serve(**changes), Page()
        ResourceTree(server.frontend, self.clock, public=public).mount(b"page", page)
        return server, page

    def get(self, server: HttpServer, kind: str, *fields: str) -> HttpClient:
        """Ask for a page."""
        return server.connect().send(request(f"/page/{kind}", b"", *fields, method="GET"))

    def test_whole_and_in_pieces(self) -> None:
        """H2, H14: an answer of a page is framed and has what every answer has; the connection stays."""
        server, _ = self.mounted()
        for kind, body in (("whole", b"whole"), ("pieces", b"in two")):
            client = self.get(server, kind)
            self.assertEqual([answer.body for answer in client.answers()], [body])
            self.assertEqual(client.send(request()).statuses(), [200, 200])

    def test_request(self) -> None:
        """H9, H54: a page sees header fields, query and client of its request."""
        server, _ = self.mounted()
        (answer,) = server.connect().send(request("/page/x?x=1+2", b"body", "A: b")).answers()
        self.assertEqual(answer.body, repr((b"b", [b"1 2"], False, "192.0.2.1")).encode() + b"body")

    def test_defects(self) -> None:
        """H13: a page that fails is a 500 in the form of all errors, logged; the connection and others go on."""
        server, _ = self.mounted()
        client = self.get(server, "fails", "X-Request-Id: r-7")
        (answer,) = client.answers()
        self.assertEqual((answer.status, answer.error), (500, "Internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(client.send(request()).statuses(), [500, 200])

    def test_clients_that_vanish(self) -> None:
        """H351: a page is told that its client is gone; what it writes afterwards harms nobody."""
        server, page = self.mounted()
        client = self.get(server, "waits")
        self.assertEqual(client.statuses(), [])
        client.vanish()
        self.assertEqual(len(page.gone), 1)
        self.assertEqual(server.frontend.connections, set())

    def test_in_order(self) -> None:
        """H3: pages and requests to OCS on one connection are answered in order."""
        server, page = self.mounted()
        client = server.connect().send(
            request()
            + request("/page/waits", b"", method="GET")
            + request()
            + request("/page/whole", b"", method="GET")
        )
        self.assertEqual(client.statuses(), [200])
        page.requests[0].setHeader(b"Content-Length", b"0")
        page.requests[0].finish()
        self.assertEqual(client.take().statuses(), [200] * 4)

    def test_everything_else_is_classic(self) -> None:
        """H57: what is not mounted belongs to the classic surface."""
        server, _ = self.mounted()
        for target, status in (("/", 404), ("/page2", 404), ("/lists/CL?req=AddRecord", 200), ("/lists/CL/..", 404)):
            self.assertEqual(server.connect().send(request(target)).statuses(), [status], target)

    def test_bodies(self) -> None:
        """H4, H8, H20: a page gets the body of its request whole, in whatever form, within the limits of all."""
        for short_cut in (True, False):
            server, _ = self.mounted(short_cut=short_cut, body=100)
            seen = repr((None, [b"1"], False, "192.0.2.1")).encode()
            for raw in (
                request("/page/x?x=1", b"in two"),
                request("/page/x?x=1", b"", "Transfer-Encoding: chunked") + chunked(b"in ", b"two"),
            ):
                for every in (None, 1):
                    (answer,) = server.connect().send(raw, every).answers()
                    self.assertEqual(answer.body, seen + b"in two")
            self.assertEqual(server.connect().send(request("/page/x?x=1", b"x" * 101)).statuses(), [413])
            expecting = request("/page/x?x=1", b"ab", "Expect: 100-continue")[:-2]
            client = server.connect().send(expecting)
            self.assertEqual(client.statuses(), [100])
            self.assertEqual(client.send(b"ab").statuses(), [100, 200])
            self.assertEqual(server.connect().send(request("/page/x?x=1", b"a", "Expect: x")).statuses(), [417])

    def test_access(self) -> None:
        """H340: a page asks for the same keys as everything else, unless it is public; its exchange knows who asks."""
        server, page = self.mounted(keys=[api_key("new", "secret")])
        self.assertEqual(self.get(server, "whole").statuses(), [401])
        self.assertEqual(self.get(server, "whole", "Authorization: Bearer secret").statuses(), [200])
        self.assertEqual(page.requests[-1].exchange.principal, "new")  # type: ignore[attr-defined]  # a TreeRequest
        public, _ = self.mounted(public=True, keys=[api_key("new", "secret")])
        self.assertEqual(self.get(public, "whole").statuses(), [200])

    def test_limits(self) -> None:
        """A page counts for the limits of a client, with the headers that say so."""
        server, _ = self.mounted(address_rate=1)
        client = self.get(server, "whole").send(request("/page/whole", b"", method="GET"))
        first, second = client.answers()
        self.assertEqual((first.status, second.status, second.header("retry-after")), (200, 429, "1"))

    def test_absolute_form(self) -> None:
        """H58: the authority of a target is no part of its path."""
        server, page = self.mounted()
        for target, status in (("http://page/page/whole", 200), ("https://h/page2", 404), ("http://page", 404)):
            self.assertEqual(server.connect().send(request(target, b"", method="GET")).statuses(), [status])
        self.assertEqual(len(page.requests), 1)
