"""The resource tree (twisted.web): what is mounted beside the classic surface lives by the same connection rules."""

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from tests.support.http import HttpClient, HttpServer, HttpTestCase, request


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
        return repr(seen).encode()


class MountedTests(HttpTestCase):
    """A page beside the classic surface."""

    def mounted(self) -> tuple[HttpServer, Page]:
        """Return a server with a page at `/page`."""
        server, page = self.serve(), Page()
        server.site.resource.putChild(b"page", page)
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
        self.assertEqual(answer.body, repr((b"b", [b"1 2"], False, "192.0.2.1")).encode())

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
