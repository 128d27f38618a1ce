"""Requests to an admin listener: their bodies are bounded, and a form with a file goes to the disk as it comes."""

from typing import Any, Protocol, cast

from twisted.web.server import Request

from ocsgw.admin.console.layout import note
from ocsgw.admin.console.pages import ENDED_SESSION
from ocsgw.admin.imports.kept_files import LARGEST
from ocsgw.admin.imports.reception import AROUND, Reception

# Bytes; the forms of the console are far below that.
LARGEST_BODY = 64 << 10
_WITH_FILE = b"multipart/form-data"
_TOO_LARGE = f"the body is too large; a file may have {LARGEST >> 20} MiB here, ocsctl list import takes larger ones"


class Receiver(Protocol):
    """The site of such requests."""

    def receive(self, request: Request, content_type: bytes, size: int | None) -> Reception:
        """Return what takes a form with a file; `size` is that of the body in bytes if the client says it."""


class AdminRequest(Request):
    """One request; `reception` has taken its form if that has a file."""

    reception: Reception | None = None
    _received = 0
    _length: int | None = None
    _is_turned_away = False

    def gotLength(self, length: int | None) -> None:
        """Decide where the body goes; the header fields are known."""
        kind = self.getHeader(b"content-type") or b""
        has_file = kind.partition(b";")[0].strip().lower() == _WITH_FILE
        self._length = length
        if length is not None and length > (LARGEST + AROUND if has_file else LARGEST_BODY):
            # Nobody is asked to send what is thrown away.
            self.requestHeaders.removeHeader(b"expect")
            self._turn_away(b"413 Request Entity Too Large", _TOO_LARGE)
            length = 0
        elif has_file:
            site = cast("Receiver", cast("Any", self.channel).site)
            reception = self.reception = site.receive(self, kind, length)
            self.notifyFinish().addBoth(lambda _: reception.release())
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; what is too much is not kept."""
        self._received += len(data)
        if self._is_turned_away:
            return
        if self.reception is not None:
            self.reception.take(data)
            # A form that has come as a whole gets its answer as a page.
            if self.reception.is_foreign and self._received != self._length:
                self.reception.release()
                self._turn_away(b"403 Forbidden", ENDED_SESSION)
            return
        if self._received <= LARGEST_BODY:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer, unless that was done before the body had come."""
        if self._is_turned_away:
            return
        if self.reception is not None:
            self.args.update(self.reception.fields)
            self.reception.end().addCallback(lambda _: self._answer())
        else:
            self._answer()

    def _answer(self) -> None:
        if self._disconnected:
            # While the file was still on its way to the disk.
            return
        if self.reception is not None or self._received <= LARGEST_BODY:
            super().process()
            return
        self.setResponseCode(413)
        self.write(b"the body is too large\n")
        self.finish()

    def _turn_away(self, status: bytes, text: str) -> None:
        """Answer before the body has come, and close the connection."""
        self._is_turned_away = True
        body = note(text, "bad").encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n" % (status, len(body))
        channel = cast("Any", self.channel)
        channel.write(head + b"Connection: close\r\n\r\n" + body)
        channel.loseConnection()
