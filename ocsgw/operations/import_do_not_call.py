"""Rows of a CSV file become entries of the do-not-call table (constants.md section 6)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from difflib import get_close_matches
from typing import NamedTuple, cast

from ocsgw.contact.bulk_statements import ImportedEntry, StoredEntry
from ocsgw.contact.directory import Directory
from ocsgw.contact.normal_form import normal_contact, normal_customer_id, normal_name
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.allowed import FORMAT_AS_TEXT
from ocsgw.operations.cells import (
    CellForm,
    LocalTime,
    RowError,
    date_and_time,
    doubt_about_phone,
    plain_header,
    refused,
    seconds_or_date,
    unmarked,
)
from ocsgw.operations.header import LEFT_OUT, HeaderError
from ocsgw.operations.verdicts import Duplicates, Row, RowVerdict, VerdictName
from ocsgw.protocol.attributes import CONVERTERS, INT32_MAX
from ocsgw.protocol.errors import Refusal

COLUMNS = ("phone", "customer_id", "tenant", "campaign", "list", "expires_at", "message")
_OTHER_NAMES = {
    "contact_info": "phone",
    "GSW_PHONE": "phone",
    "GSW_CUSTOMER_ID": "customer_id",
    "tenant_dbid": "tenant",
    "campaign_dbid": "campaign",
    "list_dbid": "list",
    "dnc_message": "message",
}
_BY_PLAIN_NAME = {
    **{plain_header(name): column for name, column in _OTHER_NAMES.items()},
    **{plain_header(name): name for name in COLUMNS},
}
_NOT_READ = frozenset({"isinternal", "timestamp"})
_MESSAGE_LENGTH = 255
_ALLOWED = {
    "phone": "allowed: 1 to 128 characters",
    "customer_id": "allowed: 1 to 255 characters",
    "message": f"allowed: at most {_MESSAGE_LENGTH} characters",
}

_WRITE_OVER: Mapping[Duplicates, VerdictName] = {"replace": "replaced", "update": "updated"}

_Reader = Callable[[str], str | int | None]
_Key = tuple[str, str, int, int, int]


def read_header(names: Sequence[str], *, ignore_unknown: bool) -> list[str | None]:
    """Return which column of `COLUMNS` each column of a file is, None for one that is not read.

    Raises `HeaderError`.
    """
    columns: list[str | None] = []
    for name in (each.strip() for each in names):
        column = _BY_PLAIN_NAME.get(plain_header(name))
        is_left_out = name == LEFT_OUT or plain_header(name) in _NOT_READ
        if column is None and not is_left_out and not ignore_unknown:
            if not any(each.isalpha() for each in name):
                raise HeaderError(
                    f"the first row must name the columns, and {name!r} is not a name; add a first row such as phone"
                )
            close = get_close_matches(name, [*COLUMNS, *_OTHER_NAMES], 1)
            hint = f"did you mean {close[0]}" if close else "remove it"
            raise HeaderError(
                f"the do-not-call list has no column {name!r}; {hint}, use --map to say which one it is, or "
                "--ignore-unknown"
            )
        if column is not None and column in columns:
            raise HeaderError(f"the column {column} is there twice; remove one of them")
        columns.append(column)
    if "phone" not in columns and "customer_id" not in columns:
        raise HeaderError(
            "the file has no column phone or customer_id; the first row must name the columns, or use "
            "--map NAME=phone with the name that the column has"
        )
    return columns


def likely_columns(names: Sequence[str]) -> list[str | None]:
    """Return what each column of a file is read as by its name; None for one that is not, or that nobody knows."""
    return [_BY_PLAIN_NAME.get(plain_header(name)) for name in names]


class ImportedEntries(NamedTuple):
    """What became of the rows of a slice, and the numbers of the entries that were added."""

    verdicts: list[RowVerdict]
    added: list[int]


def import_entries(
    unit: UnitOfWork,
    columns: Sequence[str | None],
    rows: Sequence[Row],
    duplicates: Duplicates,
    *,
    form: CellForm | None = None,
    is_dry_run: bool = False,
) -> ImportedEntries:
    """Add rows to the do-not-call table and return a verdict for each; with `is_dry_run` only say what would become.

    An entry is the same as another one with the same contact or customer id and the same scope. What happens to it
    is up to `duplicates`: it is added all the same, skipped if the other one holds as long (H264), or it replaces
    message and end of the other one ("update" is the same).
    """
    form = form or CellForm()
    verdicts: list[RowVerdict | None] = [None] * len(rows)
    read = _readers(unit.directory, form)
    widths = unit.tx.do_not_call_widths()
    has_expiry = unit.tx.has_expiry()
    entries: list[tuple[int, ImportedEntry]] = []
    warnings: dict[int, str] = {}
    for at, row in enumerate(rows):
        try:
            entry = _entry(columns, read, row, widths, has_expiry=has_expiry)
            reasons = (_warning(columns, row, form), _unknown_scope(unit.directory, entry))
            warnings[at] = "; ".join(filter(None, reasons))
            entries.append((at, entry))
        except Refusal as refusal:
            verdicts[at] = RowVerdict("refused", refusal.text)
        except RowError as error:
            verdicts[at] = RowVerdict("refused", str(error))
    equal = unit.tx.equal_entries([entry for _, entry in entries]) if duplicates != "add" else {}
    new: dict[_Key | int, ImportedEntry] = {}
    changes: dict[int, ImportedEntry] = {}
    for place, (at, entry) in enumerate(entries):
        key = _key(entry)
        there = equal.get(place, [])
        if duplicates == "add":
            new[at] = entry
            verdicts[at] = RowVerdict("added", warnings[at])
        elif duplicates in _WRITE_OVER and there:
            changes.update({each.number: entry for each in there})
            verdicts[at] = RowVerdict(_WRITE_OVER[duplicates], f"{_WRITE_OVER[duplicates]} an equal entry")
        elif duplicates in _WRITE_OVER and key in new:
            new[key] = entry
            verdicts[at] = RowVerdict(_WRITE_OVER[duplicates], f"{_WRITE_OVER[duplicates]} an earlier row")
        elif any(_holds_as_long(each, entry) for each in (*there, *([new[key]] if key in new else ()))):
            verdicts[at] = RowVerdict("skipped", "there is an equal entry")
        else:
            new[key] = entry
            verdicts[at] = RowVerdict("added", warnings[at])
    added: list[int] = []
    if not is_dry_run:
        if new:
            added = unit.tx.import_entries(list(new.values()), unit.now)
        if changes:
            unit.tx.change_entries(changes, unit.now)
    return ImportedEntries(cast("list[RowVerdict]", verdicts), added)


def _unknown_scope(directory: Directory, entry: ImportedEntry) -> str:
    """Return which object of an entry is not configured: then it blocks nothing."""
    scope: tuple[tuple[str, int, set[int]], ...] = (
        ("tenant", entry.tenant_dbid, {each.dbid for each in directory.tenants}),
        ("campaign", entry.campaign_dbid, {each.dbid for each in directory.campaigns}),
        ("list", entry.list_dbid, {each.dbid for each in directory.calling_lists}),
    )
    unknown = [f"{name} {dbid}" for name, dbid, known in scope if dbid and dbid not in known]
    return (
        f"warning, the entry blocks nothing, because this is not configured: '{', '.join(unknown)}'" if unknown else ""
    )


def _warning(columns: Sequence[str | None], row: Row, form: CellForm) -> str:
    """Return what is doubtful about the phone of a row. Raises `RowError`."""
    if form.raw or "phone" not in columns:
        return ""
    cell = row[columns.index("phone")]
    if not cell or (cell.isascii() and cell.isdigit()):
        return ""
    warning = doubt_about_phone(cell)
    if warning and form.strict_phones:
        raise RowError(warning.removeprefix("warning, "))
    return warning


def export_row(directory: Directory, entry: StoredEntry) -> list[str | int | None]:
    """Return an entry as a row of a file with `COLUMNS`; what is no longer configured is named by its DBID.

    What cannot be read stands there as it does in the table.
    """
    tenants = {each.dbid: each.name for each in directory.tenants}
    campaigns = {each.dbid: each.name for each in directory.campaigns}
    calling_list = directory.list_by_dbid(entry.list_dbid)
    odd = entry.odd
    named = calling_list.name if calling_list is not None else entry.list_dbid or None
    return [
        entry.phone,
        entry.customer_id,
        odd.get("tenant_dbid", tenants.get(entry.tenant_dbid, entry.tenant_dbid or None)),
        odd.get("campaign_dbid", campaigns.get(entry.campaign_dbid, entry.campaign_dbid or None)),
        odd.get("list_dbid", named),
        odd.get("expires_at", entry.expires_at or None),
        odd.get("dnc_message", entry.message),
    ]


def _entry(
    columns: Sequence[str | None], read: Mapping[str, _Reader], row: Row, widths: tuple[int, int], *, has_expiry: bool
) -> ImportedEntry:
    """Return the entry of a row. Raises `Refusal`, or `RowError` with a text of its own."""
    if isinstance(row, str):
        raise RowError(row)
    if len(row) != len(columns):
        raise RowError(f"has {len(row)} columns, the first row {len(columns)}")
    values: dict[str, str | int | None] = {}
    for column, cell in zip(columns, row, strict=True):
        if cell and column is not None:
            if "\0" in cell:
                raise Refusal("invalid_attribute", column)
            try:
                values[column] = read[column](cell)
            except Refusal as refusal:
                hint = FORMAT_AS_TEXT if "spreadsheet" in refusal.text else _ALLOWED.get(column, "")
                raise refused(refusal.text, cell, hint) from None
    phone = cast("str | None", values.get("phone"))
    customer_id = cast("str | None", values.get("customer_id"))
    if phone is None and customer_id is None:
        raise Refusal("missing_attribute", "phone")
    for name, text, width in (("phone", phone, widths[0]), ("customer_id", customer_id, widths[1])):
        if text is not None and len(text) > width:
            raise refused(Refusal("invalid_attribute", name).text, text, f"the column takes {width} characters")
    expires_at = cast("int", values.get("expires_at") or 0)
    if expires_at and not has_expiry:
        raise RowError("the do-not-call table has no column expires_at; add it, or leave the cell empty")
    return ImportedEntry(
        phone,
        customer_id,
        cast("str | None", values.get("message")),
        cast("int", values.get("tenant") or 0),
        cast("int", values.get("campaign") or 0),
        cast("int", values.get("list") or 0),
        expires_at,
    )


def _readers(directory: Directory, form: CellForm) -> dict[str, _Reader]:
    readers = _plain_readers(directory, form)
    if form.raw:
        return readers
    return {column: _unmarked(read, is_contact=column == "phone") for column, read in readers.items()}


def _unmarked(read: _Reader, *, is_contact: bool) -> _Reader:
    return lambda cell: read(unmarked(cell, is_contact=is_contact))


def _plain_readers(directory: Directory, form: CellForm) -> dict[str, _Reader]:
    return {
        "phone": lambda cell: cast("str", CONVERTERS["GSW_PHONE"]("phone", cell)),
        "customer_id": lambda cell: cast("str", CONVERTERS["GSW_CUSTOMER_ID"]("customer_id", cell)),
        "tenant": _dbid_of({each.name: each.dbid for each in directory.tenants}, "tenant"),
        "campaign": _dbid_of({each.name: each.dbid for each in directory.campaigns}, "campaign"),
        "list": _dbid_of({each.name: each.dbid for each in directory.calling_lists}, "list"),
        "expires_at": lambda cell: _expiry(cell, form),
        "message": _message,
    }


def _dbid_of(dbids: Mapping[str, int], column: str) -> _Reader:
    """Return the reader of an object's name, or its DBID; 0 is every one."""
    known = {"0": 0, **{str(dbid): dbid for dbid in dbids.values()}}
    known.update({normal_name(name): dbid for name, dbid in dbids.items()})

    def read(cell: str) -> int:
        text = normal_name(cell).strip()
        dbid = known.get(text)
        if dbid is None and text.isascii() and text.isdigit() and int(text[:20]) <= INT32_MAX:
            # An export names by its DBID what is no longer configured.
            return int(text)
        if dbid is None:
            close = get_close_matches(cell, known, 1)
            hint = f"did you mean {close[0]}" if close else f"configured: {', '.join(dbids) or 'none'}"
            raise refused(f"there is no such {column}", cell, hint)
        return dbid

    return read


def _expiry(cell: str, form: CellForm) -> int:
    """Return the end of an entry: seconds since 1970 UTC, a date, through its end, or a date and time; both in UTC."""
    text = cell.strip()
    if text.lower() == "never":
        return 0
    is_number = text.isascii() and text.isdigit()
    found = (
        seconds_or_date("expires_at", cell, form)
        if is_number
        else date_and_time("expires_at", cell, form, end_of_day=True)
    )
    return int(found.moment.replace(tzinfo=UTC).timestamp()) if isinstance(found, LocalTime) else found


def _message(cell: str) -> str:
    if len(cell) > _MESSAGE_LENGTH:
        raise Refusal("invalid_attribute", "message")
    return cell


def _key(entry: ImportedEntry) -> _Key:
    return (
        normal_contact(entry.phone) if entry.phone is not None else "",
        normal_customer_id(entry.customer_id) if entry.customer_id is not None else "",
        entry.tenant_dbid,
        entry.campaign_dbid,
        entry.list_dbid,
    )


def _holds_as_long(there: StoredEntry | ImportedEntry, entry: ImportedEntry) -> bool:
    return there.expires_at == 0 or 0 < entry.expires_at <= there.expires_at
