"""How a page of the console answers: who may see it, forms that are ours, errors in words."""

import hmac
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ocsgw.admin.console.layout import Extras, Visitor, note, page
from ocsgw.admin.console.markup import Child, Markup
from ocsgw.admin.view import AdminView
from ocsgw.control.commands import commands_of
from ocsgw.control.errors import ControlError
from ocsgw.control.server import Command
from ocsgw.guard import contain
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal

_POLICY = (
    b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

ENDED_SESSION = "this form belongs to a session that has ended; nothing was changed, send it again"
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")


class Door(Protocol):
    """What a page knows of the console that it belongs to."""

    view: AdminView
    clock: IReactorTime

    def visitor_of(self, request: Request, *, is_page: bool = True) -> Visitor | None:
        """Return who sends a request, None for a stranger."""


class PageError(Exception):
    """A page cannot be shown or a form not be carried out; the text is for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a form has done is shown on the page at `path`."""

    path: str


class Page(Resource, ABC):
    """One page. Subclasses have `path` and `title`; `is_for_all` keeps out who may see only a part.

    `content` gives what the page shows, or a Deferred with it; `carry_out` does what a form asks for and returns a
    message for the page, which is shown after that.
    """

    isLeaf = True
    path = "/"
    title = ""
    is_for_all = False
    live = False
    _log = Logger()

    def __init__(self, door: Door) -> None:
        super().__init__()
        self.door = door

    @abstractmethod
    def content(self, request: Request, visitor: Visitor, message: Child) -> "Child | Deferred[Child]":
        """Return the page below its title; `message` says what a form has done, or None."""

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Do what a form asks for; return or fire with a text, or with the page that shows what became of it.

        Raises `PageError` or `ControlError`.
        """
        raise PageError(405, "this page takes no forms")

    def extras(self, request: Request, visitor: Visitor) -> Extras:
        """Return what the page needs besides its content."""
        return Extras(live=f"page={self.path}" if self.live else None)

    def command(self, visitor: Visitor, name: str, /, **arguments: object) -> "Deferred[Any]":
        """Carry out a command of `ocsctl` for a visitor. Fails with `ControlError`."""
        return command(self.door.view, visitor, name, **arguments)

    def render(self, request: Request) -> Any:
        """Answer, now or later."""
        secure(request)
        visitor = self.door.visitor_of(request)
        if visitor is None:
            return redirect(request, b"/login")
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        answering = maybeDeferred(self._answer, request, visitor)
        answering.addErrback(self._failed, request, visitor)
        answering.addCallback(self._write, request, visitor, gone)
        return NOT_DONE_YET

    def _answer(self, request: Request, visitor: Visitor) -> Any:
        if self.is_for_all and not visitor.sees_all:
            raise PageError(403, "this page is for principals without limits")
        if request.method in (b"GET", b"HEAD"):
            return self.content(request, visitor, None)
        if request.method != b"POST":
            raise PageError(405, "a page is asked for with GET, and a form sent with POST")
        check_form(request, visitor)
        done = maybeDeferred(self.carry_out, request, visitor)
        done.addCallback(lambda text: text if isinstance(text, Markup | Elsewhere) else note(str(text)))
        done.addErrback(self._refused, request)
        return done.addCallback(
            lambda message: message if isinstance(message, Elsewhere) else self.content(request, visitor, message)
        )

    def _refused(self, reason: Failure, request: Request) -> Markup:
        reason.trap(PageError, ControlError, Refusal)
        code = reason.value.code if isinstance(reason.value, PageError) else 409
        request.setResponseCode(code)
        return note(reason.getErrorMessage(), "bad")

    def _failed(self, reason: Failure, request: Request, visitor: Visitor) -> Markup:
        if isinstance(reason.value, PageError):
            request.setResponseCode(reason.value.code)
            return note(reason.getErrorMessage(), "bad")
        if reason.check(ControlError, Refusal):
            request.setResponseCode(503)
            return note(reason.getErrorMessage(), "bad")
        contain_failure(self._log, reason, self.path)
        request.setResponseCode(500)
        return note("This page cannot be shown because of an internal error; the log has the reason.", "bad")

    def _write(self, content: "Child | Elsewhere", request: Request, visitor: Visitor, gone: list[object]) -> None:
        if gone:
            return
        if isinstance(content, Elsewhere):
            redirect(request, content.path.encode())
            request.finish()
            return
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        body = page(self.title, self.path, content, visitor, self.extras(request, visitor))
        request.setHeader(b"content-length", b"%d" % len(body))
        if request.method != b"HEAD":
            request.write(body)
        request.finish()


def command(view: AdminView, visitor: Visitor, name: str, /, **arguments: object) -> "Deferred[Any]":
    """Carry out a command of `ocsctl` for a visitor. Fails with `ControlError`."""
    context = RequestContext(visitor.principal, "third_party", peer=visitor.address)
    found: Command = commands_of(view, context)[name]
    return maybeDeferred(found.run, arguments)


def operation(view: AdminView, visitor: Visitor, name: str, /, **arguments: object) -> "Deferred[Any]":
    """Carry out an operation of `ocsctl` for a visitor. Fails with `ControlError`."""
    return command(view, visitor, "operation", name=name, arguments=arguments)


def contain_failure(log: Logger, reason: Failure, path: str) -> None:
    """Log a defect that concerns one page."""
    try:
        reason.raiseException()
    except Exception:  # noqa: BLE001 - whatever it is
        contain(log, "console", path)


def secure(request: Request) -> None:
    """Set what every answer of the console has."""
    request.setHeader(b"content-security-policy", _POLICY)


def redirect(request: Request, path: bytes) -> bytes:
    """Send the browser to another page."""
    request.setResponseCode(303)
    request.setHeader(b"location", path)
    return b""


def check_form(request: Request, visitor: Visitor) -> None:
    """Raise `PageError` for a form that none of our pages has made in this session."""
    check_origin(request)
    problem = _problem_of_form(request)
    if problem is not None:
        raise PageError(400, f"this form cannot be read: {problem}; nothing was changed")
    if not hmac.compare_digest(field(request, "token").encode(), visitor.token.encode()):
        raise PageError(403, ENDED_SESSION)


def _problem_of_form(request: Request) -> str | None:
    """Return why the fields of a form are not known, None if its token has come."""
    if b"token" in (request.args or {}):
        return None
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind not in _FORMS:
        return "send it as application/x-www-form-urlencoded or multipart/form-data"
    reception = getattr(request, "reception", None)
    return reception.form_problem if reception is not None else None


def check_origin(request: Request) -> None:
    """Raise `PageError` for a form that another site has sent."""
    if not comes_from_here(request):
        raise PageError(403, "this form was sent from another site; nothing was changed")


def comes_from_here(request: Request) -> bool:
    """Whether a form was sent from a page of this site, as far as the browser says."""
    site, origin = request.getHeader(b"sec-fetch-site"), request.getHeader(b"origin")
    scheme = b"https" if request.isSecure() else b"http"
    own = scheme + b"://" + (request.getHeader(b"host") or b"")
    return site in (None, b"same-origin", b"none") and origin in (None, own)


def field(request: Request, name: str, default: str = "") -> str:
    """Return what a form or a query gives for a name, without blanks around it."""
    found = (request.args or {}).get(name.encode())
    return found[-1].decode("utf-8", "replace").strip() if found else default
