"""A form with a file on its way in: kept for who may import, thrown away for everybody else."""

import hmac
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from ocsgw.admin.console.layout import Visitor
from ocsgw.admin.imports.form_data import FormData
from ocsgw.admin.imports.incoming import IncomingFile
from ocsgw.admin.imports.kept_files import LARGEST, KeptFile, NotKeptError
from ocsgw.admin.imports.office import ImportOffice

# Bytes of a form around its file.
AROUND = 128 << 10


class Sender(Protocol):
    """The connection that the body comes from."""

    def pauseProducing(self) -> None:
        """Read nothing more for now."""

    def resumeProducing(self) -> None:
        """Go on."""


class Reception:
    """Takes the body of one request.

    `size` is that of the body in bytes, None if the client has not said it. Afterwards `fields` are the other parts of
    the form, and `problem` says why there is no file.
    """

    def __init__(
        self, office: ImportOffice, visitor: Visitor | None, content_type: bytes, size: int | None, sender: Sender
    ) -> None:
        self._office = office
        self._visitor = visitor
        self._sender = sender
        self._incoming: IncomingFile | None = None
        self._form = FormData(content_type, self._open)
        self._kept: KeptFile | None = None
        self._problem: str | None = None
        self._received = 0
        if visitor is None or not visitor.sees_all:
            self._refuse("imports are for principals without limits")
            return
        try:
            office.files.check_room(size)
        except NotKeptError as error:
            self._refuse(str(error))

    @property
    def fields(self) -> dict[bytes, list[bytes]]:
        """The parts of the form that are not files, by name."""
        return self._form.fields

    @property
    def problem(self) -> str | None:
        """Why there is no file to import, None if there is one."""
        problem = self._problem or self._form.problem
        if problem is None and self._incoming is not None:
            problem = self._incoming.problem
        return problem or (None if self._kept is not None else "choose a file first")

    @property
    def is_foreign(self) -> bool:
        """Whether the token of the form has come and is not that of the visitor."""
        return self._visitor is not None and b"token" in self.fields and not self._is_own(self._visitor)

    @property
    def form_problem(self) -> str | None:
        """Why the form cannot be read, None if it can."""
        return self._form.problem

    def take(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._received += len(data)
        if self._received > LARGEST + AROUND:
            self._refuse(f"a file may have {LARGEST >> 20} MiB here; import a larger one with ocsctl list import")
            return
        self._form.take(data)
        if self._form.problem is not None:
            self.release()

    def end(self) -> "Deferred[None]":
        """The body is complete; fires when the file is."""
        self._form.end()
        if self._form.problem is not None:
            self.release()
        return self._incoming.done() if self._incoming is not None else succeed(None)

    def claim(self) -> KeptFile | None:
        """Return the file, which is the caller's from now on; None if there is none."""
        kept, self._kept = self._kept, None
        if kept is not None and self._incoming is not None:
            kept.size = self._incoming.size
        return kept

    def release(self) -> None:
        """Throw away what nobody has claimed."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._form.close()
            self._office.files.discard(kept)

    def _refuse(self, problem: str) -> None:
        self._problem = self._problem or problem
        self.release()

    def _is_own(self, visitor: Visitor) -> bool:
        return hmac.compare_digest(self.fields.get(b"token", [b""])[-1], visitor.token.encode())

    def _open(self, name: str) -> IncomingFile | None:
        """Begin to keep the file, if the form is one of our own: its token stands before the file."""
        visitor = self._visitor
        if self._problem is not None or visitor is None or self._kept is not None or not name:
            return None
        if b"token" not in self.fields:
            self._form.refuse("the form has to send its token before the file")
            return None
        if not self._is_own(visitor):
            return None
        self._kept = self._office.files.open(name, visitor.principal)
        file = self._kept.contents.open_to_write()
        sender = self._sender
        self._incoming = IncomingFile(file, self._office.work, sender.pauseProducing, sender.resumeProducing)
        return self._incoming
