"""The resources of an admin listener, and who may see them."""

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from ocsgw.admin.access import AdminAccess
from ocsgw.admin.health import Live, Ready
from ocsgw.admin.metrics import Metrics
from ocsgw.admin.view import AdminView

# What a load balancer asks before anybody has logged in, and what has no secret in it.
_FOR_EVERYBODY = frozenset({b"livez", b"readyz"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class AdminSite(Site):
    """What one admin listener serves; `access` may be replaced while it runs."""

    noisy = False

    def __init__(self, view: AdminView, access: AdminAccess, clock: IReactorTime) -> None:
        self.access = access
        super().__init__(_Root(self, view), reactor=clock)
        self.displayTracebacks = False

    def startFactory(self) -> None:
        """Open no access log."""

    def stopFactory(self) -> None:
        """There is nothing to close."""


@implementer(IResource)
class _Root(Resource):
    """The root; everything but health is for those who may use the listener."""

    def __init__(self, site: AdminSite, view: AdminView) -> None:
        super().__init__()
        self._site = site
        self.putChild(b"livez", Live())
        self.putChild(b"readyz", Ready(view))
        self.putChild(b"metrics", Metrics(view))

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """Return the resource of a path, or what keeps a stranger from it."""
        for name, value in _SECURITY_HEADERS:
            request.setHeader(name, value)
        request.setHeader(b"server", b"ocsgw")
        if path not in _FOR_EVERYBODY and self._site.access.principal_of(request) is None:
            return _Message(401, "an API key or a client certificate is needed", ((b"www-authenticate", b"Bearer"),))
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Return the answer to an unknown path."""
        return _Message(404, "there is no such page; try /livez, /readyz or /metrics")


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
