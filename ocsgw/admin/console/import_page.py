"""Imports in the browser: a file comes in, is looked at, tried, and imported, as `ocsctl list import` does it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.web.server import Request

from ocsgw.admin.console.import_form import options_of, reading_form
from ocsgw.admin.console.import_result import progress_section
from ocsgw.admin.console.layout import Extras, Visitor, form, section, token_field
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Door, Elsewhere, Page, PageError, field, operation
from ocsgw.admin.imports.kept_files import LARGEST, KeptFile, Looked
from ocsgw.admin.imports.look import look
from ocsgw.admin.imports.office import ImportOffice
from ocsgw.operations import import_do_not_call
from ocsgw.operations.header import column_names, likely_columns

_GONE = "this file is not kept any more; send it once more, an import that was interrupted goes on where it was"

_ORDERS = frozenset({"look", "try", "import", "stop", "discard"})
# Says that a file is for the do-not-call list: a form that names no list at all is none of our own.
_DO_NOT_CALL = "do-not-call"


class ImportPage(Page):
    """`/import`: `?list=` takes a file for a calling list, without it for the do-not-call list; `?file=` shows one."""

    path = "/import"
    title = "Import"
    is_for_all = True

    def __init__(self, door: Door, office: ImportOffice) -> None:
        super().__init__(door)
        self._office = office

    def extras(self, request: Request, visitor: Visitor) -> Extras:
        """Return what the page needs besides its content."""
        key = field(request, "file")
        if not key:
            return Extras(script="import.js")
        kept = self._office.files.find(key, visitor.principal)
        if kept is None or kept.run is None or not kept.run.is_under_way:
            return Extras()
        return Extras(live=urlencode({"page": self.path, "file": key}), refreshes=True)

    def content(self, request: Request, visitor: Visitor, message: Child) -> "Child | Deferred[Child]":
        """Return the page."""
        key = field(request, "file")
        if not key:
            name = self._list_named(field(request, "list"))
            return join(message, _upload_form(visitor, name), self._begun(visitor))
        if message is not None and self._office.files.find(key, visitor.principal) is None:
            return message
        kept = self._kept(request, visitor)
        run = kept.run
        shown = None if run is None else progress_section(kept, run, visitor)
        if run is not None and (run.is_under_way or run.is_complete):
            return join(message, _about(kept), shown)
        looking = self._looked(kept, visitor)
        return looking.addCallback(
            lambda looked: join(message, _about(kept), shown, self._reading_form(kept, looked, visitor))
        )

    def parts(self, request: Request, visitor: Visitor) -> "Deferred[dict[str, Markup]]":
        """Return what changes while an import is under way."""
        kept = self._office.files.find(field(request, "file"), visitor.principal)
        if kept is None or kept.run is None:
            return succeed({})
        return succeed({"progress": progress_section(kept, kept.run, visitor)})

    def carry_out(self, request: Request, visitor: Visitor) -> Any:
        """Take a file, or do something with one that is kept."""
        order = field(request, "do")
        if order == "upload":
            return self._take(request)
        if order not in _ORDERS:
            raise PageError(400, f"an import takes no order {order!r}; nothing was changed")
        kept = self._kept(request, visitor)
        here = Elsewhere(_address(kept))
        if kept.run is not None and kept.run.is_under_way:
            if order == "stop":
                kept.run.stop()
                return here
            raise PageError(409, "this file is being imported; stop that first")
        if order == "stop":
            return here
        if order == "discard":
            self._office.files.discard(kept)
            return Elsewhere("/lists" if kept.calling_list is not None else "/do-not-call")

        def chosen(looked: Looked) -> Elsewhere:
            _choose(kept, looked, request)
            kept.run = None
            if order != "look":
                self._begin(kept, visitor, dry_run=order == "try", again=field(request, "again") == "yes")
            return here

        return self._looked(kept, visitor).addCallback(chosen)

    def _take(self, request: Request) -> Elsewhere:
        reception = getattr(request, "reception", None)
        if reception is None:
            raise PageError(400, "send the form with its file, as multipart/form-data")
        if reception.problem is not None:
            raise PageError(400, f"{reception.problem}; nothing was changed")
        wanted, is_of_entries = field(request, "list"), field(request, "into") == _DO_NOT_CALL
        if bool(wanted) == is_of_entries:
            raise PageError(400, "choose a calling list, or the do-not-call list; nothing was changed")
        name = self._list_named(wanted)
        kept: KeptFile = reception.claim()
        kept.calling_list = name
        return Elsewhere(_address(kept))

    def _begin(self, kept: KeptFile, visitor: Visitor, *, dry_run: bool, again: bool) -> None:
        def ask(name: str, /, **arguments: object) -> "Deferred[Any]":
            return operation(self.door.view, visitor, name, **arguments)

        def forget(_: object) -> None:
            kept.looked = None

        self._office.begin(kept, ask, dry_run=dry_run, again=again).addBoth(forget)

    @inlineCallbacks
    def _looked(self, kept: KeptFile, visitor: Visitor) -> Any:
        if kept.looked is None:

            def ask(name: str, /, **arguments: object) -> "Deferred[Any]":
                return operation(self.door.view, visitor, name, **arguments)

            kept.looked = yield look(kept, lambda names: self._likely(kept, names), ask, self._office.work)
        return kept.looked

    def _likely(self, kept: KeptFile, names: Sequence[str]) -> list[str | None]:
        directory = self.door.view.directory()
        calling_list = directory.list_named(kept.calling_list) if kept.calling_list is not None else None
        if calling_list is None:
            return import_do_not_call.likely_columns(names)
        return likely_columns(directory, calling_list, names)

    def _reading_form(self, kept: KeptFile, looked: Looked, visitor: Visitor) -> Markup:
        directory = self.door.view.directory()
        calling_list = directory.list_named(kept.calling_list) if kept.calling_list is not None else None
        names = list(import_do_not_call.COLUMNS) if calling_list is None else column_names(directory, calling_list)
        return reading_form(kept, looked, names, visitor)

    def _kept(self, request: Request, visitor: Visitor) -> KeptFile:
        kept = self._office.files.find(field(request, "file"), visitor.principal)
        if kept is None:
            raise PageError(404, _GONE)
        return kept

    def _list_named(self, name: str) -> str | None:
        if not name:
            return None
        if self.door.view.directory().list_named(name) is None:
            raise PageError(404, f"there is no calling list {name}")
        return name

    def _begun(self, visitor: Visitor) -> Markup | None:
        """Return the files of a visitor that are here already, to go back to them."""
        rows: list[tuple[Child, ...]] = [
            (
                el("a", each.name, href=_address(each)),
                each.calling_list or "do-not-call list",
                each.run.state if each.run is not None else "not begun",
                _discard_form(each, visitor),
            )
            for each in self._office.files.of(visitor.principal)
        ]
        if not rows:
            return None
        return section("begun", "Files that are here", table("Files", ("File", "Into", "State", ""), rows))


def _choose(kept: KeptFile, looked: Looked, request: Request) -> None:
    """Take what a form says about reading the file."""
    options = options_of(request, looked)
    if (options.encoding, options.delimiter) != (kept.options.encoding, kept.options.delimiter):
        # The columns of the form are those of another way to read the file.
        options = replace(options, map=())
    if options != kept.options:
        kept.options, kept.looked = options, None


def _discard_form(kept: KeptFile, visitor: Visitor) -> Markup | None:
    """Return what discards a file; one that is being imported is stopped first, on its own page."""
    if kept.run is not None and kept.run.is_under_way:
        return None
    return form("/import", visitor, "Discard", title=f"Discard {kept.name}", do="discard", file=kept.key)


def _address(kept: KeptFile) -> str:
    return f"/import?{urlencode({'file': kept.key})}"


def _about(kept: KeptFile) -> Markup:
    into = f"calling list {kept.calling_list}" if kept.calling_list is not None else "the do-not-call list"
    return el("p", el("strong", kept.name), f", {kept.size:,} bytes, into {into}")


def _upload_form(visitor: Visitor, calling_list: str | None) -> Markup:
    into = f"calling list {calling_list}" if calling_list is not None else "the do-not-call list"
    upload = el(
        "form",
        # Before the file: what is not our own form is not even kept.
        token_field(visitor),
        el("input", type="hidden", name="do", value="upload"),
        el("input", type="hidden", name="list", value=calling_list)
        if calling_list is not None
        else el("input", type="hidden", name="into", value=_DO_NOT_CALL),
        el("label", "CSV file, chosen or dropped here", el("input", type="file", name="file", required=True)),
        el("button", "Send"),
        el("progress", max=1, value=0, hidden=True, aria_label="Part of the file that was sent"),
        method="post",
        action="/import",
        enctype="multipart/form-data",
        class_="stack drop",
        id="upload",
        data_largest=LARGEST,
    )
    text = (
        "Its first row names the columns. Nothing is changed yet: the next page shows what was recognized, and "
        "what would become of each row."
    )
    return section("file", f"A file for {into}", upload, el("p", text, class_="soft"), note_of_largest())


def note_of_largest() -> Markup:
    """Return what a file may be at most."""
    return el("p", f"At most {LARGEST >> 20} MiB; ocsctl list import takes larger files.", class_="soft")
