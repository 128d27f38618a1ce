"""Work of an operator on lists, in slices: what `ocsctl` asks of a server, or does itself where none runs.

An operation is a function of a turn and its arguments; it is carried out in one transaction. The arguments come from
outside and are checked here.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from ocsgw.contact.bulk_statements import ImportProgress
from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations import import_do_not_call
from ocsgw.operations.explain import explain
from ocsgw.operations.header import CLASSIC_COLUMNS, HeaderError, read_header
from ocsgw.operations.import_records import Duplicates, Row, RowVerdict, import_rows

# More in one transaction would hold requests up.
MOST_ROWS = 2000
_DO_NOT_CALL = "do-not-call"
# The end of the year 9000, behind which there is no calendar.
_LATEST = 221845132800
_NO_COUNTS = {"added": 0, "replaced": 0, "skipped": 0, "refused": 0}


class OperationError(Exception):
    """An operation cannot be carried out; the text says why and what to do."""


class Import(msgspec.Struct, kw_only=True):
    """What every slice of an import says. Without `calling_list` the do-not-call table is meant."""

    header: list[str]
    fingerprint: str
    file: str
    calling_list: str | None = None
    duplicates: Duplicates = "add"
    ignore_unknown: bool = False
    dry_run: bool = False

    @property
    def target(self) -> str:
        """What the progress is stored under, together with the file."""
        return _DO_NOT_CALL if self.calling_list is None else f"list {self.calling_list}"


class BeginImport(Import, kw_only=True):
    """An import is to begin, or to go on; `again` forgets that the file has been imported before."""

    again: bool = False


class ImportRows(Import, kw_only=True):
    """One slice: rows from number `first` on, counted from 0; `last` says that there are no more.

    `seen` are the places of rows whose contact an earlier slice of the same dry run has.
    """

    first: int
    rows: list[Row]
    last: bool = False
    seen: list[int] = []


class ExportRows(msgspec.Struct, kw_only=True):
    """The next rows of an export, behind the number `after`. Without `calling_list` the do-not-call table is meant."""

    calling_list: str | None = None
    after: int | None = None
    at_most: int = 1000


class Explain(msgspec.Struct, kw_only=True):
    """A question about a contact, for now or for another time in seconds since 1970 UTC."""

    contact: str
    at: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] | None = None


def begin_import(unit: UnitOfWork, arguments: BeginImport) -> dict[str, Any]:
    """Judge the head of a file and return how far its import has come."""
    ignored, contact_at = _judge_header(unit, arguments)
    progress = unit.tx.import_progress(arguments.target, arguments.fingerprint)
    if arguments.dry_run:
        progress = None
    elif progress is None or arguments.again:
        progress = ImportProgress(arguments.file, 0, dict(_NO_COUNTS), unit.now)
        unit.tx.save_import_progress(arguments.target, arguments.fingerprint, progress)
    return {
        "rows": progress.rows if progress is not None else 0,
        "counts": progress.counts if progress is not None else dict(_NO_COUNTS),
        "finished_at": progress.finished_at if progress is not None else None,
        "ignored": ignored,
        "contact_at": contact_at,
    }


def import_slice(unit: UnitOfWork, arguments: ImportRows) -> dict[str, Any]:
    """Import one slice together with its progress; return the verdicts of rows that were not simply added."""
    if len(arguments.rows) > MOST_ROWS:
        raise OperationError(f"a slice has at most {MOST_ROWS} rows")
    progress = unit.tx.import_progress(arguments.target, arguments.fingerprint)
    if not arguments.dry_run and (progress is None or progress.rows != arguments.first or progress.finished_at):
        raise OperationError("the import was taken over by another ocsctl; wait for that one, or start this one again")
    verdicts = _import(unit, arguments)
    counts = dict(_NO_COUNTS)
    for verdict in verdicts:
        counts[verdict.name] += 1
    if progress is not None and not arguments.dry_run:
        progress.rows += len(verdicts)
        progress.counts = {name: progress.counts.get(name, 0) + count for name, count in counts.items()}
        progress.finished_at = unit.now if arguments.last else None
        unit.tx.save_import_progress(arguments.target, arguments.fingerprint, progress)
        changed = {name: counts[name] for name in ("added", "replaced") if counts[name]}
        if changed:
            unit.notes.append({"action": "import", "target": arguments.target, "file": arguments.file, **changed})
    told = [(at, each.name, each.reason) for at, each in enumerate(verdicts) if each.reason]
    return {"verdicts": told, "counts": counts}


def _import(unit: UnitOfWork, arguments: ImportRows) -> list[RowVerdict]:
    if arguments.calling_list is None:
        columns = import_do_not_call.read_header(arguments.header, ignore_unknown=arguments.ignore_unknown)
        return import_do_not_call.import_entries(
            unit, columns, arguments.rows, arguments.duplicates, is_dry_run=arguments.dry_run
        )
    calling_list = _list_named(unit, arguments.calling_list)
    header = read_header(unit.directory, calling_list, arguments.header, ignore_unknown=arguments.ignore_unknown)
    return import_rows(
        unit,
        calling_list,
        header,
        arguments.rows,
        arguments.duplicates,
        is_dry_run=arguments.dry_run,
        seen=arguments.seen,
    )


def _judge_header(unit: UnitOfWork, arguments: Import) -> tuple[list[str], int | None]:
    """Return the columns that are not read, and which one has the contacts of a list."""
    if arguments.calling_list is None:
        columns = import_do_not_call.read_header(arguments.header, ignore_unknown=arguments.ignore_unknown)
        return [name for name, column in zip(arguments.header, columns, strict=True) if column is None], None
    calling_list = _list_named(unit, arguments.calling_list)
    # Is its table there?
    unit.tx.chain_ends(calling_list, ())
    header = read_header(unit.directory, calling_list, arguments.header, ignore_unknown=arguments.ignore_unknown)
    return list(header.ignored), header.contact_at


def export_slice(unit: UnitOfWork, arguments: ExportRows) -> dict[str, Any]:
    """Return the next rows of a list or of the do-not-call table, their head, and where the following ones begin."""
    at_most = min(arguments.at_most, MOST_ROWS)
    rows: list[list[Any]]
    if arguments.calling_list is None:
        entries = unit.tx.export_entries(arguments.after if arguments.after is not None else _BEFORE_ALL, at_most)
        rows = [import_do_not_call.export_row(unit.directory, each) for each in entries]
        after = entries[-1].number if entries else None
        return {"header": list(import_do_not_call.COLUMNS), "rows": rows, "after": after}
    calling_list = _list_named(unit, arguments.calling_list)
    rows = unit.tx.export_records(
        calling_list, arguments.after if arguments.after is not None else _BEFORE_ALL, at_most
    )
    header = [*CLASSIC_COLUMNS, *(each.column for each in calling_list.fields)]
    return {"header": header, "rows": rows, "after": rows[-1][0] if rows else None}


def explain_contact(unit: UnitOfWork, arguments: Explain) -> Any:
    """Return why a contact would, or would not, be handed out."""
    explanation = explain(unit, arguments.contact, arguments.at if arguments.at is not None else unit.now)
    return msgspec.to_builtins(explanation)


class NoArguments(msgspec.Struct):
    """An operation that needs to be told nothing."""


def audit_position(unit: UnitOfWork, arguments: NoArguments) -> Any:
    """Return number and hash of the last line of the audit log that is committed, None before the first one."""
    return unit.tx.audit_position()


_BEFORE_ALL = -(1 << 62)


def _list_named(unit: UnitOfWork, name: str) -> CallingList:
    calling_list = unit.directory.list_named(name)
    if calling_list is None:
        known = ", ".join(each.name for each in unit.directory.calling_lists) or "none"
        raise OperationError(f"there is no calling list {name}; configured: {known}")
    return calling_list


_ARGUMENTS: Mapping[str, tuple[type[Any], Callable[[UnitOfWork, Any], Any]]] = {
    "begin import": (BeginImport, begin_import),
    "import": (ImportRows, import_slice),
    "export": (ExportRows, export_slice),
    "explain": (Explain, explain_contact),
    "audit position": (NoArguments, audit_position),
}


def carry_out(unit: UnitOfWork, name: str, arguments: object) -> Any:
    """Carry out an operation by its name. Raises `OperationError`; then the transaction has to be undone."""
    known = _ARGUMENTS.get(name)
    if known is None:
        raise OperationError(f"there is no operation {name}; is ocsctl of another version?")
    kind, operation = known
    try:
        return operation(unit, msgspec.convert(arguments, kind))
    except msgspec.ValidationError as error:
        raise OperationError(
            f"the operation {name} is not understood: {error}; is ocsctl of another version?"
        ) from None
    except HeaderError as error:
        raise OperationError(str(error)) from None
    except UnavailableListError as error:
        raise OperationError(
            f"calling list {error} cannot be used; the log of the server tells what is wrong with its table"
        ) from None
