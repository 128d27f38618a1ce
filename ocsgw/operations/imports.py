"""Imports, step by step: begun, carried on slice by slice, listed, and taken back."""

import hashlib
import struct
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Annotated, Any

import msgspec

from ocsgw.contact.bulk_statements import ImportedRow, ImportProgress, StoredEntry, StoredImport
from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import normal_contact
from ocsgw.contact.transaction import Record, RefusedByTableError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.operations import import_do_not_call
from ocsgw.operations.cells import CellForm, unmarked
from ocsgw.operations.errors import OperationError, list_named
from ocsgw.operations.header import Header, read_header
from ocsgw.operations.import_records import import_rows
from ocsgw.operations.parts import rows_of
from ocsgw.operations.ready_again import make_ready_again
from ocsgw.operations.verdicts import Duplicates, Row, RowVerdict

# More in one transaction would hold requests up.
MOST_ROWS = 2000
# At most so many parts are carried out before it is looked whether anybody waits. For the first looks it is one:
# clients come again some milliseconds after their answers.
_MOST_PARTS = 4
_BRIEF_STEPS = 4
# So many parts go into a transaction beside others, who wait for its commit, too.
_PARTS_BESIDE = 2
_DO_NOT_CALL = "do-not-call"
_OF_LIST = "list "
_NO_COUNTS = {"added": 0, "updated": 0, "replaced": 0, "skipped": 0, "refused": 0}
# Counts of what has become of an import that is being taken back.
_REMOVED, _READY = "taken back", "ready again"
_MOST_LISTED = 1000
# Days for which an import can be taken back.
_KEPT_DAYS = 90
_KEPT = _KEPT_DAYS * 86400
_pack, _hash = msgspec.msgpack.Encoder().encode, hashlib.blake2b


class Import(msgspec.Struct, kw_only=True):
    """What every slice of an import says. Without `calling_list` the do-not-call table is meant.

    The `fingerprint` is that of the file and of everything that decides how it is read and stored.
    """

    header: list[str]
    fingerprint: str
    file: str
    calling_list: str | None = None
    duplicates: Duplicates = "add"
    ignore_unknown: bool = False
    dry_run: bool = False
    decimal_comma: bool = False
    day_first: bool = False
    raw: bool = False
    strict_phones: bool = False

    @property
    def target(self) -> str:
        """What the progress is stored under, together with the file."""
        return _DO_NOT_CALL if self.calling_list is None else f"{_OF_LIST}{self.calling_list}"

    @property
    def form(self) -> CellForm:
        """How the cells of the file are written."""
        return CellForm(self.decimal_comma, self.day_first, self.raw, self.strict_phones)


class BeginImport(Import, kw_only=True):
    """An import is to begin, or to go on; `again` forgets that the file has been imported before.

    With `look` nothing is begun: it is only asked how the head is read and how far the import has come.
    """

    again: bool = False
    look: bool = False


class ImportRows(Import, kw_only=True):
    """One slice: rows from number `first` on, counted from 0, in parts; `last` says that there are no more.

    `seen` are the places of rows whose contact an earlier slice of the same dry run has.
    """

    first: int
    parts: list[bytes]
    last: bool = False
    seen: list[int] = []


class KnownContacts(msgspec.Struct, kw_only=True):
    """A question which contacts a list has already."""

    calling_list: str
    contacts: list[str]


class UndoImport(msgspec.Struct, kw_only=True):
    """The last slice of an import that is left is to be taken back.

    When none is left, rows that were kept are told, those behind `kept_behind`. `reason` is for the audit log. With
    `ready_again` records that entries of the do-not-call list have blocked, and that no other entry blocks, become
    ready again.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]
    calling_list: str | None = None
    reason: str = ""
    ready_again: bool = False
    kept_behind: int = 0


class ListImports(msgspec.Struct, kw_only=True):
    """A question about the newest imports."""

    at_most: int = 50


def begin_import(unit: UnitOfWork, arguments: BeginImport) -> dict[str, Any]:
    """Judge the head of a file and return how far its import has come."""
    ignored, read_as, contact_at = _judge_header(unit, arguments)
    progress = unit.tx.import_progress(arguments.target, arguments.fingerprint)
    if arguments.dry_run or (arguments.again and arguments.look):
        progress = None
    elif not arguments.look and (progress is None or arguments.again):
        unit.tx.forget_rows_of_imports(unit.now - _KEPT)
        number = unit.tx.new_import_number()
        progress = ImportProgress(arguments.file, 0, dict(_NO_COUNTS), unit.now, None, number)
        unit.tx.save_import_progress(arguments.target, arguments.fingerprint, progress)
    return {
        "rows": progress.rows if progress is not None else 0,
        "counts": progress.counts if progress is not None else dict(_NO_COUNTS),
        "finished_at": progress.finished_at if progress is not None else None,
        "number": progress.number if progress is not None else None,
        "ignored": ignored,
        "read_as": read_as,
        "contact_at": contact_at,
        "country": _country_of(unit, arguments),
    }


class _Done(msgspec.Struct, frozen=True):
    """What has become of the first rows of a slice: how many parts and rows that is, their verdicts and counts.

    With `apart` each further transaction takes no more than one step, because the table has refused a row. With
    `beside` somebody has waited: whoever that was comes again, and steps stay brief.
    """

    parts: int
    rows: int
    verdicts: list[tuple[int, str, str]]
    counts: dict[str, int]
    apart: bool = False
    beside: bool = False


def import_slice(unit: UnitOfWork, arguments: ImportRows) -> dict[str, Any] | Unfinished[dict[str, Any]]:
    """Import one slice together with its progress; return the verdicts of rows that were not simply added.

    As long as nobody else waits it is one transaction: each page of an index that several rows touch is written once.
    """
    return _go_on(unit, arguments, _Done(0, 0, [], dict(_NO_COUNTS)))


def _go_on(unit: UnitOfWork, arguments: ImportRows, done: _Done) -> dict[str, Any] | Unfinished[dict[str, Any]]:
    progress = unit.tx.import_progress(arguments.target, arguments.fingerprint)
    first = arguments.first + done.rows
    if not arguments.dry_run and (progress is None or progress.rows != first or progress.finished_at):
        raise OperationError("the import was taken over by another ocsctl; wait for that one, or start this one again")
    number = progress.number if progress is not None else None
    mark = unit.mark()
    try:
        # Before anything is changed that costs nothing; later it would be a copy of each page.
        with unit.tx.savepoint():
            now_done = _carry_on(unit, arguments, done, number)
    except RefusedByTableError:
        unit.undo(mark)
        now_done = _step(unit, arguments, msgspec.structs.replace(done, apart=True), _MOST_PARTS, number)
    is_end = now_done.parts == len(arguments.parts)
    if progress is not None and not arguments.dry_run:
        counts = {name: count - done.counts[name] for name, count in now_done.counts.items()}
        progress.rows += now_done.rows - done.rows
        progress.counts |= {name: progress.counts.get(name, 0) + count for name, count in counts.items()}
        progress.finished_at = unit.now if arguments.last and is_end else None
        unit.tx.save_import_progress(arguments.target, arguments.fingerprint, progress)
        changed = {name: counts[name] for name in ("added", "updated", "replaced") if counts[name]}
        if changed:
            note = {"action": "import", "target": arguments.target, "file": arguments.file}
            unit.notes.append({**note, "import": number, **changed})
    if not is_end:
        return Unfinished(partial(_go_on, arguments=arguments, done=now_done))
    return {"verdicts": now_done.verdicts, "counts": now_done.counts}


def _carry_on(unit: UnitOfWork, arguments: ImportRows, done: _Done, number: int | None) -> _Done:
    """Carry out steps until the slice is done or somebody waits, brief ones first: others often come soon again."""
    # What a dry run has seen of a slice stands nowhere.
    step = len(arguments.parts) if arguments.dry_run else _MOST_PARTS if done.apart else 1
    looks = 0
    while True:
        done = _step(unit, arguments, done, step, number)
        if done.parts == len(arguments.parts) or done.apart:
            return done
        looks += 1
        if done.beside and looks == _PARTS_BESIDE:
            return done
        if unit.is_awaited():
            return msgspec.structs.replace(done, beside=True)
        if looks >= _BRIEF_STEPS and not done.beside:
            step = min(2 * step, _MOST_PARTS)


def _step(unit: UnitOfWork, arguments: ImportRows, done: _Done, parts: int, number: int | None) -> _Done:
    """Carry out so many parts."""
    taken = arguments.parts[done.parts : done.parts + parts]
    rows = rows_of(taken)
    verdicts, stored = _import(unit, arguments, rows, is_guarded=done.apart)
    if stored and number is not None and not arguments.dry_run:
        unit.tx.save_imported_rows(number, arguments.first + done.rows, stored)
    counts = done.counts.copy()
    for verdict in verdicts:
        counts[verdict.name] += 1
    told = [(at, each.name, each.reason) for at, each in enumerate(verdicts, done.rows) if each.reason]
    return _Done(
        done.parts + len(taken), done.rows + len(rows), [*done.verdicts, *told], counts, done.apart, done.beside
    )


def _import(
    unit: UnitOfWork, arguments: ImportRows, rows: list[Row], *, is_guarded: bool
) -> tuple[list[RowVerdict], list[ImportedRow]]:
    if arguments.calling_list is None:
        columns = import_do_not_call.read_header(arguments.header, ignore_unknown=arguments.ignore_unknown)
        made = import_do_not_call.import_entries(
            unit, columns, rows, arguments.duplicates, form=arguments.form, is_dry_run=arguments.dry_run
        )
        return made.verdicts, _imported(unit.tx.entries(made.added) if made.added else [])
    calling_list = list_named(unit.directory, arguments.calling_list)
    imported = import_rows(
        unit,
        calling_list,
        _header_of(unit, calling_list, arguments),
        rows,
        arguments.duplicates,
        is_dry_run=arguments.dry_run,
        is_guarded=is_guarded,
        seen=arguments.seen,
    )
    return imported.verdicts, _imported(imported.added)


def _imported(rows: Sequence[Record | StoredEntry]) -> list[ImportedRow]:
    return list(map(ImportedRow, map(_number_of, rows), _digests(rows)))


def _number_of(row: Record | StoredEntry) -> int:
    return row.record_id if isinstance(row, Record) else row.number


def _digests(rows: Sequence[Record | StoredEntry]) -> tuple[int, ...]:
    """Return what each row is recognized by as untouched, once it was stored and read again."""
    digests = b"".join([_hash(_pack(row), digest_size=8).digest() for row in rows])
    return struct.unpack(f">{len(rows)}q", digests)


def _header_of(unit: UnitOfWork, calling_list: CallingList, arguments: Import) -> Header:
    return _read_header(
        unit.directory,
        calling_list,
        tuple(arguments.header),
        ignore_unknown=arguments.ignore_unknown,
        form=arguments.form,
        by_customer_id=arguments.duplicates == "update",
    )


# Every slice of an import has the same one.
_read_header = lru_cache(maxsize=2)(read_header)


def _country_of(unit: UnitOfWork, arguments: Import) -> str:
    """Return the country in which the contacts of a file are compared; empty for do-not-call entries."""
    return "" if arguments.calling_list is None else list_named(unit.directory, arguments.calling_list).tenant.country


def _judge_header(unit: UnitOfWork, arguments: Import) -> tuple[list[str], list[str | None], int | None]:
    """Return the columns that are not read, what each is read as, and which one has the contacts."""
    if arguments.calling_list is None:
        columns = import_do_not_call.read_header(arguments.header, ignore_unknown=arguments.ignore_unknown)
        ignored = [name for name, column in zip(arguments.header, columns, strict=True) if column is None]
        return ignored, columns, None
    calling_list = list_named(unit.directory, arguments.calling_list)
    # Is its table there?
    unit.tx.chain_ends(calling_list, ())
    header = _header_of(unit, calling_list, arguments)
    return list(header.ignored), list(header.read_as), header.contact_at


def known_contacts(unit: UnitOfWork, arguments: KnownContacts) -> list[tuple[int, int]] | None:
    """Return those contacts that a list has already: their place, and the first record with them.

    None if the list has no record at all: then nobody needs to ask on.
    """
    if len(arguments.contacts) > MOST_ROWS:
        raise OperationError(f"a slice has at most {MOST_ROWS} contacts")
    calling_list = list_named(unit.directory, arguments.calling_list)
    if not unit.tx.before_adding(calling_list, 0, tuple, unit.now).record_id:
        return None
    country = calling_list.tenant.country
    normal = [normal_contact(unmarked(each, is_contact=True), country) for each in arguments.contacts]
    known = unit.tx.records_by_contact(calling_list, {each for each in normal if each})
    return [(at, known[each][0]) for at, each in enumerate(normal) if each in known]


def list_imports(unit: UnitOfWork, arguments: ListImports) -> list[dict[str, Any]]:
    """Return the newest imports, the newest first."""
    found = unit.tx.imports(min(arguments.at_most, _MOST_LISTED))
    return [{**msgspec.to_builtins(each.progress), "calling_list": _list_of(each)} for each in found]


def _list_of(stored: StoredImport) -> str | None:
    """Return the list of an import, None for one of do-not-call entries."""
    return stored.target.removeprefix(_OF_LIST) if stored.target.startswith(_OF_LIST) else None


def undo_import(unit: UnitOfWork, arguments: UndoImport) -> dict[str, Any]:
    """Take one slice of an import back: rows that are as they were stored go, others stay.

    `removed` rows and those that are `ready` again are the whole numbers, of slices that were taken back before an
    interruption too. When nothing is left, the numbers of what was `kept` come in slices, each with the `kept_behind`
    for the next one. `done` says that everything was told; then the import is forgotten, and its file may be imported
    again.
    """
    stored = unit.tx.import_numbered(arguments.number)
    if stored is None:
        raise OperationError(f"there is no import {arguments.number}; ocsctl list imports shows those that there are")
    wanted = _DO_NOT_CALL if arguments.calling_list is None else f"{_OF_LIST}{arguments.calling_list}"
    if stored.target != wanted:
        raise OperationError(f"import {arguments.number} is one into {stored.target}, not into {wanted}")
    if stored.progress.started_at < unit.now - _KEPT:
        raise OperationError(f"import {arguments.number} is older than {_KEPT_DAYS} days and cannot be taken back")
    found = unit.tx.imported_rows(arguments.number)
    if found is not None:
        _take_back(unit, arguments, stored, *found)
    kept = unit.tx.kept_rows(arguments.number, arguments.kept_behind) if found is None else None
    done = found is None and kept is None
    if done:
        unit.tx.forget_import(stored.target, stored.fingerprint)
    counts = stored.progress.counts
    return {
        "removed": counts.get(_REMOVED, 0),
        "ready": counts.get(_READY, 0),
        "kept": [each.number for each in kept[1]] if kept is not None else [],
        "kept_behind": kept[0] if kept is not None else 0,
        "done": done,
        "lasting": {name: counts.get(name, 0) for name in ("replaced", "updated") if counts.get(name, 0)},
        "file": stored.progress.file,
    }


def _take_back(
    unit: UnitOfWork, arguments: UndoImport, stored: StoredImport, first_row: int, rows: list[ImportedRow]
) -> None:
    """Take one slice back, and add to the counts of its import what has become of it."""
    digests = {each.number: each.digest for each in rows}
    if arguments.calling_list is None:
        there: list[Any] = unit.tx.entries(list(digests))
    else:
        calling_list = list_named(unit.directory, arguments.calling_list)
        there = unit.tx.records(calling_list, list(digests))
    untouched = [
        each for each, digest in zip(there, _digests(there), strict=True) if digest == digests[_number_of(each)]
    ]
    numbers = [_number_of(each) for each in untouched]
    ready = 0
    if arguments.calling_list is None:
        unit.tx.delete_entries(numbers)
        if arguments.ready_again:
            ready = make_ready_again(unit, untouched)
    else:
        unit.tx.delete_records(calling_list, numbers)
    there_still = {_number_of(each) for each in there} - set(numbers)
    unit.tx.take_back(arguments.number, first_row, [each for each in rows if each.number in there_still])
    counts = stored.progress.counts
    counts[_REMOVED] = counts.get(_REMOVED, 0) + len(numbers)
    counts[_READY] = counts.get(_READY, 0) + ready
    unit.tx.save_import_progress(stored.target, stored.fingerprint, stored.progress)
    if numbers or ready:
        note: dict[str, object] = {"action": "import undone", "target": stored.target, "file": stored.progress.file}
        note |= {"import": arguments.number, "removed": len(numbers), "reason": arguments.reason}
        unit.notes.append(note | ({"ready": ready} if ready else {}))
