"""The work on a file of an import: looked at, tried, or imported slice by slice, beside everything else."""

import io
import itertools
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from twisted.python.failure import Failure

from ocsgw.admin.imports.incoming import Work
from ocsgw.admin.imports.nameless import NamelessFile
from ocsgw.control.errors import ControlError
from ocsgw.files.errors import FileError
from ocsgw.files.known import KnownContacts
from ocsgw.files.options import ImportOptions
from ocsgw.files.seen import SeenContacts
from ocsgw.files.slices import Slice, SliceSize, slices
from ocsgw.files.source import Source, reading
from ocsgw.files.verdicts import NumberedVerdict, VerdictBook
from ocsgw.guard import contain
from ocsgw.operations.parts import in_parts

# Carries out an operation by its name; fails with `ControlError`.
Ask = Callable[..., "Deferred[Any]"]

State = Literal["under way", "done", "imported before", "stopped", "refused", "failed"]

# Those of a slice are read, in a thread, while nothing else of the import goes on.
_ROWS = 1000
# Rows whose verdict is shown; all of them are in a file.
_SHOWN_WRONG = 200
_SHOWN_OTHERS = 50


@dataclass(slots=True)
class Progress:
    """How far an import has come: rows handled by this run, which part of the file, when it began and ended."""

    rows: int = 0
    done: float = 0.0
    began: float = 0.0
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be imported, from where and into what; `dry_run` changes nothing, `again` imports it once more."""

    contents: NamelessFile
    verdicts: NamelessFile
    name: str
    calling_list: str | None
    options: ImportOptions
    dry_run: bool
    again: bool


@dataclass(slots=True, eq=False)
class ImportRun:
    """One run of an import, which begins with `start`.

    `ask` carries out operations, `work` calls functions away from the reactor, `clock` gives seconds.
    """

    job: Job
    ask: Ask
    work: Work
    clock: Callable[[], float] = time.monotonic
    state: State = "under way"
    # Why it has not come to its end, in words.
    reason: str = ""
    number: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    progress: Progress = field(default_factory=Progress)
    mended: dict[str, int] = field(default_factory=dict)
    _shown: list[NumberedVerdict] = field(default_factory=list)
    _left: dict[bool, int] = field(default_factory=lambda: {True: _SHOWN_WRONG, False: _SHOWN_OTHERS})
    _is_to_stop: bool = False

    _log = Logger()

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == "under way"

    @property
    def is_complete(self) -> bool:
        """Whether the file is imported, so that nobody needs it any more."""
        return self.state == "done" and not self.job.dry_run

    @property
    def shown(self) -> list[NumberedVerdict]:
        """The first verdicts, by the numbers of their rows."""
        return sorted(self._shown)

    def start(self) -> "Deferred[None]":
        """Begin; fires when it has ended, in whatever way."""
        self.progress.began = self.clock()
        done: Deferred[Any] = self._carry_out()
        return done.addErrback(self._failed).addBoth(self._ended)

    def stop(self) -> None:
        """End behind the present slice; the same import goes on from there."""
        self._is_to_stop = True

    def _ended(self, _: object) -> None:
        self.progress.ended = self.clock()

    def _failed(self, reason: Failure) -> None:
        self.state, self.reason = "failed", reason.getErrorMessage()
        if reason.check(FileError):
            self.state = "refused"
        elif isinstance(reason.value, OSError):
            self.reason = f"the file cannot be read: {reason.value.strerror or reason.value}"
        elif not reason.check(ControlError):
            self.reason = "an internal error; the log has it"
            try:
                reason.raiseException()
            except Exception:  # noqa: BLE001 - whatever it is
                contain(self._log, "import", self.job.name)

    @inlineCallbacks
    def _carry_out(self) -> Any:
        job = self.job
        with ExitStack() as stack:
            source: Source = yield self.work(lambda: self._open(stack))
            common = source.arguments(job.calling_list, dry_run=job.dry_run)
            looked: Any = yield self.ask("begin import", **common, look=True, again=job.again)
            if looked["finished_at"] is not None:
                self.state, self.number = "imported before", looked["number"]
                self.counts.update(looked["counts"])
                return
            if job.calling_list is not None and job.options.duplicates is None and not looked["rows"]:
                yield self._refuse_known_contacts(job.calling_list, looked["contact_at"])
            if not self._is_to_stop:
                begun: Any = yield self.ask("begin import", **common, again=job.again)
                if not job.dry_run:
                    self.number = begun["number"]
                yield self._transfer(stack, source, common, begun)
        if self._is_to_stop:
            self.state = "stopped"
        else:
            self.state, self.progress.done = "done", 1.0

    def _open(self, stack: ExitStack) -> Source:
        return stack.enter_context(reading(self.job.name, self.job.contents.open_to_read(), self.job.options))

    @inlineCallbacks
    def _refuse_known_contacts(self, calling_list: str, contact_at: int | None) -> Any:
        """Fail with `FileError` if the list has more than a few of the contacts already."""
        if contact_at is None:
            return
        known = KnownContacts(contact_at)
        with ExitStack() as stack:
            source: Source = yield self.work(lambda: self._open(stack))
            questions = known.questions(source.rows)
            while not (known.is_enough or self._is_to_stop):
                asked: Any = yield self.work(lambda: next(questions, None))
                if asked is None:
                    break
                contacts = [contact for _, contact in asked]
                found: Any = yield self.ask("known contacts", calling_list=calling_list, contacts=contacts)
                if found is None:
                    break
                known.answered(asked, found)
        if known.in_words() and not known.are_few:
            raise FileError(f"{known.in_words()}. Nothing was imported. Say what to do with them with --duplicates")

    @inlineCallbacks
    def _transfer(self, stack: ExitStack, source: Source, common: dict[str, Any], begun: dict[str, Any]) -> Any:
        """Send the rows from where the import has come to."""
        job = self.job
        first = begun["rows"]
        self.counts.update(begun["counts"])
        stream = stack.enter_context(io.TextIOWrapper(job.verdicts.open_to_write(), "utf-8", newline=""))
        book = VerdictBook(stream)
        self.reasons = book.reasons
        seen = None
        if job.dry_run and common["duplicates"] != "add" and begun["contact_at"] is not None:
            seen = SeenContacts(begun["contact_at"], begun["country"])
            stack.callback(seen.close)
        rest = slices(itertools.islice(source.rows, first, None), SliceSize(_ROWS))

        def read() -> tuple[Slice, list[bytes]]:
            slice_ = next(rest, [])
            return slice_, in_parts([each.cells for each in slice_])

        while not self._is_to_stop:
            slice_, parts = yield self.work(read)
            places = seen.places(slice_) if seen is not None else []
            # The last slice, empty, says that all rows are there.
            result: Any = yield self.ask("import", **common, first=first, parts=parts, last=not slice_, seen=places)
            first += len(slice_)
            if seen is not None:
                seen.add(slice_, result["verdicts"])
            self.counts.update(result["counts"])
            for each in book.note(slice_, result["verdicts"]):
                if self._left[each.is_wrong]:
                    self._left[each.is_wrong] -= 1
                    self._shown.append(each)
            self.progress.rows += len(slice_)
            self.progress.done = source.done
            self.mended = {"skipped": source.reader.skipped, "filled": source.reader.filled}
            if not slice_:
                return
