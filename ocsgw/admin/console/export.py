"""`/export`: a calling list, or the do-not-call list, as a CSV file."""

import csv
import io
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from ocsgw.admin.console.pages import Door, PageError, contain_failure, field, operation, redirect, secure
from ocsgw.control.errors import ControlError
from ocsgw.operations.exports import safe

_SLICE = 1000


class Export(Resource):
    """`?list=` names a calling list; without it the do-not-call list is meant.

    With `?for=people` numbers that have a name are names, and times those of a clock in the zone of the record.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def render_GET(self, request: Request) -> Any:
        """Send the file."""
        secure(request)
        visitor = self._door.visitor_of(request)
        if visitor is None:
            return redirect(request, b"/login")
        if not visitor.sees_all:
            request.setResponseCode(403)
            return b"exports are for principals without limits\n"
        download = _Download(request)
        is_for_people = field(request, "for") == "people"
        sending = download.run(self._door, visitor, field(request, "list") or None, is_for_people=is_for_people)
        sending.addErrback(self._failed, request, download)
        return NOT_DONE_YET

    def _failed(self, reason: Any, request: Request, download: "_Download") -> None:
        # A file that is cut off can say no reason.
        if (request.startedWriting and not download.is_gone) or not reason.check(ControlError, PageError):
            contain_failure(self._log, reason, "/export")
        if download.is_gone:
            return
        request.unregisterProducer()
        if request.startedWriting:
            # Half a file must not look like a whole one.
            request.loseConnection()
            return
        request.setResponseCode(409)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.write(f"{reason.getErrorMessage()}\n".encode())
        request.finish()


@implementer(IPushProducer)
class _Download:
    """One file on its way; the next slice is read when the browser has taken the last one."""

    def __init__(self, request: Request) -> None:
        self.is_gone = False
        self._request = request
        self._is_paused = False
        self._resumed: Deferred[None] | None = None
        request.notifyFinish().addBoth(self._gone)
        request.registerProducer(self, True)  # noqa: FBT003 - Twisted's order: it pushes

    def pauseProducing(self) -> None:
        """The browser does not read as fast as it gets."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """It has read everything."""
        self._is_paused = False
        self._go_on()

    def stopProducing(self) -> None:
        """It is gone, which `notifyFinish` reports as well."""

    def _gone(self, _: object) -> None:
        self.is_gone = True
        self._go_on()

    def _go_on(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    @inlineCallbacks
    def run(self, door: Door, visitor: Any, calling_list: str | None, *, is_for_people: bool) -> Any:
        """Send all rows."""
        common = {
            "calling_list": calling_list,
            "at_most": _SLICE,
            "local_times": is_for_people,
            "names": is_for_people,
        }
        part: Any = yield operation(door.view, visitor, "export", **common)
        if self.is_gone:
            return
        name = "do-not-call" if calling_list is None else calling_list
        plain = "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in name)
        self._request.setHeader(b"content-type", b"text/csv; charset=utf-8")
        self._request.setHeader(b"content-disposition", f'attachment; filename="{plain}.csv"'.encode())
        self._request.write(_lines([part["header"]]))
        while not part["done"] and not self.is_gone:
            self._request.write(_lines(part["rows"]))
            if self._is_paused:
                self._resumed = Deferred()
                yield self._resumed
            part = yield operation(door.view, visitor, "export", **common, after=part["after"])
        if not self.is_gone:
            self._request.unregisterProducer()
            self._request.finish()


def _lines(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
