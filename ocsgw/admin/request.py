"""Requests to an admin listener: their bodies are bounded, and a form with a file goes to the disk as it comes."""

from typing import Any, Protocol, cast

from twisted.web.server import Request

from ocsgw.admin.imports.reception import Reception

# Bytes; the forms of the console are far below that.
LARGEST_BODY = 64 << 10
_WITH_FILE = b"multipart/form-data"


class Receiver(Protocol):
    """The site of such requests."""

    def receive(self, request: Request, content_type: bytes, size: int | None) -> Reception:
        """Return what takes a form with a file; `size` is that of the body in bytes if the client says it."""


class AdminRequest(Request):
    """One request; `reception` has taken its form if that has a file."""

    reception: Reception | None = None
    _received = 0

    def gotLength(self, length: int | None) -> None:
        """Decide where the body goes; the header fields are known."""
        kind = self.getHeader(b"content-type") or b""
        if kind.partition(b";")[0].strip().lower() == _WITH_FILE:
            site = cast("Receiver", cast("Any", self.channel).site)
            reception = self.reception = site.receive(self, kind, length)
            self.notifyFinish().addBoth(lambda _: reception.release())
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; what is too much is not kept."""
        if self.reception is not None:
            self.reception.take(data)
            return
        self._received += len(data)
        if self._received <= LARGEST_BODY:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer, unless the body was too large."""
        if self.reception is not None:
            self.args.update(self.reception.fields)
            self.reception.end().addCallback(lambda _: self._answer())
        else:
            self._answer()

    def _answer(self) -> None:
        if self._disconnected:
            # While the file was still on its way to the disk.
            return
        if self._received <= LARGEST_BODY:
            super().process()
            return
        self.setResponseCode(413)
        self.write(b"the body is too large\n")
        self.finish()
