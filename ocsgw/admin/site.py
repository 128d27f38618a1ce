"""The resources of an admin listener, and who may see them."""

from typing import cast

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from ocsgw.admin.access import AdminAccess
from ocsgw.admin.console.console import Console
from ocsgw.admin.console.login import Doorkeeper
from ocsgw.admin.console.pages import comes_from_here
from ocsgw.admin.health import Live, Ready
from ocsgw.admin.imports.reception import Reception, Sender
from ocsgw.admin.metrics import Metrics
from ocsgw.admin.request import AdminRequest
from ocsgw.admin.shared import Shared
from ocsgw.admin.view import AdminView
from ocsgw.counters import REFUSED_LOGINS

# What a load balancer asks before anybody has logged in, and what has no secret in it.
_FOR_EVERYBODY = frozenset({b"livez", b"readyz"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # With no-referrer a browser does not even say that a form is our own.
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class AdminSite(Site):
    """What one admin listener serves; `access` may be replaced while it runs."""

    noisy = False
    requestFactory = AdminRequest

    def __init__(self, view: AdminView, access: AdminAccess, clock: IReactorTime, shared: Shared) -> None:
        self._door = Doorkeeper(view, access, clock)
        self._console = Console(self._door, shared, clock)
        self._imports = shared.imports
        super().__init__(_Root(self, view, self._console), reactor=clock)
        self.displayTracebacks = False

    @property
    def access(self) -> AdminAccess:
        """Who may use it."""
        return self._door.access

    @access.setter
    def access(self, access: AdminAccess) -> None:
        self._door.access = access

    def receive(self, request: Request, content_type: bytes, size: int | None) -> Reception:
        """Return what takes a form with a file."""
        visitor = self._door.visitor_of(request, is_page=False) if comes_from_here(request) else None
        return Reception(self._imports, visitor, content_type, size, cast("Sender", request.transport))

    def startFactory(self) -> None:
        """Open no access log."""

    def stopFactory(self) -> None:
        """There is nothing to close; `stop` ends what would go on."""

    def stop(self) -> None:
        """End the answers that keep pages up to date."""
        self._console.stop()


@implementer(IResource)
class _Root(Resource):
    """The root; everything but health and the console's own pages is for those who may use the listener."""

    def __init__(self, site: AdminSite, view: AdminView, console: Console) -> None:
        super().__init__()
        self._site = site
        self.putChild(b"livez", Live())
        self.putChild(b"readyz", Ready(view))
        self.putChild(b"metrics", Metrics(view))
        for path, resource in console.resources.items():
            self.putChild(path, resource)
        # Pages send a stranger to the login.
        self._for_everybody = _FOR_EVERYBODY | console.resources.keys()

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """Return the resource of a path, or what keeps a stranger from it."""
        for name, value in _SECURITY_HEADERS:
            request.setHeader(name, value)
        request.setHeader(b"server", b"ocsgw")
        if path not in self._for_everybody and self._site.access.principal_of(request) is None:
            REFUSED_LOGINS.add(protocol="admin")
            return _Message(401, "an API key or a client certificate is needed", ((b"www-authenticate", b"Bearer"),))
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the answer to an unknown path."""
        return _Message(404, "there is no such page; try /, /livez, /readyz or /metrics")


class _Message(Resource):
    """An answer of one line."""

    isLeaf = True

    def __init__(self, code: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__()
        self._code = code
        self._text = text
        self._headers = headers

    def render(self, request: Request) -> bytes:
        """Answer."""
        request.setResponseCode(self._code)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        for name, value in self._headers:
            request.setHeader(name, value)
        return f"{self._text}\n".encode()
