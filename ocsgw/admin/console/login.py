"""Who is at the console: sessions, the page for logging in, and the one for leaving."""

import hashlib
import ipaddress
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from ocsgw.admin.access import AdminAccess
from ocsgw.admin.console.layout import Visitor, note, page
from ocsgw.admin.console.markup import el, join
from ocsgw.admin.console.pages import PageError, check_form, check_origin, field, redirect, secure
from ocsgw.admin.console.sessions import Session, Sessions
from ocsgw.admin.view import AdminView
from ocsgw.counters import REFUSED_LOGINS
from ocsgw.logs import say


class Doorkeeper:
    """Knows the visitors of one listener.

    `access` may be replaced while it runs; sessions of keys that count no more end with that.
    """

    def __init__(self, view: AdminView, access: AdminAccess, clock: IReactorTime) -> None:
        self.view = view
        self.access = access
        self.clock = clock
        self.sessions = Sessions(clock.seconds)

    def visitor_of(self, request: Request, *, is_page: bool = True) -> Visitor | None:
        """Return who sends a request, None for a stranger.

        A certificate or an open listener begins a session by itself, so that forms have their token.
        """
        if self.access.is_open and not _names_this_machine(request):
            # A page of another site whose name was made to lead here.
            return None
        session = self._session_of(request, is_page=is_page)
        vouched = self.access.principal_of(request)
        if session is not None and vouched is not None and session.digest is None and session.principal != vouched:
            session = None
        if session is None:
            if vouched is None:
                return None
            session = self.enter(request, vouched, None)
        address = getattr(request.getClientAddress(), "host", "")
        permissions = self.view.directory().permissions_of(session.principal)
        return Visitor(session.principal, permissions, session.token, address, session.digest is not None)

    def enter(self, request: Request, principal: str, digest: bytes | None) -> Session:
        """Begin a session, and give its browser the name of it."""
        name, session = self.sessions.begin(principal, digest)
        request.addCookie(
            cookie_name(request), name, path=b"/", httpOnly=True, sameSite=b"strict", secure=request.isSecure()
        )
        return session

    def leave(self, request: Request) -> None:
        """End the session of a request."""
        self.sessions.end(_cookie(request))

    def _session_of(self, request: Request, *, is_page: bool) -> Session | None:
        session = self.sessions.find(_cookie(request), is_page=is_page)
        if session is None:
            return None
        if session.digest is not None:
            owner = self.access.owner_of_digest(session.digest)
        else:
            owner = self.access.principal_of(request)
        if owner != session.principal:
            self.leave(request)
            return None
        return session


class Login(Resource):
    """`/login`: a form that takes an API key."""

    isLeaf = True
    _log = Logger()

    def __init__(self, door: Doorkeeper) -> None:
        super().__init__()
        self._door = door

    def render_GET(self, request: Request) -> bytes:
        """Show the form."""
        return self._show(request, None, 200)

    def render_POST(self, request: Request) -> bytes:
        """Take a key."""
        try:
            check_origin(request)
        except PageError as error:
            return self._show(request, str(error), error.code)
        digest = hashlib.sha256(field(request, "key").encode()).digest()
        owner = self._door.access.owner_of_digest(digest)
        if owner is None:
            address = getattr(request.getClientAddress(), "host", "unknown")
            REFUSED_LOGINS.add(protocol="admin")
            say(self._log, 93252, address=address)
            return self._show(request, "This is not a key that counts here.", 403)
        secure(request)
        self._door.enter(request, owner, digest)
        return redirect(request, b"/")

    def _show(self, request: Request, problem: str | None, code: int) -> bytes:
        secure(request)
        request.setResponseCode(code)
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        if self._door.access.is_open:
            text = "Without keys this console answers only under the address of this machine, such as 127.0.0.1."
            return page("Log in", "/login", note(text, "bad"), None)
        key = el("input", type="password", name="key", required=True, autocomplete="current-password", autofocus=True)
        form = el("form", el("label", "API key", key), el("button", "Log in"), method="post", class_="stack")
        return page("Log in", "/login", join(note(problem, "bad") if problem else None, form), None)


class Logout(Resource):
    """`/logout`: ends the session."""

    isLeaf = True

    def __init__(self, door: Doorkeeper) -> None:
        super().__init__()
        self._door = door

    def render_POST(self, request: Request) -> bytes:
        """End it."""
        secure(request)
        visitor = self._door.visitor_of(request)
        if visitor is not None:
            try:
                check_form(request, visitor)
            except PageError as error:
                request.setResponseCode(error.code)
                return str(error).encode()
            self._door.leave(request)
        return redirect(request, b"/login")


def cookie_name(request: Request) -> bytes:
    """Return the name of the cookie. Browsers send cookies to every port of a host, so it has the port in it."""
    return b"ocsgw_%d" % getattr(request.getHost(), "port", 0)


def _cookie(request: Request) -> str:
    found: Any = request.getCookie(cookie_name(request))
    return found.decode("ascii", "replace") if found else ""


def _names_this_machine(request: Request) -> bool:
    """Whether the name that a client has used is an address or localhost."""
    host = (request.getHeader(b"host") or b"").decode("ascii", "replace")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name.lower() in {"localhost", ""}:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
