"""`/verdicts`: what became of the rows of an import, as a CSV file."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.protocols.basic import FileSender
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ocsgw.admin.console.pages import Door, field, redirect, secure
from ocsgw.admin.imports.kept_files import KeptFiles


class VerdictFile(Resource):
    """`?file=` names the file that was imported."""

    isLeaf = True

    def __init__(self, door: Door, files: KeptFiles) -> None:
        super().__init__()
        self._door = door
        self._files = files

    def render_GET(self, request: Request) -> Any:
        """Send the file."""
        secure(request)
        visitor = self._door.visitor_of(request)
        if visitor is None:
            return redirect(request, b"/login")
        kept = self._files.find(field(request, "file"), visitor.principal)
        try:
            file = kept.verdicts.open_to_read() if kept is not None else None
        except OSError:
            file = None
        if file is None:
            request.setResponseCode(404)
            return b"this file is not kept any more\n"
        request.setHeader(b"content-type", b"text/csv; charset=utf-8")
        request.setHeader(b"content-disposition", b'attachment; filename="verdicts.csv"')
        sending: Deferred[Any] = FileSender().beginFileTransfer(file, request)
        sending.addCallback(lambda _: request.finish())
        # A browser that has gone needs nothing more.
        sending.addErrback(lambda _: None)
        sending.addBoth(lambda _: file.close())
        return NOT_DONE_YET
